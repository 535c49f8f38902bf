"""What a run has tuned, applied by analysis/vit.py in PyTorch, answers as gaisnet infer does, with every tuning method."""

import random

import pytest
from support.images import png
from support.results import predictions, table

torch = pytest.importorskip("torch")

SIDE, HEADS, IMAGES = 32, 4, 12


@pytest.fixture(scope="module")
def vit():
    return pytest.importorskip("analysis.vit")


@pytest.fixture(scope="module")
def quiet(gaisnet):
    """Runs gaisnet, which has to succeed."""

    def run(command, *settings):
        done = gaisnet(command, "--progress", "none", "--log-level", "warning", *settings)
        assert done.returncode == 0, done.stderr

    return run


@pytest.fixture(scope="module")
def weights(quiet, tmp_path_factory):
    output = tmp_path_factory.mktemp("weights") / "fm.safetensors"
    quiet("pretrain", "--pretrain.samples", 200, "--pretrain.epochs", 2, "--output", output)
    return output


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder of PNG files of the model's own size, so that nothing is resampled."""
    return tmp_path_factory.mktemp("photos")


@pytest.fixture(scope="module")
def images(photos):
    """The same as normalised tensors by name."""
    draw = random.Random(5)
    tensors = {}
    for number in range(IMAGES):
        colours = [draw.randrange(256) for _ in range(6)]
        stripe = draw.randrange(2, 9)
        pixels = bytes(min(255, max(0, colours[3 * ((x + number * y) // stripe % 2) + c] + draw.randrange(-20, 20)))
                       for y in range(SIDE) for x in range(SIDE) for c in range(3))
        name = f"{number:02}.png"
        (photos / name).write_bytes(png(pixels, SIDE))
        image = torch.tensor(list(pixels), dtype=torch.float32).reshape(SIDE, SIDE, 3).permute(2, 0, 1)
        tensors[name] = (image / 255 - 0.5) / 0.5
    return tensors


@pytest.mark.parametrize("method", ["prompt_deep", "prompt_shallow", "prefix", "lora", "adapter", "head", "full"])
def test_pytorch_answers_as_gaisnet_does(quiet, vit, weights, photos, images, tmp_path, method):
    run, output = tmp_path / "run.h5", tmp_path / "answers.h5"
    modules = run.with_suffix(".safetensors")
    settings = ("--network.clusters", 1, "--network.clients", 3, "--model.weights", weights, "--tuning.method", method)
    quiet("finetune", *settings, "--data.samples", 240, "--train.rounds", 2, "--train.lr", 0.05, "--output", run)
    quiet("infer", *settings, "--infer.modules", modules, "--infer.images", photos, "--infer.arrivals", "burst",
          "--output", output)
    answers = predictions(output)
    assert len(answers) == IMAGES

    backbone, _ = vit.load(weights)
    tuned, about = vit.load(modules)
    batch = torch.stack([images[answer["image"]] for answer in answers])
    ours = torch.softmax(vit.logits(batch, backbone, tuned, HEADS, float(about.get("alpha", 0))), dim=1).max(dim=1)
    theirs = torch.tensor(table(output, "inference")["probability"].tolist(), dtype=torch.float64)
    assert (ours.values.double() - theirs).abs().max() < 2e-5
    # A class has one index, and an index one class.
    pairs = set(zip(ours.indices.tolist(), (answer["predicted"] for answer in answers)))
    assert len(pairs) == len({index for index, _ in pairs}) == len({label for _, label in pairs})
    if method != "head":
        head = {name: value for name, value in tuned.items() if name.startswith("head.")}
        untuned = torch.softmax(vit.logits(batch, backbone, head, HEADS), dim=1).max(dim=1).values
        assert (untuned - ours.values).abs().max() > 1e-3, "the head alone gives the same"
