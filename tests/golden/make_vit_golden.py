#!/usr/bin/env python3
"""Makes the golden files of the Vision Transformer tests.

    /usr/bin/python3 tests/golden/make_vit_golden.py [folder]

writes, into the folder of this script or the one given,

tiny_vit.safetensors         the backbone of a random ViT (image 16, patch 4, dim 24, depth 3, heads 3, MLP ratio 4)
                             under timm's names, float32;
tiny_vit_golden.safetensors  what that backbone computes:
    golden.images        [4, 3, 16, 16]   the batch
    golden.labels        [4] int64
    golden.features      [4, 24]          CLS token after the final LayerNorm, without prompts
    golden.prompts       [3, 5, 24]       deep prompts, 5 for each block
    golden.head.weight   [7, 24]          classification head
    golden.head.bias     [7]
    golden.logits        [4, 7]           head of the CLS token, with the deep prompts
    golden.loss          []               mean cross-entropy of the logits
    golden.grad.*                         gradients of that loss by prompts, head.weight and head.bias
    golden.sgd.*                          the three after 3 steps of SGD (lr 0.1, momentum 0.9, weight decay 1e-4)
    golden.adamw.*                        the three after 3 steps of AdamW (lr 1e-3, betas 0.9 and 0.999, eps 1e-8,
                                          weight decay 0.01)
                             All steps use the same batch and the gradients of the parameters they start from.

The functions below are written from the definition of the model (Dosovitskiy et al., ICLR 2021; prompts: Jia et al.,
ECCV 2022, "VPT-deep"), with PyTorch's elementary operations and autograd, without timm and without anything of this
project; the safetensors files are written by hand. All inputs are rounded to float32 first, everything is computed in
float64 and stored as float32, so the golden values are exact to float32 rounding. Random numbers come from numpy's
RandomState, whose streams are frozen; the weights are larger than those of a trained network, so that attention is far
from uniform and a mistake in it shows.
"""

import json
import math
import os
import struct
import sys

import numpy
import torch

