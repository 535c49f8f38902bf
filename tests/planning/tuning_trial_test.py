"""Tuning methods compared by training them: what was trained is what fine-tuning trains, and the better half goes on."""

import json
import math
import signal
import time

import pytest
from support.results import h5py, table, text

SMALL = ("--model.weights", "random", "--data.samples", 300, "--network.clusters", 2, "--network.clients", 3,
         "--train.rounds", 3, "--train.lr", 0.1, "--device.client.rate", "uniform(1, 20) GFLOP/s", "--overwrite", "on",
         "--progress", "none")
METHODS = ("head", "lora 4", "adapter 8", "full")
TRIAL = ("--optimise", "tuning,split", "--measure", 1, "--plan.tunings", ", ".join(METHODS))
SIZES = {"lora": "tuning.rank", "adapter": "tuning.bottleneck"}


def as_given(method):
    """Settings for one method."""
    name, _, size = method.partition(" ")
    return ("--tuning.method", name, *((f"--{SIZES[name]}", size) if size else ()))


def without_wall(value):
    """The same without wall times, which differ from run to run."""
    if isinstance(value, dict):
        return {key: without_wall(part) for key, part in value.items() if key not in ("wall_s", "search")}
    return [without_wall(part) for part in value] if isinstance(value, list) else value


def best_first(tunings, rung, target=None):
    """Names of those that trained in a rung, best first, by the rule that the guide states."""
    those = [one for one in tunings if len(one["rungs"]) >= rung]

    def key(one):
        last = one["rungs"][rung - 1]
        if target and last["accuracy"] >= target:
            return (0, last["latency_s"], 0)
        return (1, -(last["accuracy"] if target else last["best_accuracy"]), last["latency_s"])

    return [one["name"] for one in sorted(those, key=key)]


@pytest.fixture
def trial(gaisnet, tmp_path):
    def trial(*words, ranks=None):
        done = gaisnet("plan", *SMALL, *TRIAL, "--json", "on", *words, "--output", tmp_path / "trial.h5", ranks=ranks)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return trial


def test_candidates_train_what_plain_runs_train(trial, gaisnet, tmp_path):
    found = trial()["measured"]
    assert [one["name"] for one in found["tunings"]] == list(METHODS)
    for one in found["tunings"]:
        output = tmp_path / "alone.h5"
        done = gaisnet("finetune", *SMALL, "--split.blocks", "auto", *as_given(one["name"]), "--output", output)
        assert done.returncode == 0, done.stderr
        rounds, clients = table(output, "rounds"), table(output, "memory")
        assert len(one["rungs"]) in (1, 2)
        for rung in one["rungs"]:
            so_far = rounds[:rung["rounds"]]
            assert rung["accuracy"] == so_far["accuracy"][-1]
            assert rung["loss"] == so_far["loss"][-1]
            assert rung["best_accuracy"] == so_far["accuracy"].max()
            assert rung["latency_s"] == pytest.approx(so_far["latency_s"].sum(), rel=1e-12)
        energy = table(output, "energy")
        assert one["rungs"][0]["energy_j"] == pytest.approx(energy[energy["round"] == 1]["total_j"].sum(), rel=1e-12)
        of_clients = clients[[text(role) == "client" for role in clients["role"]]]
        trained = of_clients[of_clients["round"] <= one["rounds"]]
        assert one["memory_bytes"] == trained["total_bytes"].max()
        nodes = table(output, "communication/links")
        up = nodes[(nodes["round"] == 1) & (nodes["link"] == b"cs_up")]["bytes"].sum()
        assert one["upload_bytes_a_round"] == pytest.approx(up)


def test_the_better_half_goes_on_until_one_is_left(trial):
    found = trial()["measured"]
    first, second = best_first(found["tunings"], 1), best_first(found["tunings"], 2)
    assert set(second) == set(first[:2])
    assert found["chosen"] == second[0]
    by_name = {one["name"]: one for one in found["tunings"]}
    assert {name: one["dropped_in_rung"] for name, one in by_name.items()} == {
        first[2]: 1, first[3]: 1, second[0]: None, second[1]: 2}
    assert by_name["head"]["parameters"] < by_name["lora 4"]["parameters"] < by_name["full"]["parameters"]
    assert by_name["full"]["upload_bytes_a_round"] > by_name["head"]["upload_bytes_a_round"]


def test_a_target_is_reached_by_some_and_the_fastest_of_them_is_chosen(trial):
    # The third best after a round: three methods reach it at once, and latency decides between them.
    best = sorted(one["rungs"][0]["accuracy"] for one in trial()["measured"]["tunings"])
    target = best[1]
    found = trial("--train.stop", f"target({target})")["measured"]
    assert found["target"] == target
    reached = [one for one in found["tunings"] if one["to_target"]]
    assert len(reached) >= 3
    assert found["chosen"] == min(reached, key=lambda one: one["to_target"]["latency_s"])["name"]
    assert all(one["to_target"]["rounds"] == one["rounds"] for one in reached)
    assert best_first(found["tunings"], 1, target)[0] == found["chosen"]


@pytest.mark.parametrize("ranks, words", [
    (2, ("--optimise", "tuning,split,schedule,micro_batches", "--train.batch", 8)),
    (2, ("--optimise", "tuning,clusters", "--objective", "weighted(energy 1, spectrum 2)")),
    (3, ("--network.edges", 2, "--cloud.period", 1)),
])
def test_ranks_change_nothing(trial, ranks, words):
    words = (*words, "--plan.tunings", "head, lora 4, full")
    assert without_wall(trial(*words, ranks=ranks)) == without_wall(trial(*words))


