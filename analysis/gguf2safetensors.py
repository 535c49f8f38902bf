"""Makes a Hugging Face folder of a GGUF file: python3 -m analysis.gguf2safetensors MODEL.gguf FOLDER

FOLDER gets config.json, model.safetensors, tokenizer.json, tokenizer_config.json and generation_config.json. Architectures
are llama (and what is one by another name, as SmolLM2), qwen2 and gpt2. Quantised weights become float32, bfloat16 or
float16; they are then what llama.cpp computes with, not what the model was trained to. Needs numpy only.
"""

import argparse
import json
import math
import os
import struct
import sys

try:
    import numpy
except ImportError:
    sys.exit(f"{sys.executable} has no module 'numpy': use an interpreter that has it (Debian: apt-get install python3-numpy, "
             "then /usr/bin/python3)")

from analysis.gguf import Gguf, UnreadableModel
from analysis.gguf_tokenizer import Tokenizer


class RefusedOutput(Exception):
    """The folder cannot be written; the message says why."""


# Name in GGUF -> name in the folder, shape. {} is the number of a block. A star marks those that a model may lack.
LLAMA = {
    "token_embd.weight": ("model.embed_tokens.weight", "vocabulary hidden"),
    "output_norm.weight": ("model.norm.weight", "hidden"),
    "output.weight*": ("lm_head.weight", "vocabulary hidden"),
    "blk.{}.attn_norm.weight": ("model.layers.{}.input_layernorm.weight", "hidden"),
    "blk.{}.attn_q.weight": ("model.layers.{}.self_attn.q_proj.weight", "queries hidden"),
    "blk.{}.attn_k.weight": ("model.layers.{}.self_attn.k_proj.weight", "keys hidden"),
    "blk.{}.attn_v.weight": ("model.layers.{}.self_attn.v_proj.weight", "keys hidden"),
    "blk.{}.attn_output.weight": ("model.layers.{}.self_attn.o_proj.weight", "hidden queries"),
    "blk.{}.ffn_norm.weight": ("model.layers.{}.post_attention_layernorm.weight", "hidden"),
    "blk.{}.ffn_gate.weight": ("model.layers.{}.mlp.gate_proj.weight", "mlp hidden"),
    "blk.{}.ffn_up.weight": ("model.layers.{}.mlp.up_proj.weight", "mlp hidden"),
    "blk.{}.ffn_down.weight": ("model.layers.{}.mlp.down_proj.weight", "hidden mlp"),
}
QKV_BIASES = {
    "blk.{}.attn_q.bias": ("model.layers.{}.self_attn.q_proj.bias", "queries"),
    "blk.{}.attn_k.bias": ("model.layers.{}.self_attn.k_proj.bias", "keys"),
    "blk.{}.attn_v.bias": ("model.layers.{}.self_attn.v_proj.bias", "keys"),
}
GPT2 = {
    "token_embd.weight": ("transformer.wte.weight", "vocabulary hidden"),
    "position_embd.weight": ("transformer.wpe.weight", "positions hidden"),
    "output.weight*": ("lm_head.weight", "vocabulary hidden"),
}
for layer, name, shape in (("output_norm", "ln_f", "hidden"), ("blk.{}.attn_norm", "h.{}.ln_1", "hidden"),
                           ("blk.{}.attn_qkv", "h.{}.attn.c_attn", "qkv hidden"),
                           ("blk.{}.attn_output", "h.{}.attn.c_proj", "hidden hidden"), ("blk.{}.ffn_norm", "h.{}.ln_2", "hidden"),
                           ("blk.{}.ffn_up", "h.{}.mlp.c_fc", "mlp hidden"), ("blk.{}.ffn_down", "h.{}.mlp.c_proj", "hidden mlp")):
    GPT2 |= {f"{layer}.weight": (f"transformer.{name}.weight", shape), f"{layer}.bias": (f"transformer.{name}.bias", shape.split()[0])}
WEIGHTS = {"llama": LLAMA, "qwen2": LLAMA | QKV_BIASES, "gpt2": GPT2}