IMAGE, PATCH, DIM, DEPTH, HEADS, RATIO = 16, 4, 24, 3, 3, 4
TOKENS = 1 + (IMAGE // PATCH) ** 2
BATCH, PROMPTS, CLASSES = 4, 5, 7
EPSILON = 1e-6


def random_backbone(random):
    """Weights by timm's names, float32."""

    def normal(shape, deviation, mean=0.0):
        return (mean + deviation * random.standard_normal(shape)).astype(numpy.float32)

    def linear(outputs, inputs):
        return normal((outputs, inputs), 1.2 / math.sqrt(inputs)), normal((outputs,), 0.1)

    weights = {
        "cls_token": normal((1, 1, DIM), 0.5),
        "pos_embed": normal((1, TOKENS, DIM), 0.5),
        "patch_embed.proj.weight": normal((DIM, 3, PATCH, PATCH), 1.0 / math.sqrt(3 * PATCH * PATCH)),
        "patch_embed.proj.bias": normal((DIM,), 0.1),
    }
    for block in range(DEPTH):
        layers = {"attn.qkv": (3 * DIM, DIM), "attn.proj": (DIM, DIM),
                  "mlp.fc1": (RATIO * DIM, DIM), "mlp.fc2": (DIM, RATIO * DIM)}
        for norm in ("norm1", "norm2"):
            weights[f"blocks.{block}.{norm}.weight"] = normal((DIM,), 0.2, 1.0)
            weights[f"blocks.{block}.{norm}.bias"] = normal((DIM,), 0.1)
        for name, (outputs, inputs) in layers.items():
            weight, bias = linear(outputs, inputs)
            weights[f"blocks.{block}.{name}.weight"] = weight
            weights[f"blocks.{block}.{name}.bias"] = bias
    weights["norm.weight"] = normal((DIM,), 0.2, 1.0)
    weights["norm.bias"] = normal((DIM,), 0.1)
    return weights


def layer_norm(x, weight, bias):
    mean = x.mean(dim=-1, keepdim=True)
    variance = ((x - mean) ** 2).mean(dim=-1, keepdim=True)
    return (x - mean) / torch.sqrt(variance + EPSILON) * weight + bias


def gelu(x):
    return 0.5 * x * (1.0 + torch.erf(x / math.sqrt(2.0)))


def attention(x, weights, prefix):
    """Multi-head self-attention; the rows of qkv.weight are ordered (q | k | v), (head), (channel of the head)."""
    batch, tokens, dim = x.shape
    width = dim // HEADS
    qkv = x @ weights[prefix + "qkv.weight"].T + weights[prefix + "qkv.bias"]
    qkv = qkv.reshape(batch, tokens, 3, HEADS, width)
    query, key, value = (qkv[:, :, part].transpose(1, 2) for part in range(3))  # [batch, heads, tokens, width]
    scores = torch.softmax(query @ key.transpose(-2, -1) * width**-0.5, dim=-1)
    joined = (scores @ value).transpose(1, 2).reshape(batch, tokens, dim)
    return joined @ weights[prefix + "proj.weight"].T + weights[prefix + "proj.bias"]


def mlp(x, weights, prefix):
    hidden = gelu(x @ weights[prefix + "fc1.weight"].T + weights[prefix + "fc1.bias"])
    return hidden @ weights[prefix + "fc2.weight"].T + weights[prefix + "fc2.bias"]


def block(x, weights, index):
    prefix = f"blocks.{index}."
    x = x + attention(layer_norm(x, weights[prefix + "norm1.weight"], weights[prefix + "norm1.bias"]), weights,
                      prefix + "attn.")
    return x + mlp(layer_norm(x, weights[prefix + "norm2.weight"], weights[prefix + "norm2.bias"]), weights,
                   prefix + "mlp.")


def embed(images, weights):
    """[batch, 3, IMAGE, IMAGE] -> [batch, TOKENS, DIM]: CLS first, patches row by row."""
    batch, side = images.shape[0], IMAGE // PATCH
    patches = images.reshape(batch, 3, side, PATCH, side, PATCH).permute(0, 2, 4, 1, 3, 5)
    patches = patches.reshape(batch, side * side, 3 * PATCH * PATCH)
    kernel = weights["patch_embed.proj.weight"].reshape(DIM, 3 * PATCH * PATCH)
    tokens = patches @ kernel.T + weights["patch_embed.proj.bias"]
    cls = weights["cls_token"].expand(batch, 1, DIM)
    return torch.cat([cls, tokens], dim=1) + weights["pos_embed"]


def features(images, weights, prompts=None):
    """CLS after the final LayerNorm. Prompts [DEPTH, p, DIM] stand after CLS and before the patches; each block gets
    its own, what it makes of them is dropped."""
    x = embed(images, weights)
    for index in range(DEPTH):
        if prompts is None:
            x = block(x, weights, index)
            continue
        count = prompts.shape[1]
        own = prompts[index].expand(images.shape[0], count, DIM)
        x = block(torch.cat([x[:, :1], own, x[:, 1:]], dim=1), weights, index)
        x = torch.cat([x[:, :1], x[:, 1 + count:]], dim=1)
    return layer_norm(x[:, 0], weights["norm.weight"], weights["norm.bias"])


def logits_of(images, weights, tuned):
    return features(images, weights, tuned["prompts"]) @ tuned["head.weight"].T + tuned["head.bias"]


def cross_entropy(logits, labels):
    return (torch.logsumexp(logits, dim=1) - logits[torch.arange(len(labels)), labels]).mean()


def parameters(tuned, dtype):
    return {name: torch.tensor(value, dtype=dtype, requires_grad=True) for name, value in tuned.items()}


def compute(backbone, images, labels, tuned, dtype=torch.float64):
    """All golden results as numpy arrays of `dtype`."""
    weights = {name: torch.tensor(value, dtype=dtype) for name, value in backbone.items()}
    batch = torch.tensor(images, dtype=dtype)
    target = torch.tensor(labels)
    result = {"features": features(batch, weights)}

    leaves = parameters(tuned, dtype)
    result["logits"] = logits_of(batch, weights, leaves)
    result["loss"] = cross_entropy(result["logits"], target)
    result["loss"].backward()
    for name, leaf in leaves.items():
        result["grad." + name] = leaf.grad

    optimizers = {
        "sgd": lambda leaves: torch.optim.SGD(leaves, lr=0.1, momentum=0.9, weight_decay=1e-4),
        "adamw": lambda leaves: torch.optim.AdamW(leaves, lr=1e-3, weight_decay=0.01),
    }
    for kind, make in optimizers.items():
        leaves = parameters(tuned, dtype)
        optimizer = make(list(leaves.values()))
        for _ in range(3):
            optimizer.zero_grad()
            cross_entropy(logits_of(batch, weights, leaves), target).backward()
            optimizer.step()
        for name, leaf in leaves.items():
            result[f"{kind}.{name}"] = leaf
    return {name: value.detach().numpy() for name, value in result.items()}


def write_safetensors(path, tensors, metadata):
    """int64 before float32, so that all are aligned; header padded to 8 bytes."""
    names = sorted(tensors, key=lambda name: tensors[name].dtype != numpy.int64)
    header, blobs, offset = {"__metadata__": metadata}, [], 0
    for name in names:
        value = numpy.asarray(tensors[name], order="C")
        blob = value.tobytes()
        header[name] = {"dtype": {"float32": "F32", "int64": "I64"}[value.dtype.name],
                        "shape": list(value.shape), "data_offsets": [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    torch.set_num_threads(1)
    random = numpy.random.RandomState(20240102)
    backbone = random_backbone(random)
    images = random.standard_normal((BATCH, 3, IMAGE, IMAGE)).astype(numpy.float32)
    labels = numpy.array([2, 5, 0, 6], dtype=numpy.int64)
    tuned = {
        "prompts": (0.5 * random.standard_normal((DEPTH, PROMPTS, DIM))).astype(numpy.float32),
        "head.weight": (0.2 * random.standard_normal((CLASSES, DIM))).astype(numpy.float32),
        "head.bias": (0.1 * random.standard_normal((CLASSES,))).astype(numpy.float32),
    }
    exact = compute(backbone, images, labels, tuned)
    single = compute(backbone, images, labels, tuned, torch.float32)

    golden = {"images": images, "labels": labels, **tuned, **exact}
    golden = {"golden." + name: value if value.dtype == numpy.int64 else numpy.asarray(value, dtype=numpy.float32)
              for name, value in golden.items()}
    write_safetensors(os.path.join(folder, "tiny_vit.safetensors"), backbone, {"heads": str(HEADS), "ln_eps": "1e-6"})
    write_safetensors(os.path.join(folder, "tiny_vit_golden.safetensors"), golden,
                      {"made_by": "make_vit_golden.py", "computed_in": "float64"})

    print("torch", torch.__version__, "numpy", numpy.__version__)
    print("largest |float32 computation - float64 computation| and largest value, by tensor:")
    for name in exact:
        print(f"  {name:22s} {numpy.abs(single[name] - exact[name]).max():.2e}  {numpy.abs(exact[name]).max():.3f}")


if __name__ == "__main__":
    main()
