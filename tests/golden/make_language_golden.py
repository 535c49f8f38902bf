#!/usr/bin/env python3
"""Makes the golden folders of the model families: tiny random models as Hugging Face lays them out, and what transformers
computes with them.

    python3 tests/golden/make_language_golden.py [folder]

needs torch, transformers and, for one way to resize position embeddings, timm; writes, into the folder of this script or
the one given, for every NAME in MODELS a folder NAME with

config.json          as folders on the hub have it; that of tiny_llama_untied as transformers 5 writes it (rope_parameters
                     in place of rope_theta, dtype in place of torch_dtype)
model.safetensors    random weights, float32
golden.safetensors   inputs and results; its metadata has the versions

A language model (tiny_llama: GQA and tied embeddings; tiny_llama_untied; tiny_qwen2; tiny_gpt2) has
    golden.input_ids [2, 12], golden.attention_mask [2, 12]   int64; the mask is all ones
    golden.logits [2, 12, vocabulary]
    golden.hidden.0 [2, 12, width]       what goes into the first block, then golden.hidden.N what leaves the Nth
    golden.normed [2, 12, width]         the last one behind the final norm
    golden.loss []                       mean cross-entropy of the next token, 2 x 11 of them
    golden.grad.PARAMETER                gradients of that loss
    golden.continuation [2, 8] int64     greedily, one token after the other with a cache of keys and values
    golden.continuation.logits [2, 8, vocabulary]
    golden.padded.*                      attention_mask with 4 zeros at the end of the second text; logits, and the loss of
                                         the 11 + 7 tokens that follow one and are none of padding. Logits at places of
                                         padding mean nothing
tiny_bert has input_ids, attention_mask (padded), token_type_ids, labels [2], hidden.N, pooled [2, width] (tanh), logits
[2, 3], loss (mean over the batch) and grad. hidden.N at places of padding mean nothing.

The vision models have golden.pixel_values [2, 3, 16, 16], hidden.N, normed [2, tokens, width] and logits [2, classes]:
tiny_vit_hf (layer_norm_eps 1e-12), tiny_dinov2 (registers, layer scale; the head has CLS and the mean of the patches),
tiny_deit (logits are the mean of cls_logits and distillation_logits). tiny_vit_hf and tiny_dinov2 also have images of other
sizes, S = 24 and 12: golden.sizeS.pixel_values, and by the way W, which resizes the position embeddings,
golden.sizeS.W.position_embeddings [1, tokens, width] and golden.sizeS.W.logits. Ways are `timm` (resample_abs_pos_embed:
bicubic with antialias, in float32) and `transformers` (interpolate_pos_encoding: bicubic, align_corners = False; without
antialias for ViT, with it for DINOv2).

Computed in float64, but for what transformers does in float32 whatever the model's type (RMS norm, rotary angles), and
stored as float32. The script prints how far a computation in float32 is from that. Random numbers come from numpy's
RandomState; weights are larger than those of trained networks, no norm is all ones and no bias zero.
"""

import itertools
import json
import math
import os
import sys
import tempfile

import numpy
import torch
import transformers
from torch.nn.functional import cross_entropy

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from make_vit_golden import write_safetensors  # noqa: E402

BATCH, LENGTH, NEW, PADDED = 2, 12, 8, 4
IMAGE, PATCH, OTHER_SIZES = 16, 4, (24, 12)

LLAMA = {"architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 1,
         "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 24, "initializer_range": 0.02, "intermediate_size": 32,
         "max_position_embeddings": 64, "mlp_bias": False, "model_type": "llama", "num_attention_heads": 4,
         "num_hidden_layers": 2, "num_key_value_heads": 2, "rms_norm_eps": 1e-5, "rope_scaling": None,
         "rope_theta": 10000.0, "tie_word_embeddings": True, "torch_dtype": "float32", "use_cache": True, "vocab_size": 48}
QWEN2 = {name: value for name, value in LLAMA.items() if name not in ("attention_bias", "mlp_bias")}
VIT = {"architectures": ["ViTForImageClassification"], "attention_probs_dropout_prob": 0.0, "hidden_act": "gelu",
       "hidden_dropout_prob": 0.0, "hidden_size": 16, "id2label": {str(i): f"LABEL_{i}" for i in range(5)},
       "image_size": IMAGE, "initializer_range": 0.02, "intermediate_size": 32, "label2id": {f"LABEL_{i}": i for i in range(5)},
       "layer_norm_eps": 1e-12, "model_type": "vit", "num_attention_heads": 2, "num_channels": 3, "num_hidden_layers": 2,
       "patch_size": PATCH, "qkv_bias": True, "torch_dtype": "float32"}