def test_what_is_written_has_the_method_that_was_left(gaisnet, tmp_path):
    output = tmp_path / "plan.h5"
    done = gaisnet("plan", *SMALL, *TRIAL, "--output", output, ranks=2)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("  * ")]
    assert len(lines) == 1 and lines[0].endswith("chosen")
    name = next(method for method in METHODS if lines[0].startswith(f"  * {method} "))
    assert f"Plan for latency, serial, {name.split()[0]}\n" in done.stdout
    rows = table(output, "plan/tunings")
    assert {text(row["tuning"]) for row in rows} == set(METHODS)
    assert [text(row["tuning"]) for row in rows if text(row["outcome"]) == "chosen"] == [name]
    assert len(rows) == 4 + 2 and sorted(rows["rung"]) == [1, 1, 1, 1, 2, 2]
    again = tmp_path / "again.h5"
    run = gaisnet("finetune", "--config", tmp_path / "plan.plan.cfg", "--overwrite", "on", "--progress", "none",
                  "--output", again)
    assert run.returncode == 0, run.stderr
    assert table(again, "rounds")["latency_s"].tolist() == table(output, "rounds")["latency_s"].tolist()
    last = [row for row in rows if text(row["outcome"]) == "chosen"][0]
    assert table(again, "rounds")["accuracy"][last["rounds"] - 1] == last["accuracy"]
    with h5py.File(again) as file:
        method = next(line for line in text(file.attrs["config"]).splitlines() if line.startswith("method = "))
    assert method == f"method = {name.split()[0]}"


def test_nothing_is_trained_beyond_the_rounds_of_the_run(trial):
    found = trial("--measure", 2)["measured"]
    assert max(one["rounds"] for one in found["tunings"]) == 3
    assert trial("--measure", 3)["measured"]["chosen"]
    assert {one["rounds"] for one in trial("--measure", 3)["measured"]["tunings"]} == {3}


def test_a_method_that_does_not_fit_is_dropped_with_its_reason(trial):
    needs = {one["name"]: one["memory_bytes"] for one in trial("--optimise", "tuning")["measured"]["tunings"]}
    assert needs["full"] == max(needs.values())
    least = math.ceil(max(need for name, need in needs.items() if name != "full"))
    for parts in ("tuning", "tuning,edge_stage"):
        found = trial("--optimise", "tuning", "--device.client.memory", f"{least} B")["measured"]
        full = found["tunings"][METHODS.index("full")]
        assert full["outcome"] == "does not fit" and "needs" in full["failure"] and not full["rungs"], parts
        assert found["chosen"] != "full"


def test_a_method_that_diverges_is_dropped_with_its_reason(trial):
    for ranks in (None, 2):
        found = trial("--train.lr", 50, "--train.momentum", 0, "--train.weight_decay", 0, "--plan.tunings",
                      "head, full", ranks=ranks)["measured"]
        head, full = found["tunings"]
        assert full["outcome"] == "diverged" and "diverged in round 1" in full["failure"]
        assert head["outcome"] == "chosen"


@pytest.mark.parametrize("words, message", [
    (("--optimise", "split", "--measure", 1), ["measure = 1", "optimise = tuning"]),
    (("--optimise", "tuning", "--measure", 4), ["measure = 4", "train.rounds = 3"]),
    (("--optimise", "tuning", "--measure", -1), ["measure = -1", "0"]),
    (("--optimise", "tuning", "--measure", 1, "--compute", "measured"), ["compute", "model"]),
    (("--optimise", "tuning", "--measure", 1, "--train.lr", 1e30), ["none of them can be trained", "diverged"]),
    (("--optimise", "tuning", "--measure", 1, "--device.client.memory", "20 kB"), ["none of them", "does not fit"]),
    (("--optimise", "tuning", "--measure", 1, "--plan.tunings", "lora 8, promt 3"), ['"promt" is no tuning method']),
])
@pytest.mark.parametrize("ranks", [None, 2])
def test_what_cannot_be_measured_is_refused_in_one_sentence(gaisnet, tmp_path, words, message, ranks):
    done = gaisnet("plan", *SMALL, *words, "--output", tmp_path / "x.h5", ranks=ranks)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.count("error:") == 1, done.stderr
    for part in message:
        assert part in done.stderr
    assert not list(tmp_path.iterdir())


def test_an_output_that_is_there_is_refused_before_anything_is_trained(gaisnet, tmp_path):
    (tmp_path / "x.plan.cfg").write_text("mine\n")
    done = gaisnet("plan", *SMALL, *TRIAL, "--overwrite", "off", "--output", tmp_path / "x.h5")
    assert done.returncode == 2 and "x.plan.cfg, which exists" in done.stderr
    assert "rung" not in done.stderr


@pytest.mark.parametrize("stop, ranks", [(signal.SIGINT, None), (signal.SIGINT, 2), (signal.SIGTERM, None)])
def test_an_interruption_leaves_nothing_behind(gaisnet, tmp_path, stop, ranks):
    with gaisnet.start("plan", *SMALL, *TRIAL, "--train.rounds", 1000, "--measure", 500, "--output", tmp_path / "x.h5",
                       ranks=ranks) as process:
        time.sleep(6)
        assert process.poll() is None, process.stderr.read()
        process.send_signal(stop)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert not list(tmp_path.iterdir())
