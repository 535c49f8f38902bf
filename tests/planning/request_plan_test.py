"""gaisnet plan --service infer: forecasts and plans of requests are the ledger of a later gaisnet infer."""

import json

import numpy
import pytest
from support.results import status, table

COMMON = ("--model.weights", "random", "--data.samples", 120, "--overwrite", "on", "--progress", "none",
          "--infer.requests", 30)
UNEQUAL = ("--device.client.rate", "uniform(1, 20) GFLOP/s", "--link.d2d.rate", "uniform(10, 100) Mbit/s")
TABLES = ("inference", "events", "energy", "memory", "communication/links")


@pytest.fixture(scope="session")
def plan(gaisnet):
    return gaisnet.bind("plan", "--service", "infer", *COMMON)


def same_ledger(one, two):
    """Whether two results files have the same ledger, to the last bit."""
    for name in TABLES:
        a, b = table(one, name), table(two, name)
        assert len(a) == len(b) > 0, name
        for column in a.dtype.names:
            if a.dtype[column].kind in "iuf" and column != "probability":  # of an answer
                assert numpy.array_equal(a[column], b[column], equal_nan=True), (name, column)


def trace_file(folder):
    path = folder / "times.csv"
    path.write_text("client,time\n" + "".join(f"c0.0,{0.05 * i} s\n" for i in range(1, 9)) + "c1.0,0.2 s\n")
    return path


@pytest.mark.parametrize("words", [
    (),
    ("--infer.arrivals", "burst", "--infer.batch", 4, "--delivery", "full"),
    ("--infer.rate", 200, "--infer.in_flight", 1, "--network.edges", 2, "--link.d2d.share", "equal"),
    ("--infer.rate", 50, "--train.labels", "local", "--delivery", "none", "--link.d2d.jitter", "1 ms"),
    ("--cluster.edge_stage", 2, "--link.cs_up.path_loss", "pedestrian", "--link.cs_up.bandwidth", "5 MHz"),
    ("--infer.arrivals", "trace", "--infer.trace", "TRACE", "--network.clusters", 2),
])
def test_a_forecast_is_the_ledger_of_infer(gaisnet, plan, tmp_path, words):
    words = [trace_file(tmp_path) if word == "TRACE" else word for word in (*UNEQUAL, *words)]
    requests = ["--infer.requests", 100] if "trace" in words else []
    one, two = tmp_path / "plan.h5", tmp_path / "infer.h5"
    done = plan(*words, *requests, "--output", one)
    assert done.returncode == 0, done.stderr
    for part in ("Prediction", "p95", "without idling", "spectrum", "Bottleneck", "If halved"):
        assert part in done.stdout
    answered = gaisnet("infer", *COMMON, *words, *requests, "--output", two)
    assert answered.returncode == 0, answered.stderr
    same_ledger(one, two)
    latency = [line for line in done.stdout.splitlines() if line.startswith("  mean ")]
    assert latency == [line for line in answered.stdout.splitlines() if line.startswith("  mean ")]
    assert status(one) == "complete"


def test_modules_that_were_tuned_are_delivered(gaisnet, plan, tmp_path):
    tuned = tmp_path / "tuned.h5"
    done = gaisnet("finetune", "--model.weights", "random", "--data.samples", 120, "--train.rounds", 1, "--tuning.method",
                   "lora", "--progress", "none", "--output", tuned)
    assert done.returncode == 0, done.stderr
    modules = ("--infer.modules", tuned.with_suffix(".safetensors"))
    one, two = tmp_path / "plan.h5", tmp_path / "infer.h5"
    for command, output in ((plan, one), (gaisnet.bind("infer", *COMMON), two)):
        done = command(*modules, "--output", output)
        assert done.returncode == 0, done.stderr
    same_ledger(one, two)


@pytest.mark.parametrize("words", [
    ("--optimise", "split"),
    ("--optimise", "clusters,split", "--network.clusters", 3, "--infer.rate", 100),
    ("--optimise", "split,order,start,edge_stage", "--objective", "weighted(latency 1, energy 0.5)"),
    ("--optimise", "split,order", "--objective", "goodput", "--infer.arrivals", "burst", "--link.d2d.share", "equal"),
    ("--optimise", "order", "--objective", "spectrum", "--split.blocks", "even", "--network.edges", 2),
])
def test_a_run_of_a_plan_has_the_ledger_that_was_predicted(gaisnet, plan, tmp_path, words):
    output, again = tmp_path / "plan.h5", tmp_path / "again.h5"
    done = plan(*UNEQUAL, *words, "--output", output)
    assert done.returncode == 0, done.stderr
    assert "Plan for " in done.stdout and "requests" in done.stdout
    answered = gaisnet("infer", "--config", tmp_path / "plan.plan.cfg", "--overwrite", "on", "--progress", "none",
                       "--output", again)
    assert answered.returncode == 0, answered.stderr
    assert "has no effect" not in answered.stderr
    same_ledger(output, again)


