"""Tuned modules of GaisNet in PyTorch: a Vision Transformer with everything that `gaisnet finetune` can tune.

    from analysis.vit import load, logits
    backbone, _ = load("vit.safetensors")          # timm's or gaisnet pretrain's file
    modules, about = load("gaisnet.safetensors")   # what a run has tuned; `about` is its metadata
    scores = logits(images, backbone, modules, heads=3, alpha=float(about.get("alpha", 0)))

Images are [n, 3, image, image], normalised as the run did it. Needs PyTorch and numpy only; it finds out by the names of
the modules how they were tuned. Written from the definitions of the methods (analysis/guide/model_and_data.md), without timm.
"""

import json
import struct

import numpy
import torch
from torch.nn.functional import gelu, layer_norm, linear

EPSILON = 1e-6
TYPES = {"F32": numpy.float32, "F16": numpy.float16, "F64": numpy.float64, "I64": numpy.int64}


def load(path):
    """The tensors of a safetensors file by name, and its metadata."""
    with open(path, "rb") as file:
        size, = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        body = file.read()
    about = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        first, end = entry["data_offsets"]
        values = numpy.frombuffer(body[first:end], dtype=TYPES[entry["dtype"]]).reshape(entry["shape"])
        tensors[name] = torch.from_numpy(values.copy())
    return {name: one.float() if one.is_floating_point() else one for name, one in tensors.items()}, about


def attention(x, weights, prefix, heads, alpha):
    n, tokens, dim = x.shape
    parts = list(linear(x, weights[prefix + "qkv.weight"], weights[prefix + "qkv.bias"]).split(dim, dim=-1))
    for i, name in enumerate(("query", "key", "value")):
        parts[i] = parts[i] + low_rank(x, weights, prefix + name, alpha)
    query, key, value = (part.reshape(n, tokens, heads, dim // heads).transpose(1, 2) for part in parts)
    if prefix + "prefix_keys" in weights:
        before = [weights[prefix + "prefix_" + what].reshape(-1, heads, dim // heads).transpose(0, 1).expand(n, -1, -1, -1)
                  for what in ("keys", "values")]
        key, value = torch.cat([before[0], key], dim=2), torch.cat([before[1], value], dim=2)
    scores = torch.softmax(query @ key.transpose(-2, -1) / (dim // heads) ** 0.5, dim=-1)
    return changed_linear((scores @ value).transpose(1, 2).reshape(n, tokens, dim), weights, prefix + "proj", alpha)


def low_rank(x, weights, name, alpha):
    """What LoRA adds to the output of a linear layer."""
    if name + ".lora_a" not in weights:
        return 0.0
    a, b = weights[name + ".lora_a"], weights[name + ".lora_b"]
    return linear(linear(x, a), b) * (alpha / a.shape[0])


def changed_linear(x, weights, name, alpha):
    return linear(x, weights[name + ".weight"], weights[name + ".bias"]) + low_rank(x, weights, name, alpha)


def adapted(y, weights, name):
    """The output of attention or MLP behind its adapter."""
    if name + "down.weight" not in weights:
        return y
    hidden = gelu(linear(y, weights[name + "down.weight"], weights[name + "down.bias"]))
    return y + linear(hidden, weights[name + "up.weight"], weights[name + "up.bias"])


def norm(x, weights, name):
    return layer_norm(x, x.shape[-1:], weights[name + ".weight"], weights[name + ".bias"], EPSILON)


def block(x, weights, index, heads, alpha):
    own = f"blocks.{index}."
    y = attention(norm(x, weights, own + "norm1"), weights, own + "attn.", heads, alpha)
    x = x + adapted(y, weights, own + "attn.adapter.")
    hidden = gelu(changed_linear(norm(x, weights, own + "norm2"), weights, own + "mlp.fc1", alpha))
    y = changed_linear(hidden, weights, own + "mlp.fc2", alpha)
    return x + adapted(y, weights, own + "mlp.adapter.")


def embed(images, weights):
    kernel = weights["patch_embed.proj.weight"]
    patches = torch.nn.functional.conv2d(images, kernel, weights["patch_embed.proj.bias"], stride=kernel.shape[-1])
    tokens = patches.flatten(2).transpose(1, 2)
    return torch.cat([weights["cls_token"].expand(len(images), -1, -1), tokens], dim=1) + weights["pos_embed"]


def features(images, backbone, modules, heads, alpha=0.0):
    """CLS after the final norm, [n, dim]."""
    weights = {**backbone, **modules}  # tuned weights go before those of the backbone
    depth = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("blocks."))
    deep = f"blocks.{depth - 1}.prompts" in weights and depth > 1
    x = embed(images, weights)
    for index in range(depth):
        prompts = weights.get(f"blocks.{index}.prompts")
        if prompts is not None:
            x = torch.cat([x[:, :1], prompts.expand(len(images), -1, -1), x[:, 1:]], dim=1)
        x = block(x, weights, index, heads, alpha)
        if prompts is not None and deep:  # shallow prompts go on to the next block
            x = torch.cat([x[:, :1], x[:, 1 + len(prompts):]], dim=1)
    return norm(x[:, 0], weights, "norm")


def logits(images, backbone, modules, heads, alpha=0.0):
    """Scores [n, classes]."""
    return linear(features(images, backbone, modules, heads, alpha), modules["head.weight"], modules["head.bias"])
