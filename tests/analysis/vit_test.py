"""What a run has tuned, applied by analysis/vit.py in PyTorch, answers as gaisnet infer does, with every tuning method.
Usage: vit_test.py GAISNET. Needs h5py and PyTorch (Debian's python3-torch will do); without them it says that it skips."""

import csv
import pathlib
import random
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT)]
from checks import check, finish, skip
from images import png

try:
    import h5py
    import torch
except ImportError as missing:
    skip(f"{missing.name} is not installed")
from analysis.vit import load, logits

PROGRAM = sys.argv[1]
SIDE, HEADS, IMAGES = 32, 4, 12
METHODS = ("prompt_deep", "prompt_shallow", "prefix", "lora", "adapter", "head", "full")


def gaisnet(command, *settings):
    done = subprocess.run([PROGRAM, command, "--progress", "none", "--log-level", "warning", *map(str, settings)],
                          capture_output=True, text=True, timeout=100)
    if done.returncode != 0:
        check(f"gaisnet {command}", False, done.stderr[-800:])
    return done.returncode == 0


def draw_images(folder):
    """PNG files of the model's own size, so that nothing is resampled, and the same as normalised tensors by name."""
    folder.mkdir()
    random.seed(5)
    tensors = {}
    for number in range(IMAGES):
        colours = [random.randrange(256) for _ in range(6)]
        stripe = random.randrange(2, 9)
        pixels = bytes(min(255, max(0, colours[3 * ((x + number * y) // stripe % 2) + c] + random.randrange(-20, 20)))
                       for y in range(SIDE) for x in range(SIDE) for c in range(3))
        name = f"{number:02}.png"
        (folder / name).write_bytes(png(pixels, SIDE))
        image = torch.tensor(list(pixels), dtype=torch.float32).reshape(SIDE, SIDE, 3).permute(2, 0, 1)
        tensors[name] = (image / 255 - 0.5) / 0.5
    return tensors


def answers(folder, images, *settings):
    """Names of images, probabilities of the classes that were answered, and these classes, as gaisnet infer says."""
    output = folder / "answers.h5"
    if not gaisnet("infer", *settings, "--infer.images", folder / "images", "--infer.arrivals", "burst", "--output", output,
                   "--overwrite", "on"):
        return [], [], []
    with h5py.File(output) as file, open(output.with_suffix(".predictions.csv"), newline="", encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
        return [row["image"] for row in rows], file["inference"]["probability"][:], [row["predicted"] for row in rows]


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        images, weights = draw_images(folder / "images"), folder / "fm.safetensors"
        if not gaisnet("pretrain", "--pretrain.samples", 200, "--pretrain.epochs", 2, "--output", weights):
            finish()
        backbone, _ = load(weights)
        for method in METHODS:
            run = folder / f"{method}.h5"
            common = ["--network.clusters", 1, "--network.clients", 3, "--model.weights", weights, "--tuning.method", method]
            if not gaisnet("finetune", *common, "--data.samples", 240, "--train.rounds", 2, "--train.lr", 0.05, "--output", run):
                continue
            modules, about = load(run.with_suffix(".safetensors"))
            names, probabilities, predicted = answers(folder, images, *common, "--infer.modules", run.with_suffix(".safetensors"))
            some = torch.stack([images[one] for one in names]) if names else torch.zeros(0, 3, SIDE, SIDE)
            alpha = float(about.get("alpha", 0))
            ours = torch.softmax(logits(some, backbone, modules, HEADS, alpha), dim=1).max(dim=1)
            off = (ours.values.double() - torch.tensor(probabilities, dtype=torch.float64)).abs().max() if names else 1.0
            classes = {}
            check(f"{method}: PyTorch gives the same probabilities", len(names) == IMAGES and off < 2e-5, f"{off}")
            check("... of the same classes", len(names) == IMAGES and all(
                classes.setdefault(int(index), label) == label for index, label in zip(ours.indices, predicted)) and
                len(set(classes.values())) == len(classes), f"{predicted} {ours.indices.tolist()}")
            if method != "head" and names:
                head = {key: value for key, value in modules.items() if key.startswith("head.")}
                untuned = torch.softmax(logits(some, backbone, head, HEADS), dim=1).max(dim=1).values
                check("... which the head alone does not give", (untuned - ours.values).abs().max() > 1e-3)
    finish()


if __name__ == "__main__":
    main()
