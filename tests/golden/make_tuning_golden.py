#!/usr/bin/env python3
"""Makes the golden file of the tuning methods: what PyTorch makes of the tiny random ViT with each of them.

    python3 tests/golden/make_tuning_golden.py [folder]

reads tiny_vit.safetensors and the images and labels of tiny_vit_golden.safetensors (make_vit_golden.py) and writes
tiny_vit_methods.safetensors. For every method M in METHODS:
    M.<module>         its tuned modules, random, under the names of a run's output
    M.logits, M.loss   of the golden images
    M.grad.<module>    gradients of the loss
Computed in float64 by analysis/vit.py and autograd, stored as float32.
"""

import os
import sys

import numpy
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", ".."))

from analysis.vit import load, logits  # noqa: E402
from make_vit_golden import write_safetensors  # noqa: E402

DEPTH, DIM, HEADS, RATIO, CLASSES = 3, 24, 3, 4, 7
PROMPTS, RANK, ALPHA, WIDTH = 5, 2, 3.0, 6
LAYERS = {"attn.query": (DIM, DIM), "attn.key": (DIM, DIM), "attn.value": (DIM, DIM), "attn.proj": (DIM, DIM),
          "mlp.fc1": (DIM, RATIO * DIM), "mlp.fc2": (RATIO * DIM, DIM)}


def shapes_of(method, backbone):
    """The modules of one method beside the head."""
    shapes = {}
    for block in range(DEPTH):
        own = f"blocks.{block}."
        if method == "prompt_deep" or (method == "prompt_shallow" and block == 0):
            shapes[own + "prompts"] = (PROMPTS, DIM)
        if method == "prefix":
            shapes[own + "attn.prefix_keys"] = shapes[own + "attn.prefix_values"] = (PROMPTS, DIM)
        if method == "lora":
            for name, (inputs, outputs) in LAYERS.items():
                shapes[own + name + ".lora_a"], shapes[own + name + ".lora_b"] = (RANK, inputs), (outputs, RANK)
        if method == "adapter":
            for part in ("attn", "mlp"):
                name = own + part + ".adapter."
                shapes[name + "down.weight"], shapes[name + "down.bias"] = (WIDTH, DIM), (WIDTH,)
                shapes[name + "up.weight"], shapes[name + "up.bias"] = (DIM, WIDTH), (DIM,)
    if method == "full":
        shapes = {name: tuple(tensor.shape) for name, tensor in backbone.items()}
    return shapes


METHODS = ("prompt_deep", "prompt_shallow", "prefix", "lora", "adapter", "head", "full")


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else HERE
    torch.set_num_threads(1)
    backbone = load(os.path.join(HERE, "tiny_vit.safetensors"))[0]
    golden = load(os.path.join(HERE, "tiny_vit_golden.safetensors"))[0]
    images, labels = golden["golden.images"].double(), golden["golden.labels"]
    random = numpy.random.RandomState(7)
    out = {}
    for method in METHODS:
        modules = {}
        for name, shape in shapes_of(method, backbone).items():
            values = 0.3 * random.standard_normal(shape)
            modules[name] = backbone[name].numpy() + 0.1 * values if method == "full" else values
        modules["head.weight"] = 0.3 * random.standard_normal((CLASSES, DIM))
        modules["head.bias"] = 0.1 * random.standard_normal((CLASSES,))
        modules = {name: value.astype(numpy.float32) for name, value in modules.items()}
        leaves = {name: torch.tensor(value, dtype=torch.float64, requires_grad=True) for name, value in modules.items()}
        weights = {name: tensor.double() for name, tensor in backbone.items()}
        scores = logits(images, weights, leaves, HEADS, ALPHA)
        loss = torch.nn.functional.cross_entropy(scores, labels)
        loss.backward()
        for name, value in modules.items():
            out[f"{method}.{name}"] = value
            out[f"{method}.grad.{name}"] = leaves[name].grad.numpy().astype(numpy.float32)
        out[f"{method}.logits"] = scores.detach().numpy().astype(numpy.float32)
        out[f"{method}.loss"] = numpy.array(loss.item(), dtype=numpy.float32)
    write_safetensors(os.path.join(folder, "tiny_vit_methods.safetensors"), out,
                      {"made_by": "tests/golden/make_tuning_golden.py", "torch": torch.__version__})


if __name__ == "__main__":
    main()