MODELS = {
    "tiny_llama": LLAMA,
    "tiny_llama_untied": {**LLAMA, "hidden_size": 16, "num_hidden_layers": 3, "intermediate_size": 28, "rms_norm_eps": 1e-6,
                          "rope_theta": 500000.0, "tie_word_embeddings": False, "vocab_size": 40},
    "tiny_qwen2": {**QWEN2, "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2",
                   "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "use_sliding_window": False, "vocab_size": 56},
    "tiny_gpt2": {"activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.0,
                  "bos_token_id": 47, "embd_pdrop": 0.0, "eos_token_id": 47, "initializer_range": 0.02,
                  "layer_norm_epsilon": 1e-5, "model_type": "gpt2", "n_ctx": 32, "n_embd": 16, "n_head": 2, "n_layer": 2,
                  "n_positions": 32, "resid_pdrop": 0.0, "vocab_size": 48},
    "tiny_bert": {"architectures": ["BertForSequenceClassification"], "attention_probs_dropout_prob": 0.0,
                  "hidden_act": "gelu", "hidden_dropout_prob": 0.0, "hidden_size": 16,
                  "id2label": {"0": "no", "1": "maybe", "2": "yes"}, "initializer_range": 0.02, "intermediate_size": 40,
                  "label2id": {"no": 0, "maybe": 1, "yes": 2}, "layer_norm_eps": 1e-12, "max_position_embeddings": 16,
                  "model_type": "bert", "num_attention_heads": 2, "num_hidden_layers": 2, "pad_token_id": 0,
                  "position_embedding_type": "absolute", "torch_dtype": "float32", "type_vocab_size": 2, "vocab_size": 40},
    "tiny_vit_hf": VIT,
    "tiny_dinov2": {**{name: value for name, value in VIT.items() if name != "intermediate_size"},
                    "architectures": ["Dinov2WithRegistersForImageClassification"], "model_type": "dinov2_with_registers",
                    "layer_norm_eps": 1e-6, "layerscale_value": 1.0, "mlp_ratio": 2, "num_register_tokens": 3,
                    "drop_path_rate": 0.0, "use_swiglu_ffn": False},
    "tiny_deit": {**VIT, "architectures": ["DeiTForImageClassificationWithTeacher"], "model_type": "deit"},
}
PREPROCESSOR = {"do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": [0.5, 0.5, 0.5],
                "image_processor_type": "ViTImageProcessor", "image_std": [0.5, 0.5, 0.5], "resample": 2,
                "rescale_factor": 1 / 255, "size": {"height": IMAGE, "width": IMAGE}}
# Parameters whose gradients are kept: those of which a name has one of these.
GRADIENTS = {
    "llama": ("embed_tokens", "lm_head", "layers.0.self_attn.q_proj", "layers.1.self_attn.k_proj", "layers.1.mlp.down_proj",
              "layers.0.input_layernorm", "model.norm"),
    "gpt2": ("wte", "wpe", "h.0.attn.c_attn", "h.1.mlp.c_fc", "h.0.ln_1", "ln_f"),
    "bert": ("word_embeddings", "token_type", "layer.0.attention.self.query", "layer.1.output.dense", "layer.0.output.LayerNorm",
             "pooler", "classifier"),
}
GRADIENTS["qwen2"] = GRADIENTS["llama"]


class Degenerate(Exception):
    """These random weights show too little; others are drawn."""


def random_weights(random, shapes, kind):
    """Float32 by name. Linear layers are [outputs, inputs], but [inputs, outputs] in the blocks of GPT-2."""
    weights = {}
    for name, shape in shapes.items():
        mean, deviation = 0.0, 0.3  # embeddings, tokens
        if name.endswith("bias"):
            deviation = 0.2
        elif len(shape) == 1:  # norms, layer scale
            mean, deviation = 1.0, 0.3
        elif not any(word in name for word in ("embed", "token", "wte", "wpe")) or "patch_embeddings" in name:
            transposed = kind == "gpt2" and ".h." in name
            deviation = 1.2 / math.sqrt(shape[0] if transposed else math.prod(shape[1:]))
        weights[name] = (mean + deviation * random.standard_normal(shape)).astype(numpy.float32)
    return weights


def make_folder(folder, name, random):
    """Writes configuration and weights."""
    os.makedirs(folder, exist_ok=True)
    described = MODELS[name]
    kind = getattr(transformers, described["architectures"][0])
    config = kind.config_class.from_dict(described)
    with tempfile.TemporaryDirectory() as place:  # what names and shapes a folder has
        kind(config).save_pretrained(place)
        if name == "tiny_llama_untied":
            with open(os.path.join(place, "config.json"), encoding="utf-8") as file:
                described = json.load(file)
        with open(os.path.join(place, "model.safetensors"), "rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    files = {"config.json": described} | ({"preprocessor_config.json": PREPROCESSOR} if "image_size" in described else {})
    for file_name, content in files.items():
        with open(os.path.join(folder, file_name), "w", encoding="utf-8") as file:
            file.write(json.dumps(content, indent=2) + "\n")
    shapes = {key: entry["shape"] for key, entry in header.items() if key != "__metadata__"}
    weights = random_weights(random, shapes, described["model_type"])
    write_safetensors(os.path.join(folder, "model.safetensors"), weights, {"format": "pt"})


def load(folder, name, dtype):
    kind = getattr(transformers, MODELS[name]["architectures"][0])
    model, report = kind.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    assert not any(report[what] for what in ("missing_keys", "unexpected_keys", "mismatched_keys")), report
    return model.to(dtype).eval()


def blocks_of(model):
    """The list of its blocks: the one list of modules on top."""
    lists = [module for module in model.modules() if isinstance(module, torch.nn.ModuleList) and len(module) > 1]
    return lists[0]


class Watch:
    """Keeps what goes into the first block and what leaves each one."""

    def __init__(self, model):
        self.hidden = {}
        blocks = blocks_of(model)
        self.handles = [blocks[0].register_forward_pre_hook(
            lambda _, positional, named: self.keep(0, positional[0] if positional else named["hidden_states"]), with_kwargs=True)]
        for i, block in enumerate(blocks):
            self.handles.append(block.register_forward_hook(
                lambda _, __, out, i=i: self.keep(i + 1, out[0] if isinstance(out, tuple) else out)))

    def keep(self, index, value):
        self.hidden[f"hidden.{index}"] = value.detach()

    def __enter__(self):
        return self.hidden

    def __exit__(self, *_):
        for handle in self.handles:
            handle.remove()


def gradients(model, loss):
    """Of the parameters in GRADIENTS, by their names in the folder."""
    model.zero_grad()
    loss.backward()
    wanted = GRADIENTS[model.config.model_type]
    return {"grad." + name: parameter.grad.clone() for name, parameter in model.named_parameters()
            if any(word in name for word in wanted)}


def next_token_loss(logits, ids, mask):
    """Mean over those next tokens that are no padding."""
    targets = ids[:, 1:].masked_fill(mask[:, 1:] == 0, -100)
    return cross_entropy(logits[:, :-1].flatten(0, 1), targets.flatten())


@torch.no_grad()
def continuation(model, ids):
    """Greedy tokens and their logits, with a cache; the same without one."""
    state, last, tokens, scores = None, ids, [], []
    for _ in range(NEW):
        done = model(input_ids=last, past_key_values=state, use_cache=True)
        state, last = done.past_key_values, done.logits[:, -1:].argmax(dim=-1)
        tokens.append(last)
        scores.append(done.logits[:, -1])
    tokens, scores = torch.cat(tokens, dim=1), torch.stack(scores, dim=1)
    whole = model(input_ids=torch.cat([ids, tokens[:, :-1]], dim=1), use_cache=False).logits[:, ids.shape[1] - 1:]
    assert (whole - scores).abs().max() < 1e-4, "the cache changes the logits"
    best = scores.topk(2, dim=-1).values
    if (best[..., 0] - best[..., 1]).min() < 0.01:
        raise Degenerate("two tokens are nearly as good")
    if not all(len(set(row.tolist())) > 3 for row in tokens):
        raise Degenerate("the continuation repeats itself")
    return {"continuation": tokens, "continuation.logits": scores}


def inputs_of_language(random, config):
    ids = torch.tensor(random.randint(3, config["vocab_size"] - 1, (BATCH, LENGTH)))
    mask = torch.ones_like(ids)
    padded = mask.clone()
    padded[1, -PADDED:] = 0
    return ids, mask, padded


def language(model, ids, mask, padded):
    with Watch(model) as hidden:
        done = model(input_ids=ids, attention_mask=mask, output_hidden_states=True, use_cache=False)
    result = {"logits": done.logits, **hidden, "normed": done.hidden_states[-1], "loss": next_token_loss(done.logits, ids, mask)}
    result |= gradients(model, result["loss"])
    behind = model(input_ids=ids, attention_mask=padded, use_cache=False).logits
    result |= {"padded.logits": behind, "padded.loss": next_token_loss(behind, ids, padded)}
    return result | continuation(model, ids)


def classifier(model, ids, padded, types, labels):
    with Watch(model) as hidden:
        done = model(input_ids=ids, attention_mask=padded, token_type_ids=types, labels=labels)
    pooled = model.bert(input_ids=ids, attention_mask=padded, token_type_ids=types).pooler_output
    return {"logits": done.logits, **hidden, "pooled": pooled, "loss": done.loss, **gradients(model, done.loss)}


def resized(model, size, way):
    """The position embeddings for images of another size: [1, tokens, width]."""
    embeddings = next(module for module in model.modules() if hasattr(module, "position_embeddings"))
    side, own = size // PATCH, embeddings.position_embeddings
    if way == "timm":
        from timm.layers import resample_abs_pos_embed
        return resample_abs_pos_embed(own, new_size=(side, side), num_prefix_tokens=1)
    return embeddings.interpolate_pos_encoding(torch.zeros(1, 1 + side * side, own.shape[-1], dtype=own.dtype), size, size)


@torch.no_grad()
def logits_with(model, images, positions):
    """Logits with these position embeddings, in place of those that the model would make."""
    embeddings = next(module for module in model.modules() if hasattr(module, "position_embeddings"))
    embeddings.interpolate_pos_encoding = lambda *_: positions
    try:
        wanted = {"interpolate_pos_encoding": True} if model.config.model_type == "vit" else {}
        return model(pixel_values=images, **wanted).logits
    finally:
        del embeddings.interpolate_pos_encoding


@torch.no_grad()
def vision(model, images):
    dtype = next(model.parameters()).dtype
    images = {size: value.to(dtype) for size, value in images.items()}
    with Watch(model) as hidden:
        done = model(pixel_values=images[IMAGE], output_hidden_states=True)
    body = getattr(model, model.base_model_prefix)
    result = {"logits": done.logits, **hidden, "normed": body(pixel_values=images[IMAGE]).last_hidden_state}
    for name in ("cls_logits", "distillation_logits"):
        if name in done:
            result[name] = done[name]
    for size in OTHER_SIZES if model.config.model_type != "deit" else ():
        for way in ("timm", "transformers"):
            positions = resized(model, size, way)
            result[f"size{size}.{way}.position_embeddings"] = positions
            result[f"size{size}.{way}.logits"] = logits_with(model, images[size], positions)
        named = {"interpolate_pos_encoding": True} if model.config.model_type == "vit" else {}
        theirs = model(pixel_values=images[size], **named).logits
        assert torch.equal(theirs, result[f"size{size}.transformers.logits"])
    return result


def make(folder, name, random):
    """Writes one folder; returns the results in float64 and float32."""
    make_folder(folder, name, random)
    config = MODELS[name]
    if "image_size" in config:
        sizes = (IMAGE, *OTHER_SIZES) if name != "tiny_deit" else (IMAGE,)
        images = {size: torch.tensor(random.standard_normal((BATCH, 3, size, size)).astype(numpy.float32)) for size in sizes}
        inputs = {"pixel_values" if size == IMAGE else f"size{size}.pixel_values": value for size, value in images.items()}
        compute = vision, (images,)
    else:
        ids, mask, padded = inputs_of_language(random, config)
        inputs = {"input_ids": ids, "attention_mask": mask, "padded.attention_mask": padded}
        compute = language, (ids, mask, padded)
        if name == "tiny_bert":
            types, labels = (torch.arange(LENGTH) >= 5).long().expand(BATCH, -1), torch.tensor([2, 0])
            inputs = {"input_ids": ids, "attention_mask": padded, "token_type_ids": types, "labels": labels}
            compute = classifier, (ids, padded, types, labels)
    exact, single = ({key: value.detach().numpy() for key, value in compute[0](load(folder, name, dtype), *compute[1]).items()}
                     for dtype in (torch.float64, torch.float32))
    golden = {key: value.numpy() for key, value in inputs.items()} | exact
    golden = {"golden." + key: value if value.dtype == numpy.int64 else numpy.asarray(value, dtype=numpy.float32)
              for key, value in golden.items()}
    write_safetensors(os.path.join(folder, "golden.safetensors"), golden,
                      {"made_by": "make_language_golden.py", "computed_in": "float64", "torch": torch.__version__,
                       "transformers": transformers.__version__})
    return exact, single


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    print("torch", torch.__version__, "transformers", transformers.__version__)
    print("largest |float32 computation - float64 computation| and largest value, by model and seed:")
    for first, name in enumerate(MODELS, 20240200):
        for seed in itertools.count(first, 100):
            try:
                exact, single = make(os.path.join(folder, name), name, numpy.random.RandomState(seed))
                break
            except Degenerate:
                continue
        for key, value in exact.items():
            assert value.dtype != numpy.float64 or numpy.abs(value).max() > 1e-4, f"{name}: {key} is nothing"
            if value.dtype == numpy.int64:
                assert (value == single[key]).all(), f"{name}: {key} depends on rounding"
        worst = max(exact, key=lambda key: numpy.abs(single[key] - exact[key]).max())
        print(f"  {name:18s} {seed} {numpy.abs(single[worst] - exact[worst]).max():.1e}  {numpy.abs(exact[worst]).max():.2f}  {worst}")


if __name__ == "__main__":
    main()
