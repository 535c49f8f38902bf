"""Makes the files that the command-line tests feed to gaisnet: configurations, weights and images, good and bad.

Python's standard library only. Every function takes the folder of the test case and writes into it.
"""

import json
import random
import struct
from array import array

from support.images import png

IMAGE, PATCH, DIM, DEPTH, HEADS = 32, 8, 32, 2, 2

BASE_CONFIG = f"""\
seed = 1
output = out.h5

[network]
edges = 1
clusters = 1
clients = 2

[model]
preset = custom
image = {IMAGE}
patch = {PATCH}
dim = {DIM}
depth = {DEPTH}
heads = {HEADS}
weights = random
cache = cache

[tuning]
prompts = 2

[train]
rounds = 1
batch = 8

[data]
source = procedural
samples = 60
"""


def base_config(folder):
    """base.cfg: a run of a second or two that every case spoils in one place."""
    (folder / "base.cfg").write_text(BASE_CONFIG)


def backbone_shapes():
    """Names (timm's) and shapes of the tensors of the base configuration's Vision Transformer."""
    shapes = {
        "cls_token": [1, 1, DIM],
        "pos_embed": [1, 1 + (IMAGE // PATCH) ** 2, DIM],
        "patch_embed.proj.weight": [DIM, 3, PATCH, PATCH],
        "patch_embed.proj.bias": [DIM],
        "norm.weight": [DIM],
        "norm.bias": [DIM],
    }
    for block in range(DEPTH):
        prefix = f"blocks.{block}."
        for norm in ("norm1", "norm2"):
            shapes[f"{prefix}{norm}.weight"] = [DIM]
            shapes[f"{prefix}{norm}.bias"] = [DIM]
        for layer, outputs, inputs in (
            ("attn.qkv", 3 * DIM, DIM),
            ("attn.proj", DIM, DIM),
            ("mlp.fc1", 4 * DIM, DIM),
            ("mlp.fc2", DIM, 4 * DIM),
        ):
            shapes[f"{prefix}{layer}.weight"] = [outputs, inputs]
            shapes[f"{prefix}{layer}.bias"] = [outputs]
    return shapes


def safetensors_bytes(shapes, edit_header=None):
    """A safetensors file of random fp32 values: length of the header (8 bytes, little endian), JSON header, data."""
    numbers = random.Random(7)
    header, data = {}, bytearray()
    for name, shape in shapes.items():
        count = 1
        for extent in shape:
            count *= extent
        begin = len(data)
        data += array("f", (numbers.gauss(0.0, 0.02) for _ in range(count))).tobytes()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, len(data)]}
    if edit_header:
        edit_header(header)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + bytes(data)


def good_weights(folder):
    (folder / "w.safetensors").write_bytes(safetensors_bytes(backbone_shapes()))


def truncated_weights(folder):
    whole = safetensors_bytes(backbone_shapes())
    (folder / "w.safetensors").write_bytes(whole[: len(whole) // 2])


def text_as_weights(folder):
    (folder / "w.safetensors").write_text("These are not the weights you are looking for.\n" * 20)


def empty_weights(folder):
    (folder / "w.safetensors").write_bytes(b"")


def endless_header_weights(folder):
    (folder / "w.safetensors").write_bytes(struct.pack("<Q", 1 << 60) + b"{}" * 100)


def wrong_shape_weights(folder):
    shapes = backbone_shapes()
    shapes["blocks.0.attn.qkv.weight"] = [3 * DIM, DIM + 8]
    (folder / "w.safetensors").write_bytes(safetensors_bytes(shapes))


def missing_tensor_weights(folder):
    shapes = backbone_shapes()
    del shapes["blocks.1.mlp.fc2.bias"]
    (folder / "w.safetensors").write_bytes(safetensors_bytes(shapes))


def unknown_tensor_weights(folder):
    shapes = backbone_shapes()
    shapes["blocks.0.attn.gate.weight"] = [DIM]
    (folder / "w.safetensors").write_bytes(safetensors_bytes(shapes))


def overlapping_weights(folder):
    def overlap(header):
        header["norm.bias"]["data_offsets"] = header["norm.weight"]["data_offsets"]

    (folder / "w.safetensors").write_bytes(safetensors_bytes(backbone_shapes(), overlap))


def outside_weights(folder):
    def move_out(header):
        begin = 1 << 40
        header["norm.bias"]["data_offsets"] = [begin, begin + 4 * DIM]

    (folder / "w.safetensors").write_bytes(safetensors_bytes(backbone_shapes(), move_out))


def wrong_type_weights(folder):
    def retype(header):
        header["norm.bias"]["dtype"] = "I32"

    (folder / "w.safetensors").write_bytes(safetensors_bytes(backbone_shapes(), retype))


def png_bytes(colour, size=40):
    """A square RGB image with a little texture."""
    return png(bytes((channel + 3 * x + 5 * y) % 256 for y in range(size) for x in range(size) for channel in colour), size)


def good_photos(folder):
    """photos/: two classes of 15 images."""
    for index, name in enumerate(("daisy", "tulip")):
        directory = folder / "photos" / name
        directory.mkdir(parents=True)
        for number in range(15):
            (directory / f"{name}{number:02}.png").write_bytes(png_bytes((100 * index, 7 * number, 90)))


def one_damaged_photo(folder):
    good_photos(folder)
    whole = png_bytes((1, 2, 3))
    (folder / "photos" / "tulip" / "cut_short.png").write_bytes(whole[: len(whole) // 2])


def only_damaged_photos(folder):
    good_photos(folder)
    for path in (folder / "photos").glob("*/*.png"):
        path.write_bytes(path.read_bytes()[:60])


def photos_without_classes(folder):
    (folder / "photos").mkdir()
    (folder / "photos" / "daisy00.png").write_bytes(png_bytes((1, 2, 3)))


def class_without_photos(folder):
    good_photos(folder)
    for path in (folder / "photos" / "tulip").iterdir():
        path.unlink()