def test_the_predicted_figures_are_means_of_the_run(gaisnet, plan, tmp_path):
    output = tmp_path / "plan.h5"
    done = plan(*UNEQUAL, "--optimise", "clusters,split", "--network.clusters", 2, "--json", "on", "--output", output)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["service"] == "infer" and told["load"]["rate_per_s"] == 10
    assert (told["bound"] or 0) <= told["value"] == told["planned"]["latency_s"] <= told["given"]["latency_s"]
    assert told["files"] == {"config": str(tmp_path / "plan.plan.cfg"), "network": str(tmp_path / "plan.plan.json"),
                             "written": True}
    again = tmp_path / "again.h5"
    assert gaisnet("infer", "--config", told["files"]["config"], "--progress", "none", "--output", again).returncode == 0
    requests = table(again, "inference")
    assert len(requests) == told["planned"]["useful"] == 60
    assert requests["latency_s"].mean() == pytest.approx(told["planned"]["latency_s"], rel=1e-12)
    energy, links = table(again, "energy")["total_j"].sum(), table(again, "events")["airtime_hz_s"].sum()
    assert energy / len(requests) == pytest.approx(told["planned"]["energy_j"], rel=1e-12)
    assert links / len(requests) == pytest.approx(told["planned"]["spectrum_hz_s"], rel=1e-12)


def test_the_load_decides_about_the_split(plan, tmp_path):
    def blocks(rate):
        done = plan("--optimise", "split", "--infer.rate", rate, "--infer.requests", 100, "--infer.batch", 1,
                    "--device.client.rate", "2 GFLOP/s", "--link.d2d.rate", "1 Gbit/s", "--json", "on", "--output",
                    tmp_path / "load.h5")
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        return [stage["blocks"] for stage in told["clusters"][0]["chain"]], told

    few, calm = blocks(1)
    many, busy = blocks(10000)
    assert len(few) == 1 and len(many) > 1
    assert calm["planned"]["latency_s"] < busy["planned"]["latency_s"]


def test_the_front_between_two_objectives_is_in_the_file(plan, tmp_path):
    output = tmp_path / "front.h5"
    done = plan("--device.client.rate", "uniform(0.5, 20) GFLOP/s", "--device.client.power", "uniform(0.2, 20) W",
                "--optimise", "clusters,split", "--pareto", "latency,energy", "--output", output)
    assert done.returncode == 0, done.stderr
    assert "Pareto front of latency and energy" in done.stdout
    assert table(output, "plan/front")["on_front"].sum() >= 1


def line_of(tmp_path):
    """Three clients on a line, whose ends do not reach each other."""
    path = tmp_path / "line.json"
    places = {"a": 0, "b": 60, "c": 120}
    path.write_text(json.dumps({
        "clusters": [{"edge": "edge0", "clients": list(places)}],
        "nodes": [{"name": name, "position": [f"{x} m", "0 m"]} for name, x in places.items()]}))
    return ("--network.file", path, "--link.d2d.path_loss", "pedestrian", "--link.d2d.bandwidth", "20 MHz",
            "--link.d2d.tx_power", "2 dBm", "--link.d2d.min_rate", "1 Mbit/s", "--split.blocks", "1,2,1")


def test_an_end_point_out_of_reach_of_its_start_point_is_refused(gaisnet, plan, tmp_path):
    words = line_of(tmp_path)
    trained = gaisnet("plan", "--data.samples", 120, *words)
    assert trained.returncode == 0, trained.stderr
    done = plan(*words)
    assert done.returncode == 2, done.stdout
    assert "c -> a" in done.stderr and done.stderr.count("error:") == 1, done.stderr


def test_a_plan_avoids_it(plan, tmp_path):
    words = [*line_of(tmp_path)[:-2], "--optimise", "split,order", "--device.client.memory", "600 kB", "--json", "on",
             "--output", tmp_path / "line.h5"]
    done = plan(*words)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    nodes = [stage["node"] for stage in told["clusters"][0]["chain"]]
    assert nodes in (["a"], ["a", "b"]), nodes
    assert "c -> a" in told["given"]["obstacle"]


@pytest.mark.parametrize("command", ["infer", "serve"])
def test_runs_that_plan_for_themselves_tell_the_plan(gaisnet, tmp_path, command):
    serve = ("--serve.rounds", 1, "--serve.regret", "off") if command == "serve" else COMMON[-2:]
    done = gaisnet(command, *COMMON[:-2], *serve, *UNEQUAL, "--split.blocks", "auto", "--output", tmp_path / "run.h5")
    assert done.returncode == 0, done.stderr
    for part in ("Plan for latency", "scenario as given", "No plan can have", "c0      c0.0 (start)"):
        assert part in done.stderr, done.stderr
        assert part not in done.stdout


@pytest.mark.parametrize("words, message", [
    (("--service", "inference"), ["service = inference", "finetune", "infer"]),
    (("--optimise", "split,schedule"), ["optimise", "schedule", "split, clusters, order, start, edge_stage"]),
    (("--optimise", "micro_batches"), ["optimise", "micro_batches", "split, clusters, order, start, edge_stage"]),
    (("--optimise", "tuning"), ["optimise", "tuning", "split, clusters, order, start, edge_stage"]),
    (("--optimise", "start", "--infer.arrivals", "trace", "--infer.trace", "TRACE"), ["infer.trace", "start points"]),
    (("--infer.arrivals", "burst", "--infer.rate", 3), ["infer.rate", "poisson"]),
    (("--scheme", "centralised"), ["scheme", "start points"]),
    (("--optimise", "split", "--device.client.memory", "20 kB"), ["fits into the clients' memory", "lacks"]),
])
def test_what_has_no_meaning_for_requests_is_refused_in_one_sentence(plan, tmp_path, words, message):
    words = [trace_file(tmp_path) if word == "TRACE" else word for word in words]
    requests = ["--infer.requests", 100] if "trace" in words else []
    done = plan(*words, *requests, "--output", tmp_path / "x.h5")
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.count("error:") == 1, done.stderr
    for part in message:
        assert part in done.stderr, done.stderr
