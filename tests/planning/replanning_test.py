"""Clusters that change in the course of fine-tuning (plan.period), and clients in no cluster."""

import json

import pytest
from support.results import assert_same_tuning, differences, h5py, table

IMAGE, PATCH, DIM, DEPTH, HIDDEN, CHANNELS = 32, 8, 24, 4, 96, 3
FLOAT = 4
# Elements of frozen tensors, by the layers of a ViT: weights and biases.
EMBEDDING = (CHANNELS * PATCH**2 * DIM + DIM) + DIM + ((IMAGE // PATCH)**2 + 1) * DIM
BLOCK = 4 * DIM + (3 * DIM**2 + 3 * DIM) + (DIM**2 + DIM) + (HIDDEN * DIM + HIDDEN) + (DIM * HIDDEN + DIM)
NORM = 2 * DIM

PLACES = {"a": (0, 10), "b": (0, 20), "c": (100, 10), "d": (100, 20)}
LATER = {"a": (0, 20), "b": (0, 10), "c": (100, 20), "d": (100, 10)}  # the ends of both chains have changed places
SPARE = {"name": "s", "edge": "edge0", "position": ["50 m", "1 m"], "idle_power": "0.5 W", "base_power": "2 W"}


def network_file(folder):
    path = folder / "network.json"
    nodes = [{"name": name, "position": [f"{x} m", f"{y} m"]} for name, (x, y) in PLACES.items()]
    path.write_text(json.dumps({"clusters": [{"edge": "edge0", "clients": ["a", "b"]}, {"edge": "edge0", "clients": ["c", "d"]}],
                                "nodes": [{"name": "edge0", "position": ["50 m", "0 m"]}, *nodes, SPARE]}))
    return path


def movements(folder):
    """Everybody rests for a millisecond, and has arrived a millisecond later: before the first round ends."""
    path = folder / "moves.csv"
    lines = ["node,time,x,y"]
    for name in PLACES:
        lines += [f"{name},0,{PLACES[name][0]},{PLACES[name][1]}", f"{name},0.001,{PLACES[name][0]},{PLACES[name][1]}",
                  f"{name},0.002,{LATER[name][0]},{LATER[name][1]}"]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("period")


@pytest.fixture(scope="module")
def finetune(gaisnet, folder):
    def finetune(output, *words, ranks=1):
        done = gaisnet(
            "finetune", "--network.file", network_file(folder), "--mobility.file", movements(folder),
            "--link.d2d.path_loss", "umi_los", "--cluster.policy", "nearest", "--cluster.number", 2, "--cluster.size", 2,
            "--model.weights", "random", "--model.image", IMAGE, "--model.patch", PATCH, "--model.dim", DIM,
            "--model.depth", DEPTH, "--model.heads", 3, "--tuning.method", "head", "--data.samples", 80,
            "--train.rounds", 4, "--checkpoint.every", 1, "--checkpoint.keep", 9, "--sense.time", "1 ms", "--overwrite",
            "on", "--progress", "none", "--output", folder / output, *words, ranks=ranks)
        assert done.returncode == 0, done.stderr
        return folder / output

    return finetune


@pytest.fixture(scope="module")
def changed(finetune):
    return finetune("changed.h5", "--plan.period", 2)


def chains(path, round_number):
    """Names of clients by cluster, in the order of the chain."""
    names = dict(table(path, "topology/nodes")[["node", "name"]].tolist())
    rows = table(path, "topology/chains")
    return [[names[row["node"]].decode() for row in rows if row["since_round"] == round_number and row["cluster"] == cluster]
            for cluster in (0, 1)]


def down_bytes(path, round_number):
    rows = table(path, "communication/links")
    return sum(row["bytes"] for row in rows if row["round"] == round_number and row["link"] == b"cs_down")


def test_neighbours_are_those_of_the_places_at_that_time(changed):
    assert sorted(chains(changed, 1)) == [["b", "a"], ["d", "c"]]  # each begins with the client far from the edge
    assert sorted(chains(changed, 3)) == [["a", "b"], ["c", "d"]]
    assert set(table(changed, "topology/chains")["since_round"]) == {1, 3}


def test_what_clients_lack_is_delivered_once(finetune, changed):
    """Start points have become ends: four clients have two blocks each that they never held."""
    still = finetune("still.h5")
    starts, ends = 2 * (EMBEDDING + 2 * BLOCK), 2 * (2 * BLOCK + NORM)
    assert down_bytes(changed, 3) - down_bytes(still, 3) == FLOAT * (starts + ends)
    for other in (1, 2, 4):
        assert down_bytes(changed, other) == down_bytes(still, other)
    first, third = (table(changed, "rounds")["latency_s"][i] for i in (1, 2))
    assert third > first


def test_clients_that_change_places_again_have_what_they_need(finetune, folder):
    """Every round: in round 2 the chains turn round, and then they stay."""
    often = finetune("often.h5", "--plan.period", 1)
    assert set(table(often, "topology/chains")["since_round"]) == {1, 2}
    assert down_bytes(often, 2) > down_bytes(often, 3) == down_bytes(often, 1)


@pytest.mark.parametrize("ranks", [2, 3])
def test_any_number_of_ranks_comes_to_the_same(finetune, changed, ranks):
    assert_same_tuning(changed, finetune(f"on{ranks}.h5", "--plan.period", 2, ranks=ranks))


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_resumed_run_comes_to_the_same(finetune, changed, folder, after):
    again = finetune(f"after{after}.h5", "--plan.period", 2, "--resume", folder / "changed.ckpt" / f"round_{after:06}", ranks=2)
    assert_same_tuning(changed, again)
    assert not differences(changed, again, ("topology/chains", "topology/samples"))
    assert str(table(changed, "topology/links").tolist()) == str(table(again, "topology/links").tolist())  # NaN among them


def test_a_client_in_no_cluster_waits_and_draws_power(changed):
    rounds, energy = table(changed, "rounds"), table(changed, "energy")
    for row in energy[energy["name"] == b"s"]:
        latency = rounds["latency_s"][row["round"] - 1]
        assert row["idle_j"] == pytest.approx(0.5 * latency, rel=1e-9)
        assert row["base_j"] == pytest.approx(2 * latency, rel=1e-9)
        assert row["compute_j"] == row["transmit_j"] == 0
    assert len(energy[energy["name"] == b"s"]) == 4


def test_an_empty_battery_is_planned_around(gaisnet, folder, tmp_path):
    """The fastest client is in the first chain until its battery is empty; then a spare one takes its place."""
    nodes = [{"name": "strong", "rate": "20 GFLOP/s", "battery": "1 J"}, {"name": "weak", "rate": "5 GFLOP/s"},
             {"name": "start", "rate": "1 GFLOP/s"}]
    network = tmp_path / "network.json"
    network.write_text(json.dumps({"clusters": [{"edge": "edge0", "clients": ["start", "strong", "weak"]}], "nodes": nodes}))
    done = gaisnet("finetune", "--network.file", network, "--split.blocks", "auto", "--plan.period", 2, "--model.weights",
                   "random", "--data.samples", 60, "--train.rounds", 12, "--device.client.power", "5 W", "--overwrite", "on",
                   "--progress", "none", "--log_level", "info", "--output", tmp_path / "battery.h5")
    assert done.returncode == 0, done.stderr
    output = tmp_path / "battery.h5"
    rows = table(output, "energy")
    left = {row["round"]: row["battery_j"] for row in rows[rows["name"] == b"strong"]}
    assert left[12] == 0
    empty = min(number for number, joules in left.items() if joules == 0)
    names = dict(table(output, "topology/nodes")[["node", "name"]].tolist())
    stages = table(output, "topology/chains")
    last = stages[stages["since_round"] == stages["since_round"].max()]
    assert last["since_round"][0] in (empty + 1, empty + 2)
    assert b"strong" not in {names[stage["node"]] for stage in last}
    assert table(output, "rounds")["clusters_done"][-1] == 1


@pytest.mark.parametrize("words, message", [
    (("--plan.period", "-1"), "plan.period"),
    (("--plan.period", "2"), "cluster.policy = nearest or best"),
    (("--plan.period", "2", "--cluster.policy", "nearest", "--cluster.edge_stage", "auto"), "cluster.edge_stage"),
])
def test_periods_without_sense_are_refused(gaisnet, tmp_path, words, message):
    done = gaisnet("finetune", "--model.weights", "random", "--data.samples", 60, "--output", tmp_path / "no.h5", *words)
    assert done.returncode == 2
    assert "plan.period" in done.stderr and message in done.stderr
    assert not list(tmp_path.iterdir())