class Model:
    """A GGUF file as a model: sizes, and the folder's tensors. Raises UnreadableModel."""

    def __init__(self, file):
        self.file = file
        self.kind = file.metadata.get("general.architecture")
        if self.kind not in WEIGHTS:
            raise UnreadableModel(f"'{file.path}': is of architecture {self.kind!r}; accepted are {', '.join(sorted(WEIGHTS))}")
        if file.metadata.get("split.count", 1) != 1:
            raise UnreadableModel(f"'{file.path}': is one of {file.metadata['split.count']} parts; join them by llama-gguf-split --merge")
        self.tokenizer = Tokenizer(file)
        self.heads, self.hidden = self.count("attention.head_count"), self.count("embedding_length")
        self.key_heads = self.count("attention.head_count_kv", self.heads)
        self.head = self.count("attention.key_length", max(self.hidden // self.heads, 1))
        self.sizes = {"hidden": self.hidden, "qkv": 3 * self.hidden, "mlp": self.count("feed_forward_length"),
                      "queries": self.heads * self.head, "keys": self.key_heads * self.head,
                      "positions": self.count("context_length"), "vocabulary": self.rows("token_embd.weight")}
        self.blocks = self.count("block_count")
        self.check_sizes()
        self.names = self.translated()
        self.tied = "lm_head.weight" not in self.names

    def said(self, key, default=None):
        return self.file.metadata.get(f"{self.kind}.{key}", default)

    def count(self, key, default=None):
        value = self.said(key, default)
        if not isinstance(value, int) or value < 1:
            raise UnreadableModel(f"'{self.file.path}': {self.kind}.{key} is {value!r}; it has to be a positive whole number")
        return value

    def number(self, key, default=None):
        """A float32 as the shortest decimal that gives it."""
        value = self.said(key, default)
        if not isinstance(value, (int, float)) or not 0 < value < math.inf:
            raise UnreadableModel(f"'{self.file.path}': {self.kind}.{key} is {value!r}; it has to be a positive number")
        return float(str(numpy.float32(value)))

    def rows(self, name):
        if name not in self.file.tensors:
            raise UnreadableModel(f"'{self.file.path}': has no tensor {name}")
        return self.file.tensors[name].shape[0]

    def check_sizes(self):
        unfit = []
        if len(self.tokenizer.tokens) > self.sizes["vocabulary"]:
            unfit.append(f"{len(self.tokenizer.tokens)} tokens, but {self.sizes['vocabulary']} embeddings")
        if self.heads % self.key_heads:
            unfit.append(f"{self.heads} heads, which do not share {self.key_heads} heads of keys evenly")
        if self.kind != "llama" and self.head * self.heads != self.hidden:
            unfit.append(f"{self.heads} heads of {self.head}, but width {self.hidden}")
        if self.said("attention.value_length", self.head) != self.head:
            unfit.append(f"keys of {self.head} values, but values of {self.said('attention.value_length')}")
        if self.said("rope.dimension_count", self.head) != self.head:
            unfit.append(f"{self.said('rope.dimension_count')} rotary values in a head of {self.head}, which have to be all")
        if self.said("expert_count", 0):
            unfit.append(f"{self.said('expert_count')} experts; models without are read")
        if self.said("rope.scaling.type", "none") != "none" or "rope_freqs.weight" in self.file.tensors:
            unfit.append("scaled rotary frequencies (as Llama 3.1 and later); those of one base are read")
        if unfit:
            raise UnreadableModel(f"'{self.file.path}': has " + "; ".join(unfit))

    def translated(self):
        """Name in the folder -> name in the GGUF file. Every tensor of the file has to be known, and to have its shape."""
        names, left = {}, dict(self.file.tensors)
        for pattern, (theirs, shape) in WEIGHTS[self.kind].items():
            for block in range(self.blocks if "{}" in pattern else 1):
                name, optional = pattern.rstrip("*").format(block), pattern.endswith("*")
                if optional and name not in left:
                    continue
                self.rows(name)
                expected, found = tuple(self.sizes[size] for size in shape.split()), left.pop(name).shape
                if found != expected:
                    raise UnreadableModel(f"'{self.file.path}': tensor {name} is {list(found)}; {list(expected)} was expected")
                names[theirs.format(block)] = name
        if left:
            raise UnreadableModel(f"'{self.file.path}': has tensors that a {self.kind} does not have: {', '.join(list(left)[:3])}")
        own, shared = (self.file.tensors.get(name) for name in ("output.weight", "token_embd.weight"))
        if own and own.type == shared.type and numpy.array_equal(own.raw, shared.raw):
            names.pop("lm_head.weight")  # The file has the tied head twice.
        return names

    def shape(self, name):
        shape = self.file.tensors[self.names[name]].shape
        return shape[::-1] if self.is_conv1d(name) else shape

    def is_conv1d(self, name):
        """GPT-2 keeps its linear layers as [inputs, outputs]."""
        return self.kind == "gpt2" and len(self.file.tensors[self.names[name]].shape) == 2 and ".h." in name

    def values(self, name):
        """A tensor of the folder, float32."""
        values = self.file.tensors[self.names[name]].values()
        if self.kind == "llama" and name.endswith(("q_proj.weight", "k_proj.weight")):
            return halves_apart(values, self.heads if "q_proj" in name else self.key_heads)
        return values.T if self.is_conv1d(name) else values

    def config(self, dtype):
        """What config.json holds."""
        ids = {key: self.tokenizer.id(key) for key in ("bos_token_id", "eos_token_id")}
        shared = {**ids, "initializer_range": 0.02, "model_type": self.kind, "tie_word_embeddings": self.tied, "torch_dtype": dtype,
                  "use_cache": True, "vocab_size": self.sizes["vocabulary"]}
        if self.kind == "gpt2":
            return {"architectures": ["GPT2LMHeadModel"], "activation_function": "gelu_new", "n_embd": self.hidden,
                    "n_head": self.heads, "n_inner": self.sizes["mlp"], "n_layer": self.blocks, "n_positions": self.sizes["positions"],
                    "layer_norm_epsilon": self.number("attention.layer_norm_epsilon"), "attn_pdrop": 0.0, "embd_pdrop": 0.0,
                    "resid_pdrop": 0.0, **shared}
        own = {"llama": {"architectures": ["LlamaForCausalLM"], "attention_bias": False, "head_dim": self.head, "mlp_bias": False},
               "qwen2": {"architectures": ["Qwen2ForCausalLM"], "use_sliding_window": False}}
        return {**own[self.kind], "attention_dropout": 0.0, "hidden_act": "silu", "hidden_size": self.hidden,
                "intermediate_size": self.sizes["mlp"], "max_position_embeddings": self.sizes["positions"],
                "num_attention_heads": self.heads, "num_hidden_layers": self.blocks, "num_key_value_heads": self.key_heads,
                "rms_norm_eps": self.number("attention.layer_norm_rms_epsilon"), "rope_scaling": None,
                "rope_theta": self.number("rope.freq_base", 10000.0), **shared}

    def generation(self):
        """What generation_config.json holds: where a text ends."""
        ends = [self.tokenizer.id(key) for key in ("eos_token_id", "eot_token_id")]
        ends = sorted({end for end in ends if end is not None})
        ids = {"bos_token_id": self.tokenizer.id("bos_token_id"), "eos_token_id": ends[0] if len(ends) == 1 else ends or None,
               "pad_token_id": self.tokenizer.id("padding_token_id")}
        return {key: value for key, value in ids.items() if value is not None}


def halves_apart(rows, heads):
    """Undoes llama.cpp's order of the rows of queries and keys. There the two rows of a rotary pair are neighbours; in the
    folder the first half of a head's rows has the first of each pair."""
    return rows.reshape(heads, -1, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def as_bfloat16(values, _):
    """Rounds to the nearest, half to even."""
    bits = numpy.ascontiguousarray(values).view(numpy.uint32)
    return ((bits + 0x7fff + (bits >> 16 & 1)) >> 16).astype("<u2")


def as_float16(values, name):
    with numpy.errstate(over="ignore"):
        halves = values.astype("<f2")
    if not numpy.isfinite(halves).all():
        raise RefusedOutput(f"{name} has values beyond float16 (65504); bf16 and f32 can hold them")
    return halves


# --dtype -> name in safetensors, in config.json, bytes, what makes them
DTYPES = {"f32": ("F32", "float32", 4, lambda values, _: values.astype("<f4")),
          "bf16": ("BF16", "bfloat16", 2, as_bfloat16), "f16": ("F16", "float16", 2, as_float16)}


def write_safetensors(path, model, dtype):
    """Writes one tensor after the other, so that only one is in memory."""
    kind, _, size, convert = DTYPES[dtype]
    header, place = {"__metadata__": {"format": "pt"}}, 0
    for name in model.names:
        end = place + size * math.prod(model.shape(name))
        header[name] = {"dtype": kind, "shape": list(model.shape(name)), "data_offsets": [place, end]}
        place = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in model.names:
            file.write(numpy.ascontiguousarray(convert(model.values(name), name)).data)


def write_folder(folder, model, dtype, overwrite):
    """All files, or none: they get their names when the last one is complete. Raises RefusedOutput."""
    texts = {"tokenizer.json": model.tokenizer.file(), "tokenizer_config.json": model.tokenizer.config(model.sizes["positions"]),
             "generation_config.json": model.generation(), "config.json": model.config(DTYPES[dtype][1])}
    there = [name for name in [*texts, "model.safetensors"] if os.path.exists(os.path.join(folder, name))]
    if there and not overwrite:
        raise RefusedOutput(f"'{folder}': has {there[0]} already; --overwrite replaces it")
    parts = []
    try:
        os.makedirs(folder, exist_ok=True)
        for name in ["model.safetensors", *texts]:
            parts.append(os.path.join(folder, name + ".part"))
            if name in texts:
                with open(parts[-1], "w", encoding="utf-8") as file:
                    json.dump(texts[name], file, indent=2, ensure_ascii=False)
                    file.write("\n")
            else:
                write_safetensors(parts[-1], model, dtype)
        for part in parts:
            os.replace(part, part.removesuffix(".part"))
    except OSError as failure:
        raise RefusedOutput(f"'{folder}': cannot be written: {failure.strerror or failure}") from None
    finally:
        for part in filter(os.path.exists, parts):
            os.remove(part)


def main(words=None):
    parser = argparse.ArgumentParser(prog="python3 -m analysis.gguf2safetensors", description="Makes a Hugging Face folder of a GGUF file.")
    parser.add_argument("model", metavar="MODEL.gguf", help="of architecture " + ", ".join(sorted(WEIGHTS)))
    parser.add_argument("folder", metavar="FOLDER", help="is made, and gets config.json, model.safetensors and tokenizer.json")
    parser.add_argument("--dtype", choices=DTYPES, default="f32", help="of the weights (default: f32)")
    parser.add_argument("--overwrite", action="store_true", help="replace files of an earlier conversion")
    arguments = parser.parse_args(words)
    try:
        model = Model(Gguf(arguments.model))
        write_folder(arguments.folder, model, arguments.dtype, arguments.overwrite)
    except (UnreadableModel, RefusedOutput) as failure:
        print(failure, file=sys.stderr)
        sys.exit(2)
    kinds = sorted({model.file.tensors[name].type for name in model.names.values()})
    parameters = sum(math.prod(model.shape(name)) for name in model.names)
    print(f"{arguments.folder}: {model.kind}, {model.blocks} blocks, {parameters / 1e6:.4g} M parameters from {', '.join(kinds)}, "
          f"{len(model.tokenizer.tokens)} tokens ({model.tokenizer.pre})")


if __name__ == "__main__":
    main()
