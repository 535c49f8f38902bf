#!/usr/bin/env python3
"""Makes the first inputs of the fuzz targets in the folder `corpus` beside it. Needs Pillow and numpy; the results are in
the repository. Inputs that users brought and that once failed are among them: junk bytes between the segments of a JPEG
file, colour chunks of a PNG, byte order marks, quoted cells, names behind prefixes, counters among weights."""

import io
import json
import pathlib
import struct
import zlib

import numpy
from PIL import Image

HERE = pathlib.Path(__file__).resolve().parent / "corpus"


def put(target, name, content):
    path = HERE / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def picture(mode="RGB", side=9):
    y, x = numpy.mgrid[0:side, 0:side]
    rgb = numpy.stack([20 * x, 20 * y, 10 * (x + y)], axis=2).astype(numpy.uint8)
    return Image.fromarray(rgb).convert(mode)


def encoded(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def images():
    plain = encoded(picture(), "JPEG", quality=70)
    put("image", "plain.jpg", plain)
    put("image", "progressive.jpg", encoded(picture(), "JPEG", progressive=True))
    put("image", "grey.jpg", encoded(picture("L"), "JPEG"))
    put("image", "cmyk.jpg", encoded(picture("CMYK"), "JPEG"))
    put("image", "junk.jpg", plain[:-2] + bytes(12) + plain[-2:])
    second = plain.index(b"\xff\xdb")
    put("image", "junk_between.jpg", plain[:second] + b"junk" + plain[second:])
    put("image", "cut.jpg", plain[:len(plain) // 2])
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        put("image", f"{mode}.png", encoded(picture(mode if mode not in ("LA", "P") else "L").convert(mode), "PNG"))
    rgb = encoded(picture(), "PNG")

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    put("image", "gamma.png", rgb[:33] + chunk(b"gAMA", struct.pack(">I", 100000)) + rgb[33:])
    put("image", "transparent.png", rgb[:33] + chunk(b"tRNS", bytes(6)) + rgb[33:])


def safetensors(tensors, metadata=None):
    header, data = ({"__metadata__": metadata} if metadata else {}), b""
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def weights():
    dim, shapes = 4, {"cls_token": [1, 1, 4], "pos_embed": [1, 5, 4], "patch_embed.proj.weight": [4, 3, 8, 8],
                      "patch_embed.proj.bias": [4], "norm.weight": [4], "norm.bias": [4]}
    block = {"norm1.weight": [4], "norm1.bias": [4], "attn.qkv.weight": [12, 4], "attn.qkv.bias": [12],
             "attn.proj.weight": [4, 4], "attn.proj.bias": [4], "norm2.weight": [4], "norm2.bias": [4],
             "mlp.fc1.weight": [16, 4], "mlp.fc1.bias": [16], "mlp.fc2.weight": [4, 16], "mlp.fc2.bias": [4]}
    shapes |= {f"blocks.0.{name}": shape for name, shape in block.items()}

    def named(prefix, dtype, size):
        return {prefix + name: (dtype, shape, bytes(size * int(numpy.prod(shape)))) for name, shape in shapes.items()}
    put("safetensors", "timm", safetensors(named("", "F32", 4), {"heads": "1"}))
    put("safetensors", "wrapped", safetensors(named("module.", "F16", 2)))
    put("safetensors", "counter", safetensors(named("", "BF16", 2) | {"num_batches": ("I64", [], bytes(8))}))
    put("safetensors", "layer_scale", safetensors(named("", "F16", 2) | {"blocks.0.ls1.gamma": ("F16", [dim], bytes(8))}))
    put("safetensors", "register", safetensors(named("", "F16", 2) | {"reg_token": ("F16", [1, 4, dim], bytes(32))}))
    put("safetensors", "index", json.dumps({"weight_map": {"a": "model.safetensors"}}))
    put("safetensors", "npz", b"PK\x03\x04\x14\0\0\0\0\0cls_token.npy")
    put("safetensors", "lfs", "version https://git-lfs.github.com/spec/v1\n")


def texts():
    put("config", "marked.cfg", "\ufefftrain.lr = 0.02\n[network]\nclusters = 2\nclients = 1,2\n")
    put("config", "units.cfg", "link.d2d.rate = uniform(1, 80) Mbit/s\nlink.cs_up.latency = 2 ms\n"
        "link.d2d.tx_power = normal(23, 6) dBm\nlink.d2d.share = maxmin\nlink.d2d.capacity = 1 Gbit/s\nhalf_duplex = d2d\n")
    put("config", "radio.cfg", "mobility.model = waypoint\nmobility.area = 500 m\nlink.d2d.path_loss = umi_los\n"
        "link.d2d.frequency = 2 GHz\nlink.d2d.bandwidth = 10 MHz\nlink.d2d.share = reuse\n")
    put("config", "serve.cfg", "serve.mode = table\nserve.profit = 5,6,7; 4,5,7\nserve.cost = 3,3; 3,3\n"
        "serve.policy = all\nserve.demand = 1; 0\n")
    put("network_file", "json", json.dumps({
        "clusters": [{"edge": "edge0", "clients": ["a", "b"]}],
        "nodes": [{"name": "a", "position": ["10 m", "0 m"], "rate": "1 TFLOP/s", "memory": "2 GB"}],
        "links": [{"from": "a", "to": "b", "rate": "50 Mbit/s", "latency": "2 ms", "bandwidth": "5 MHz", "loss": "0.01"}]}))
    put("network_file", "csv", "\ufeffcluster, edge0, a, \"b, c\"\nnode, a, rate = 1 TFLOP/s, x = 10 m, y = 0 m\n"
        "link, a, \"b, c\", rate = 50 Mbit/s # a comment\n")
    put("traces", "rates", "\0time, rate\n0, 50 Mbit/s\n1 s, 10e6\n\"2\", 0\n")
    put("traces", "mahimahi", "\0" + "\n".join(str(12 * i) for i in range(1, 20)))
    put("traces", "paths", "\1node, time, x, y\nc0.0, 0, 0 m, 0 m\nc0.0, 10 s, 5 m, 1\n")
    put("traces", "requests", "\2\ufeffclient, time\nc0.0, 0.5\nc0.0, 1 s\n")
    put("traces", "times", "\2" + "0.1\n0.2\n")
    put("checkpoint", "meta", "\0" + json.dumps({
        "identity": "x", "created": "y", "step": 1, "speeds": "", "rounds": [[[0.5, None, 0.5, 0.25, 1.0]]],
        "sessions": [[[0, [[1, 0.5]]]]], "probes": [[1, "a", "b", True, "c", 0.5, 3]],
        "transports": [[1, "mpi", 3, 4]], "fidelity": [[1, 2, 3, "forward", 0, 0, 0, 0, 0, 0]],
        "optimizer_steps": {"c0.0": 3}, "edges": 1}))
    put("checkpoint", "tensors", b"\1" + safetensors({"edge.0": ("F32", [2], bytes(8)), "c0.0/m": ("F32", [2], bytes(8))}))
    put("checkpoint", "marker", "\2gaisnet checkpoint 4\ncheckpoint.json 0123456789abcdef\n")
    put("checkpoint", "run", "\3" + json.dumps({"identity": "x", "ended": True}))


def tokenizers():
    pairs = {"type": "BPE", "vocab": {"a": 0, "b": 1, "\u0120": 2, "ab": 3, "?": 4, "<0xC3>": 5}, "merges": ["a b"]}
    pieces = {"type": "WordPiece", "unk_token": "[UNK]", "vocab": {"[UNK]": 0, "a": 1, "##b": 2, "[CLS]": 3}}

    def case(name, text="ab a\u00e9 1\n", **parts):
        put("tokenizer", name, json.dumps(parts).encode() + b"\0" + text.encode())
    case("bytes", model=pairs, pre_tokenizer={"type": "ByteLevel"}, decoder={"type": "ByteLevel"},
         added_tokens=[{"id": 6, "content": "<x>", "lstrip": True, "rstrip": True, "special": True},
                       {"id": 7, "content": "a b", "single_word": True}])
    case("fallback", model=pairs | {"unk_token": "?", "byte_fallback": True, "fuse_unk": True, "merges": [["a", "b"]]},
         normalizer={"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "_"}, {"type": "NFC"}, {
             "type": "Replace", "pattern": {"String": " "}, "content": "_"}]},
         decoder={"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"Regex": "_"}, "content": " "}, {
             "type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]})
    case("splits", model=pairs | {"ignore_merges": True}, pre_tokenizer={"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": "\\w+|[^\\s\\p{L}]+(?!\\S)"}, "behavior": "MergedWithNext", "invert": True},
        {"type": "Digits", "individual_digits": True}, {"type": "Punctuation", "behavior": "Contiguous"},
        {"type": "ByteLevel", "use_regex": False}]})
    case("bert", model=pieces, normalizer={"type": "BertNormalizer"}, pre_tokenizer={"type": "BertPreTokenizer"},
         decoder={"type": "WordPiece"}, padding={"pad_token": "a"}, post_processor={
             "type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "c"}}, {"Sequence": {"id": "A"}}],
             "special_tokens": {"c": {"ids": [3]}}})


if __name__ == "__main__":
    images()
    weights()
    texts()
    tokenizers()
