"""jobs/schemes.sh: methods of the field by name, side by side."""

import os
import pathlib
import subprocess
import sys

import pytest
from support.files import same_bytes
from support.results import table, text

PROJECT = pathlib.Path(__file__).resolve().parents[2]
SMALL = ("--model.family", "llama", "--model.vocabulary", 96, "--model.tokens", 16, "--model.dim", 16, "--model.depth", 2,
         "--model.heads", 2, "--data.samples", 200, "--network.clusters", 2, "--network.clients", 2, "--train.rounds", 2,
         "--device.client.memory", "uniform(1, 4) GB")


@pytest.fixture(scope="module")
def compared(gaisnet, tmp_path_factory):
    """What is printed, and the folder of results."""
    folder = tmp_path_factory.mktemp("schemes")
    environment = os.environ | {"PROGRAM": str(gaisnet.program), "PYTHON": sys.executable, "RESULTS": str(folder),
                                "SCHEMES": "fedavg-lora splitlora hsplitlora hfsl-lora sl", "PERPLEXITY": "1000"}
    done = subprocess.run([PROJECT / "jobs" / "schemes.sh", *map(str, SMALL)], capture_output=True, text=True, timeout=300,
                          env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout, folder


def ranks_of(path):
    nodes = table(path, "topology/nodes")
    return {int(row["tuning_rank"]) for row in nodes if text(row["role"]) == "client"}


def test_where_the_model_is_cut_changes_no_value(compared):
    _, folder = compared
    assert same_bytes(folder / "fedavg-lora.safetensors", folder / "splitlora.safetensors")
    assert same_bytes(folder / "fedavg-lora.safetensors", folder / "hfsl-lora.safetensors")
    assert not same_bytes(folder / "splitlora.safetensors", folder / "hsplitlora.safetensors")


def test_each_method_is_what_its_name_says(compared):
    _, folder = compared
    assert ranks_of(folder / "splitlora.h5") == {8}
    assert len(ranks_of(folder / "hsplitlora.h5")) > 1
    assert ranks_of(folder / "sl.h5") == {0}, "a scheme has the tuning method that is given"


def test_one_table_compares_them(compared):
    printed, folder = compared
    for part in printed.split("\n\n"):
        rows = [line.split()[0] for line in part.splitlines() if line.startswith("  ") and line.split()[0] != "run"]
        assert rows == ["fedavg-lora", "splitlora", "hsplitlora", "hfsl-lora", "sl"]
    assert "perplexity" in printed and "Until the perplexity was 1000" in printed
    last = table(folder / "splitlora.h5", "rounds")[-1]["perplexity"]
    assert f"{last:.2f}" in next(line for line in printed.splitlines() if line.split()[:1] == ["splitlora"])
