"""analysis.gguf2safetensors on GGUF files that are written here, byte by byte, with blocks whose values have closed forms."""

import json
import re
import struct
import types

import pytest
from support.tools import assert_refused, tool

numpy = pytest.importorskip("numpy")

HIDDEN, HEADS, KEY_HEADS, MLP, BLOCKS, VOCABULARY = 64, 8, 4, 96, 2, 20
HEAD = HIDDEN // HEADS
F32, F16, Q4_0, Q4_1, Q8_0, Q3_K, Q6_K, BF16 = 0, 1, 2, 3, 8, 11, 14, 30
LETTERS = ["a", "b", "c", "Ġ", "ab", "Ġab", "abc", "1", "2", "é"]
TOKENS = ["<s>", "</s>", *LETTERS, "<tool>", *[f"[PAD{i}]" for i in range(VOCABULARY - 13)]]
KINDS = [3, 3, *[1] * len(LETTERS), 4, *[5] * (VOCABULARY - 13)]
MERGES = ["a b", "Ġ ab", "ab c"]


# --- A small writer


def text(value):
    return struct.pack("<Q", len(value.encode())) + value.encode()


def entry(value):
    """A value of the metadata: its kind, then itself."""
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + text(value)
    kind = 8 if isinstance(value[0], str) else 5
    items = b"".join(map(text, value)) if kind == 8 else struct.pack(f"<{len(value)}i", *value)
    return struct.pack("<IIQ", 9, kind, len(value)) + items


def gguf(metadata, tensors, version=3, alignment=32):
    """The bytes of a file. Tensors are (shape, type, bytes) by name."""
    start, body = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata)), b""
    start += b"".join(text(name) + entry(value) for name, value in metadata.items())
    for name, (shape, kind, values) in tensors.items():
        start += text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape[::-1])
        start += struct.pack("<IQ", kind, len(body))
        body += values + bytes(-len(values) % alignment)
    return start + bytes(-len(start) % alignment) + body


# --- Blocks of which every value is known


def plain(values):
    return values.shape, F32, values.astype("<f4").tobytes()


def pattern(shape, first):
    """Values that float32, float16 and bfloat16 hold exactly, unlike each other within a row and in most rows."""
    return ((numpy.arange(numpy.prod(shape)) * 7 + first) % 127 - 63).reshape(shape).astype(numpy.float32) / 64


def levels(shape, most):
    """Whole numbers from 0 to `most`."""
    return (numpy.arange(numpy.prod(shape)) * 5 % (most + 1)).reshape(shape).astype(numpy.uint8)


def in_halves(levels32):
    """[blocks, 32] levels -> [blocks, 16] bytes: value i is in the low half of byte i, value 16 + i in its high half."""
    return levels32[:, :16] | levels32[:, 16:] << 4


def scale_of(blocks):
    return (1 + numpy.arange(blocks) % 3).astype("<f2").reshape(-1, 1) / 8


