"""python3 -m analysis.sweep: many runs, one table."""

import csv
import math
import os
import pathlib
import subprocess
import sys

import pytest
from support.results import table
from support.tools import tool

h5py = pytest.importorskip("h5py")
pytest.importorskip("scipy")

PROJECT = pathlib.Path(__file__).resolve().parents[2]
COMMON = ("--set", "data.samples=60", "--set", "network.clients=3", "--set", "train.rounds=1", "--set", "model.weights=random")


@pytest.fixture(autouse=True)
def tested_program(gaisnet, monkeypatch):
    monkeypatch.setenv("GAISNET", str(gaisnet.program))


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def module():
    import analysis.sweep
    return analysis.sweep


class TestGrid:
    def test_every_combination_is_run_with_every_seed(self, tmp_path):
        done = tool("sweep", tmp_path / "s", "finetune", *COMMON, "--vary", "train.lr", 0.01, 0.1, "--vary", "tuning.method", "head", "lora",
                    "--seeds", 2, "--parallel", 2)
        assert done.returncode == 0, done.stderr
        runs = rows_of(tmp_path / "s" / "runs.csv")
        assert {(row["train.lr"], row["tuning.method"], row["seed"]) for row in runs} == {
            (rate, method, seed) for rate in ("0.01", "0.1") for method in ("head", "lora") for seed in ("1", "2")}
        assert len(runs) == 8
        for row in runs:
            results = tmp_path / "s" / f"{int(row['run']):04}.h5"
            assert float(row["accuracy"]) == table(results, "rounds")["accuracy"][-1]
            assert float(row["energy_j"]) == pytest.approx(table(results, "energy")["total_j"].sum())
        means = rows_of(tmp_path / "s" / "means.csv")
        assert len(means) == 4
        first = [float(row["loss"]) for row in runs if (row["train.lr"], row["tuning.method"]) == ("0.01", "head")]
        assert float(means[0]["loss"]) == pytest.approx(sum(first) / 2)
        # Half the width of Student's interval of two values is 12.706 times half their distance, by its table.
        assert float(means[0]["loss_ci95"]) == pytest.approx(12.706 * abs(first[0] - first[1]) / 2, rel=1e-4)
        with h5py.File(tmp_path / "s" / "sweep.h5") as file:
            assert file["runs"]["tuning.method"][0] == b"head"
            assert len(file["means"]) == 4

    def test_it_goes_on_where_it_stopped_and_runs_what_is_new(self, tmp_path):
        line = ("sweep", tmp_path / "s", "plan", *COMMON[:-2], "--vary", "train.lr", 0.01)
        assert tool(*line).returncode == 0
        before = (tmp_path / "s" / "0000.h5").stat().st_mtime_ns
        done = tool(*line, 0.1)
        assert done.returncode == 0, done.stderr
        assert "1/1  run 0001" in done.stdout
        assert (tmp_path / "s" / "0000.h5").stat().st_mtime_ns == before
        (tmp_path / "s" / "runs.csv").unlink()
        assert tool("sweep", tmp_path / "s").returncode == 0
        assert len(rows_of(tmp_path / "s" / "runs.csv")) == 2

    def test_a_run_that_fails_is_named_and_the_others_are_kept(self, tmp_path):
        done = tool("sweep", tmp_path / "s", "plan", *COMMON[:-2], "--vary", "train.lr", 0.01, "fast", 0.1)
        assert done.returncode == 1
        assert "run 0001: train.lr = fast" in done.stdout
        assert "not a finite number" in done.stdout
        assert [row["train.lr"] for row in rows_of(tmp_path / "s" / "runs.csv")] == ["0.01", "0.1"]

    def test_sessions_of_inference_have_latencies(self, tmp_path):
        done = tool("sweep", tmp_path / "s", "infer", "--set", "model.weights=random", "--set", "infer.requests=4", "--vary",
                    "link.d2d.rate", "10 Mbit/s", "20 Mbit/s")
        assert done.returncode == 0, done.stderr
        slow, fast = rows_of(tmp_path / "s" / "runs.csv")
        assert float(slow["p50_s"]) > float(fast["p50_s"]) > 0


class TestDrawnPoints:
    def test_a_latin_hypercube_hits_each_part_of_each_range_once(self, module):
        points = module.points_of({"a": module.Range(0, 10), "b": module.Range("1 Mbit/s", "100 Mbit/s", log=True)}, "latin", 10)
        assert sorted(int(float(point["a"])) for point in points) == list(range(10))
        tenths = sorted(int(5 * math.log10(float(point["b"].split()[0]))) for point in points)
        assert tenths == list(range(10))
        assert {point["b"].split()[1] for point in points} == {"Mbit/s"}

    def test_they_are_the_same_each_time_and_others_with_another_seed(self, module):
        draw = [module.points_of({"a": module.Range(0, 1)}, "random", 5, seed) for seed in (1, 1, 2)]
        assert draw[0] == draw[1] != draw[2]

    def test_rows_of_a_list_are_points(self, module, tmp_path):
        (tmp_path / "list.csv").write_text("train.lr,tuning.method\n0.1,head\n0.2,\n")
        assert module.points_of_list(tmp_path / "list.csv") == [{"train.lr": "0.1", "tuning.method": "head"}, {"train.lr": "0.2"}]


class TestRefusals:
    @pytest.mark.parametrize("words, message", [
        (("--vary", "train.lr"), "at least one value"),
        (("--range", "train.lr", "0.1", "0.01", "--random", "3"), "lower one before a higher"),
        (("--range", "train.lr", "0", "1", "--log", "--random", "3"), "above 0"),
        (("--range", "train.lr", "0.1", "1"), "needs drawn points"),
        (("--range", "link.d2d.rate", "1 Mbit/s", "1 Gbit/s", "--latin", "3"), "one unit"),
        (("--vary", "train.lr", "1", "--random", "3", "--latin", "3"), "one of"),
        (("--set", "train.lr"), "KEY=VALUE"),
        (("--list", "missing.csv"), "missing.csv"),
    ])
    def test_they_are_one_line(self, tmp_path, words, message):
        done = tool("sweep", tmp_path / "s", "plan", *words)
        assert done.returncode in (1, 2)
        assert message in done.stderr
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "s").exists()

    def test_a_folder_of_another_sweep_is_left_alone(self, tmp_path):
        assert tool("sweep", tmp_path / "s", "plan", "--vary", "train.rounds", 1).returncode == 0
        done = tool("sweep", tmp_path / "s", "plan", "--set", "train.lr=1", "--vary", "train.rounds", 1)
        assert done.returncode == 1
        assert "another sweep" in done.stderr or "belongs to a sweep" in done.stderr
        assert tool("sweep", tmp_path / "none").returncode == 1


def test_the_script_finds_its_python(tmp_path):
    done = subprocess.run([PROJECT / "jobs" / "sweep.sh", tmp_path / "s", "plan", "--vary", "train.rounds", "1"], capture_output=True,
                          text=True, timeout=100, env={**os.environ, "PYTHON": sys.executable})
    assert done.returncode == 0, done.stderr
    assert "1 of 1 runs are done" in done.stdout