def q4_0(shape):
    """Values (level - 8) times scale."""
    level = levels((numpy.prod(shape) // 32, 32), 15)
    scale = scale_of(len(level))
    raw = numpy.concatenate([scale.astype("<f2").view(numpy.uint8), in_halves(level)], axis=1)
    return (shape, Q4_0, raw.tobytes()), ((level.astype(float) - 8) * scale).reshape(shape)


def q4_1(shape):
    """Values level times scale plus minimum."""
    level = levels((numpy.prod(shape) // 32, 32), 15)
    scale, least = scale_of(len(level)), -(1 + numpy.arange(len(level)) % 5).astype("<f2").reshape(-1, 1) / 4
    raw = numpy.concatenate([scale.astype("<f2").view(numpy.uint8), least.astype("<f2").view(numpy.uint8), in_halves(level)], axis=1)
    return (shape, Q4_1, raw.tobytes()), (level * scale.astype(float) + least).reshape(shape)


def q8_0(shape):
    """Values level times scale, levels from -127 to 127."""
    level = (levels((numpy.prod(shape) // 32, 32), 254).astype(int) - 127).astype(numpy.int8)
    scale = scale_of(len(level))
    raw = numpy.concatenate([scale.astype("<f2").view(numpy.uint8), level.view(numpy.uint8)], axis=1)
    return (shape, Q8_0, raw.tobytes()), (level * scale.astype(float)).reshape(shape)


def q6_k(shape):
    """Values (level - 32) times the block's scale times that of 16 values. Of 128 values, those 32 a .. 32 a + 31 have
    their lower four bits in half a // 2 of the bytes 32 (a % 2) and on, their upper two in bits 2 a of the byte."""
    blocks = numpy.prod(shape) // 256
    level = levels((blocks, 2, 4, 32), 63)
    low = (level[:, :, :2] & 15 | (level[:, :, 2:] & 15) << 4).reshape(blocks, 128)
    high = sum((level[:, :, a] >> 4) << 2 * a for a in range(4)).reshape(blocks, 64).astype(numpy.uint8)
    scale, fine = scale_of(blocks), (numpy.arange(16 * blocks).reshape(blocks, 16) % 11 - 5).astype(numpy.int8)
    raw = numpy.concatenate([low, high, fine.view(numpy.uint8), scale.astype("<f2").view(numpy.uint8)], axis=1)
    values = (level.reshape(blocks, 16, 16).astype(float) - 32) * fine[:, :, None] * scale[:, :, None].astype(float)
    return (shape, Q6_K, raw.tobytes()), values.reshape(shape)


def f16(shape):
    return (shape, F16, pattern(shape, 3).astype("<f2").tobytes()), pattern(shape, 3)


def bf16(shape):
    values = pattern(shape, 5)
    return (shape, BF16, (values.view(numpy.uint32) >> 16).astype("<u2").tobytes()), values


# --- Models


def neighbours(rows, heads):
    """What llama.cpp does to the rows of queries and keys: row i and row i + half of a head become neighbours."""
    width = len(rows) // heads
    order = [head * width + pair + part * width // 2 for head in range(heads) for pair in range(width // 2) for part in (0, 1)]
    return rows[order]


@pytest.fixture
def llama():
    """Metadata, tensors of the file, and what is expected in the folder."""
    metadata = {"general.architecture": "llama", "general.alignment": 32, "llama.block_count": BLOCKS, "llama.context_length": 128,
                "llama.embedding_length": HIDDEN, "llama.feed_forward_length": MLP, "llama.attention.head_count": HEADS,
                "llama.attention.head_count_kv": KEY_HEADS, "llama.rope.freq_base": 100000.0, "llama.rope.dimension_count": HEAD,
                "llama.attention.layer_norm_rms_epsilon": 1e-5, "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "smollm",
                "tokenizer.ggml.tokens": TOKENS, "tokenizer.ggml.token_type": KINDS, "tokenizer.ggml.merges": MERGES,
                "tokenizer.ggml.bos_token_id": 0, "tokenizer.ggml.eos_token_id": 1, "tokenizer.ggml.add_bos_token": False,
                "tokenizer.chat_template": "{{ messages }} é"}
    tensors, expected = {}, {}

    def add(theirs, ours, made):
        tensors[theirs], expected[ours] = made

    def add_plain(theirs, ours, shape, first, order=lambda rows: rows):
        values = pattern(shape, first)
        add(theirs, ours, (plain(order(values)), values))

    add("token_embd.weight", "model.embed_tokens.weight", q8_0((VOCABULARY, HIDDEN)))
    add_plain("output_norm.weight", "model.norm.weight", (HIDDEN,), 1)
    for block in range(BLOCKS):
        theirs, ours = f"blk.{block}.", f"model.layers.{block}."
        add_plain(theirs + "attn_norm.weight", ours + "input_layernorm.weight", (HIDDEN,), block)
        add_plain(theirs + "ffn_norm.weight", ours + "post_attention_layernorm.weight", (HIDDEN,), block + 2)
        add_plain(theirs + "attn_q.weight", ours + "self_attn.q_proj.weight", (HIDDEN, HIDDEN), block, lambda rows: neighbours(rows, HEADS))
        add_plain(theirs + "attn_k.weight", ours + "self_attn.k_proj.weight", (KEY_HEADS * HEAD, HIDDEN), block,
                  lambda rows: neighbours(rows, KEY_HEADS))
        add(theirs + "attn_v.weight", ours + "self_attn.v_proj.weight", (f16, bf16)[block]((KEY_HEADS * HEAD, HIDDEN)))
        add(theirs + "attn_output.weight", ours + "self_attn.o_proj.weight", q4_0((HIDDEN, HIDDEN)))
        add(theirs + "ffn_gate.weight", ours + "mlp.gate_proj.weight", q4_1((MLP, HIDDEN)))
        add(theirs + "ffn_up.weight", ours + "mlp.up_proj.weight", q8_0((MLP, HIDDEN)))
        add(theirs + "ffn_down.weight", ours + "mlp.down_proj.weight", q4_1((HIDDEN, MLP)))
    return metadata, tensors, expected


@pytest.fixture
def qwen2(llama):
    """With biases, and rows of queries and keys as they are."""
    metadata, tensors, expected = llama
    metadata = {name.replace("llama.", "qwen2."): value for name, value in metadata.items()}
    metadata |= {"general.architecture": "qwen2", "tokenizer.ggml.pre": "qwen2"}
    for block in range(BLOCKS):
        for letter, rows in (("q", HIDDEN), ("k", KEY_HEADS * HEAD), ("v", KEY_HEADS * HEAD)):
            bias, name = pattern((rows,), block), f"model.layers.{block}.self_attn.{letter}_proj."
            tensors[f"blk.{block}.attn_{letter}.bias"], expected[name + "bias"] = plain(bias), bias
            if letter != "v":
                tensors[f"blk.{block}.attn_{letter}.weight"] = plain(expected[name + "weight"])
    return metadata, tensors, expected


@pytest.fixture
def gpt2(llama):
    metadata, width = llama[0], HIDDEN
    metadata = {name.replace("llama.", "gpt2."): value for name, value in metadata.items() if "rope" not in name and "_kv" not in name}
    metadata |= {"general.architecture": "gpt2", "gpt2.attention.layer_norm_epsilon": 1e-5, "gpt2.block_count": 1,
                 "tokenizer.ggml.pre": "gpt-2"}
    shapes = {"token_embd": (VOCABULARY, width), "position_embd": (128, width), "blk.0.attn_qkv": (3 * width, width),
              "blk.0.attn_output": (width, width), "blk.0.ffn_up": (MLP, width), "blk.0.ffn_down": (width, MLP)}
    names = {"token_embd": "wte", "position_embd": "wpe", "output_norm": "ln_f", "blk.0.attn_norm": "h.0.ln_1",
             "blk.0.attn_qkv": "h.0.attn.c_attn", "blk.0.attn_output": "h.0.attn.c_proj", "blk.0.ffn_norm": "h.0.ln_2",
             "blk.0.ffn_up": "h.0.mlp.c_fc", "blk.0.ffn_down": "h.0.mlp.c_proj"}
    tensors, expected = {}, {}
    for number, (theirs, ours) in enumerate(names.items()):
        values = pattern(shapes.get(theirs, (width,)), number)
        tensors[theirs + ".weight"], expected[f"transformer.{ours}.weight"] = plain(values), values.T if ".c_" in ours else values
        if "embd" not in theirs:
            bias = pattern(values.shape[:1], number + 50)
            tensors[theirs + ".bias"], expected[f"transformer.{ours}.bias"] = plain(bias), bias
    return metadata, tensors, expected


@pytest.fixture
def run(capsys):
    """The tool within this process, which saves the start of another: its exit code and what it prints."""
    from analysis.gguf2safetensors import main

    def run(*arguments):
        code = 0
        try:
            main(list(map(str, arguments)))
        except SystemExit as end:
            code = end.code
        printed = capsys.readouterr()
        return types.SimpleNamespace(returncode=code, stdout=printed.out, stderr=printed.err)

    return run


@pytest.fixture
def convert(run, tmp_path):
    """Writes a file and converts it."""

    def convert(metadata, tensors, *arguments, **form):
        model = tmp_path / "model.gguf"
        model.write_bytes(gguf(metadata, tensors, **form))
        return run(model, tmp_path / "folder", *arguments)

    return convert


def read(folder):
    """The tensors of model.safetensors in float64 by name, and the types of their values."""
    content = (folder / "model.safetensors").read_bytes()
    size, = struct.unpack_from("<Q", content)
    header = json.loads(content[8:8 + size])
    assert header.pop("__metadata__") == {"format": "pt"} and size % 8 == 0
    tensors, end = {}, 0
    for name, tensor in header.items():
        assert tensor["data_offsets"][0] == end, "a gap"
        end = tensor["data_offsets"][1]
        raw = content[8 + size:][slice(*tensor["data_offsets"])]
        values = {"F32": lambda: numpy.frombuffer(raw, "<f4"), "F16": lambda: numpy.frombuffer(raw, "<f2"),
                  "BF16": lambda: (numpy.frombuffer(raw, "<u2").astype(numpy.uint32) << 16).view(numpy.float32)}[tensor["dtype"]]()
        tensors[name] = values.astype(float).reshape(tensor["shape"])
    assert 8 + size + end == len(content)
    return tensors, {tensor["dtype"] for tensor in header.values()}


def of(folder, name):
    return json.loads((folder / name).read_text())


def assert_equal(found, expected):
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name].shape == values.shape, name
        assert (found[name] == values).all(), name


# --- What is written


@pytest.mark.parametrize("version", [2, 3])
def test_every_weight_of_a_llama_is_where_hugging_face_has_it(llama, convert, tmp_path, version):
    metadata, tensors, expected = llama
    done = convert(metadata, tensors, version=version)
    assert done.returncode == 0, done.stderr
    found, kinds = read(tmp_path / "folder")
    assert kinds == {"F32"}
    assert_equal(found, expected)
    assert sorted(path.name for path in (tmp_path / "folder").iterdir()) == [
        "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]


def test_rotary_pairs_stand_apart_again():
    """Attention scores by GGUF's rows and adjacent pairs equal those by the folder's rows and pairs half a head apart."""
    from analysis.gguf2safetensors import halves_apart

    draw = numpy.random.RandomState(3)
    x, rows = draw.standard_normal((2, HIDDEN)), [draw.standard_normal((HIDDEN, HIDDEN)) for _ in range(2)]
    angles = numpy.arange(2)[:, None] * 100.0 ** -(numpy.arange(HEAD // 2) / (HEAD // 2))  # of two places

    def scores(weights, first, second):
        query, key = ((x[place] @ one.T).reshape(HEADS, HEAD) for place, one in enumerate(weights))
        turned = []
        for place, part in enumerate((query, key)):
            a, b, cos, sin = part[:, first], part[:, second], numpy.cos(angles[place]), numpy.sin(angles[place])
            turned.append(numpy.concatenate([a * cos - b * sin, b * cos + a * sin], axis=1))
        return (turned[0] * turned[1]).sum(axis=1)

    adjacent = scores(rows, slice(0, None, 2), slice(1, None, 2))
    apart = scores([halves_apart(one, HEADS) for one in rows], slice(0, HEAD // 2), slice(HEAD // 2, None))
    assert numpy.allclose(adjacent, apart, rtol=0, atol=1e-12)
    assert not numpy.allclose(adjacent, scores(rows, slice(0, HEAD // 2), slice(HEAD // 2, None)), atol=1e-3)


def test_users_call_it_by_its_module(llama, tmp_path):
    (tmp_path / "model.gguf").write_bytes(gguf(*llama[:2]))
    done = tool("gguf2safetensors", tmp_path / "model.gguf", tmp_path / "new" / "folder")
    assert (done.returncode, done.stderr) == (0, "")
    assert "folder: llama, 2 blocks" in done.stdout and "from BF16, F16, F32, Q4_0, Q4_1, Q8_0, 20 tokens (smollm)" in done.stdout
    assert (tmp_path / "new" / "folder" / "model.safetensors").exists()


def test_the_configuration_of_a_llama(llama, convert, tmp_path):
    assert convert(*llama[:2]).returncode == 0
    config = of(tmp_path / "folder", "config.json")
    assert config.items() >= {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": HIDDEN, "intermediate_size": MLP,
        "num_hidden_layers": BLOCKS, "num_attention_heads": HEADS, "num_key_value_heads": KEY_HEADS, "head_dim": HEAD,
        "rms_norm_eps": 1e-5, "rope_theta": 100000.0, "vocab_size": VOCABULARY, "max_position_embeddings": 128,
        "tie_word_embeddings": True, "bos_token_id": 0, "eos_token_id": 1, "hidden_act": "silu", "attention_bias": False,
        "torch_dtype": "float32"}.items()
    assert of(tmp_path / "folder", "generation_config.json") == {"bos_token_id": 0, "eos_token_id": 1}


def test_a_head_of_its_own_is_kept_and_a_copy_is_not(llama, convert, tmp_path):
    metadata, tensors, expected = llama
    tensors["output.weight"], head = q4_0((VOCABULARY, HIDDEN))
    assert convert(metadata, tensors).returncode == 0
    assert_equal(read(tmp_path / "folder")[0], {**expected, "lm_head.weight": head})
    assert of(tmp_path / "folder", "config.json")["tie_word_embeddings"] is False
    tensors["output.weight"] = tensors["token_embd.weight"]
    assert convert(metadata, tensors, "--overwrite").returncode == 0
    assert_equal(read(tmp_path / "folder")[0], expected)
    assert of(tmp_path / "folder", "config.json")["tie_word_embeddings"] is True


@pytest.mark.parametrize(("name", "type_name"), [("bf16", "BF16"), ("f16", "F16")])
def test_weights_in_two_bytes(llama, convert, tmp_path, name, type_name):
    """The patterns fit in both types; 1 + 3/512 lies between two bfloat16 and goes to the nearer."""
    metadata, tensors, expected = llama
    values = numpy.full(HIDDEN, 1 + 3 / 512)
    tensors["output_norm.weight"] = plain(values)
    assert convert(metadata, tensors, "--dtype", name).returncode == 0
    found, kinds = read(tmp_path / "folder")
    assert kinds == {type_name}
    assert (found["model.norm.weight"] == (1 + 1 / 128 if name == "bf16" else values)).all()
    for ours in ("model.layers.1.self_attn.k_proj.weight", "model.layers.0.mlp.gate_proj.weight"):
        assert (found[ours] == expected[ours]).all()
    assert of(tmp_path / "folder", "config.json")["torch_dtype"] == {"bf16": "bfloat16", "f16": "float16"}[name]


def test_blocks_of_256(llama, convert, tmp_path):
    metadata, tensors, expected = llama
    metadata["llama.feed_forward_length"] = 256
    for block in range(BLOCKS):
        theirs, ours = f"blk.{block}.", f"model.layers.{block}.mlp."
        for name, target in (("ffn_gate", "gate_proj"), ("ffn_up", "up_proj")):
            tensors[f"{theirs}{name}.weight"], expected[f"{ours}{target}.weight"] = q4_1((256, HIDDEN))
        tensors[theirs + "ffn_down.weight"], expected[ours + "down_proj.weight"] = q6_k((HIDDEN, 256))
    assert convert(metadata, tensors).returncode == 0
    assert_equal(read(tmp_path / "folder")[0], expected)


def test_qwen2_has_biases_and_its_rows_stay(qwen2, convert, tmp_path):
    metadata, tensors, expected = qwen2
    done = convert(metadata, tensors)
    assert done.returncode == 0, done.stderr
    assert_equal(read(tmp_path / "folder")[0], expected)
    config = of(tmp_path / "folder", "config.json")
    assert (config["model_type"], config["architectures"]) == ("qwen2", ["Qwen2ForCausalLM"])
    assert of(tmp_path / "folder", "tokenizer.json")["normalizer"] == {"type": "NFC"}


def test_gpt2_keeps_inputs_first(gpt2, convert, tmp_path):
    metadata, tensors, expected = gpt2
    done = convert(metadata, tensors)
    assert done.returncode == 0, done.stderr
    assert_equal(read(tmp_path / "folder")[0], expected)
    assert of(tmp_path / "folder", "config.json").items() >= {
        "architectures": ["GPT2LMHeadModel"], "n_embd": HIDDEN, "n_layer": 1, "n_head": HEADS, "n_inner": MLP, "n_positions": 128,
        "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5, "vocab_size": VOCABULARY}.items()


def test_the_tokenizer(llama, convert, tmp_path):
    assert convert(*llama[:2]).returncode == 0
    file = of(tmp_path / "folder", "tokenizer.json")
    assert file["model"]["type"] == "BPE" and file["model"]["merges"] == MERGES
    assert file["model"]["vocab"] == {token: i for i, token in enumerate(TOKENS) if KINDS[i] != 5}
    assert [(one["id"], one["content"], one["special"]) for one in file["added_tokens"]] == [
        (0, "<s>", True), (1, "</s>", True), (TOKENS.index("<tool>"), "<tool>", False)]
    assert file["post_processor"] is None and file["decoder"]["type"] == "ByteLevel"
    config = of(tmp_path / "folder", "tokenizer_config.json")
    assert config.items() >= {"bos_token": "<s>", "eos_token": "</s>", "chat_template": "{{ messages }} é", "add_bos_token": False,
                              "model_max_length": 128}.items()


@pytest.mark.parametrize(("pre", "parts", "digits"), [
    ("gpt-2", ["ByteLevel"], None), ("smollm", ["Digits", "ByteLevel"], None), ("llama-bpe", ["Split", "ByteLevel"], r"\p{N}{1,3}|"),
    ("qwen2", ["Split", "ByteLevel"], r"\p{N}|"), ("default", ["Split"] * 4 + ["ByteLevel"], None)])
def test_each_pre_tokenizer(llama, convert, tmp_path, pre, parts, digits):
    llama[0]["tokenizer.ggml.pre"] = pre
    assert convert(*llama[:2]).returncode == 0
    file = of(tmp_path / "folder", "tokenizer.json")
    found = file["pre_tokenizer"].get("pretokenizers", [file["pre_tokenizer"]])
    assert [part["type"] for part in found] == parts
    assert found[-1]["use_regex"] is (pre in ("gpt-2", "smollm")), "words are parted twice, or not at all"
    assert digits is None or digits in found[0]["pattern"]["Regex"]
    assert file["model"]["ignore_merges"] is (pre == "llama-bpe")


def test_a_text_begins_with_bos_where_the_file_says_so(llama, convert, tmp_path):
    llama[0]["tokenizer.ggml.add_bos_token"] = True
    assert convert(*llama[:2]).returncode == 0
    template = of(tmp_path / "folder", "tokenizer.json")["post_processor"]
    assert template["single"] == [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    assert template["special_tokens"] == {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}}


# --- What is refused


def change(key, value):
    return lambda metadata, tensors: metadata.update({key: value})


def drop(name):
    return lambda metadata, tensors: tensors.pop(name)


@pytest.mark.parametrize(("damage", "words"), [
    (change("general.architecture", "mamba"), ["'mamba'", "gpt2, llama, qwen2"]),
    (change("tokenizer.ggml.model", "llama"), ["tokenizer.ggml.model", "'llama'", "gpt2"]),
    (change("tokenizer.ggml.pre", "tekken"), ["'tekken'", "smollm", "default"]),
    (change("tokenizer.ggml.merges", ["a z"]), ["'a z'"]),
    (change("tokenizer.ggml.eos_token_id", 99), ["eos_token_id", "99", "20 tokens"]),
    (change("llama.block_count", 3), ["no tensor blk.2.attn_norm.weight"]),
    (change("llama.feed_forward_length", 64), ["ffn_gate", "[96, 64]", "[64, 64]"]),
    (change("llama.rope.scaling.type", "yarn"), ["scaled rotary"]),
    (change("llama.expert_count", 8), ["8 experts"]),
    (change("llama.attention.head_count", 0), ["head_count is 0"]),
    (change("split.count", 2), ["one of 2 parts"]),
    (drop("output_norm.weight"), ["no tensor output_norm.weight"]),
    (lambda metadata, tensors: tensors.update(extra=plain(pattern((4,), 0))), ["extra"]),
    (lambda metadata, tensors: tensors.update({"output.weight": ((VOCABULARY, HIDDEN), Q3_K, b"")}), ["output.weight", "Q3_K", "Q6_K"]),
    (lambda metadata, tensors: tensors.update({"output.weight": ((VOCABULARY, HIDDEN), 99, b"")}), ["output.weight", "number 99"]),
    (lambda metadata, tensors: tensors.update({"output.weight": ((VOCABULARY, 60), Q4_1, b"")}), ["output.weight", "60", "blocks of 32"]),
])
def test_what_cannot_be_converted_is_named(llama, convert, tmp_path, damage, words):
    metadata, tensors, _ = llama
    damage(metadata, tensors)
    assert_refused(convert(metadata, tensors), "model.gguf", *words)
    assert not (tmp_path / "folder").exists()


def test_what_is_no_gguf_file(run, tmp_path):
    file = tmp_path / "model.gguf"
    file.write_bytes(b"PK\3\4" * 20)
    assert_refused(run(file, tmp_path / "folder"), "is not a GGUF file")
    file.write_bytes(b"")
    assert_refused(run(file, tmp_path / "folder"), "is not a GGUF file")
    assert_refused(run(tmp_path / "none", tmp_path / "folder"), "none", "cannot be read")
    file.write_bytes(struct.pack(">4sIQQ", b"GGUF", 3, 0, 0))
    assert_refused(run(file, tmp_path / "folder"), "version", "little-endian")


def test_a_truncated_file_wherever_it_ends(llama, tmp_path):
    from analysis.gguf import Gguf, UnreadableModel

    whole, file = gguf(*llama[:2]), tmp_path / "model.gguf"
    for size in [*range(4, 1500, 7), *range(1500, len(whole) - 32, 997)]:
        file.write_bytes(whole[:size])
        with pytest.raises(UnreadableModel, match=re.compile("is truncated: it has")):
            Gguf(file)
    assert_refused(tool("gguf2safetensors", file, tmp_path / "folder"), "is truncated")


def test_a_folder_that_cannot_be_written(llama, convert, tmp_path):
    (tmp_path / "folder").write_text("a file")
    assert_refused(convert(*llama[:2]), "folder", "cannot be written")


def test_a_folder_of_an_earlier_conversion_is_kept(llama, convert, tmp_path):
    assert convert(*llama[:2]).returncode == 0
    assert_refused(convert(*llama[:2]), "folder", "tokenizer.json", "--overwrite")
    assert convert(*llama[:2], "--overwrite").returncode == 0


def test_what_float16_cannot_hold_is_refused_and_leaves_nothing(llama, convert, tmp_path):
    llama[1]["output_norm.weight"] = plain(numpy.full(HIDDEN, 1e5))
    assert_refused(convert(*llama[:2], "--dtype", "f16"), "model.norm.weight", "float16")
    assert not list((tmp_path / "folder").iterdir())
