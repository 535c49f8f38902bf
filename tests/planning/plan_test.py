"""Plans on the command line: a run of what was written has the ledger that was predicted."""

import json

import pytest
from support.results import h5py

COMMON = ("--model.weights", "random", "--data.samples", 200, "--train.rounds", 2, "--overwrite", "on", "--progress",
          "none")
# Three strong and six weak phones with ViT-Base: 3737, 2812, 1159 and 370 s were found by hand with a spreadsheet and 214
# forecasts; delivery and sensing make some of them a few seconds shorter or longer here.
PHONES = {"edge0": ["s0 w0 w1", "s1 w2 w3", "s2 w4 w5"]}


def phones_file(folder):
    path = folder / "phones.json"
    clusters = [{"edge": edge, "clients": names.split()} for edge, groups in PHONES.items() for names in groups]
    nodes = [{"name": kind + str(i), "rate": rate, "memory": memory}
             for kind, count, rate, memory in (("s", 3, "200 GFLOP/s", "6 GB"), ("w", 6, "20 GFLOP/s", "1.5 GB"))
             for i in range(count)]
    path.write_text(json.dumps({"clusters": clusters, "nodes": nodes}))
    return path


def phones(folder, *words):
    return ("plan", "--network.file", phones_file(folder), "--model.preset", "vit_base", "--link.cs_up.rate",
            "20 Mbit/s", "--link.d2d.rate", "80 Mbit/s", "--data.samples", 3669, "--data.classes", 5, "--train.rounds", 1,
            "--json", "on", "--overwrite", "on", "--output", folder / "phones.h5", *words)


def rounds_of(path, *columns):
    with h5py.File(path) as file:
        return [tuple(row[list(columns)].tolist()) for row in file["rounds"][:]]


@pytest.fixture
def planned(gaisnet, tmp_path):
    def planned(*words):
        done = gaisnet(*phones(tmp_path, *words))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return planned


@pytest.mark.parametrize("chain, seconds", [("0,12,0", 3737), ("4,4,4", 2812), ("10,1,1", 1159), ("12,0,0", 370)])
def test_given_splits_of_nine_phones_take_what_was_found_by_hand(gaisnet, tmp_path, chain, seconds):
    words = [word for word in phones(tmp_path, "--split.blocks", chain) if word not in ("--json", "on", "--overwrite")]
    assert gaisnet(*words, "--overwrite", "on").returncode == 0
    assert rounds_of(tmp_path / "phones.h5", "latency_s")[0][0] == pytest.approx(seconds, rel=0.005)


def test_one_command_finds_the_split_of_nine_phones(planned):
    plan = planned("--optimise", "split")
    assert [[stage["blocks"] for stage in group["chain"]] for group in plan["clusters"]] == [[12]] * 3
    assert plan["planned"]["latency_s"] == pytest.approx(370, rel=0.005)
    assert plan["given"]["latency_s"] == pytest.approx(3737, rel=0.005)
    assert sorted(plan["left_out"]) == [f"w{i}" for i in range(6)]
    assert 0 <= plan["gap"] < 0.01
    assert all(other["latency_s"] >= plan["planned"]["latency_s"] for other in plan["compared"].values())


def test_a_plan_is_never_worse_than_what_it_is_compared_with(planned):
    for what, objective in (("split", "energy"), ("split,order", "spectrum"), ("split", "memory"),
                            ("split,edge_stage", "weighted(latency 1, energy 1)"), ("schedule,micro_batches", "latency"),
                            ("clusters,split", "goodput")):
        plan = planned("--optimise", what, "--objective", objective)
        metric = {"energy": "energy_j", "spectrum": "spectrum_hz_s", "memory": "memory_bytes", "latency": "latency_s",
                  "goodput": "goodput_per_s"}.get(objective)
        if metric:
            others = [plan["given"], *plan["compared"].values()]
            figures = [other[metric] for other in others if other["fits"]]
            own = plan["planned"][metric]
            assert all(own >= figure if metric == "goodput_per_s" else own <= figure for figure in figures), what
        assert (plan["bound"] or 0) <= plan["value"] * (1 + 1e-9), what


@pytest.mark.parametrize("words", [
    ("--optimise", "split"),
    ("--optimise", "clusters,split", "--network.clusters", 3),
    ("--optimise", "split,order,start", "--link.d2d.share", "equal"),
    ("--optimise", "split,schedule,micro_batches,edge_stage", "--train.batch", 8),
    ("--optimise", "clusters", "--link.d2d.path_loss", "pedestrian", "--link.d2d.bandwidth", "5 MHz",
     "--network.radius", "40 m"),
    ("--split.blocks", "auto", "--network.edges", 2, "--cloud.period", 1),
    ("--optimise", "clusters,split", "--network.clusters", 3, "--tuning.method", "lora", "--tuning.rank", "uniform(1, 16)",
     "--tuning.rank_by", "compute", "--tuning.average", "product"),
])
def test_a_run_of_a_plan_has_the_ledger_that_was_predicted(gaisnet, tmp_path, words):
    output = tmp_path / "plan.h5"
    rates = () if "--link.d2d.path_loss" in words else ("--link.d2d.rate", "uniform(10, 100) Mbit/s")
    done = gaisnet("plan", *COMMON, "--device.client.rate", "uniform(1, 20) GFLOP/s", *rates, *words, "--output", output)
    assert done.returncode == 0, done.stderr
    config = tmp_path / "plan.plan.cfg"
    again = tmp_path / "again.h5"
    tuned = gaisnet("finetune", "--config", config, "--overwrite", "on", "--progress", "none", "--output", again)
    assert tuned.returncode == 0, tuned.stderr
    with h5py.File(output) as file:
        columns = [name for name in file["rounds"].dtype.names
                   if name not in ("accuracy", "loss", "train_accuracy", "train_loss", "wall_s")]
    assert len(columns) > 20
    assert rounds_of(again, *columns) == rounds_of(output, *columns)


def test_a_planned_run_tunes_the_same_modules_as_the_plan_that_was_written(gaisnet, tmp_path):
    words = ("--cluster.policy", "best", "--split.blocks", "auto", "--device.client.rate", "uniform(1, 20) GFLOP/s")
    one, two = tmp_path / "one.h5", tmp_path / "two.h5"
    assert gaisnet("plan", *COMMON, *words, "--output", one).returncode == 0
    for output, how, ranks in ((one, (*COMMON, *words), None), (two, ("--config", tmp_path / "one.plan.cfg", "--overwrite",
                                                                      "on", "--progress", "none"), 2)):
        done = gaisnet("finetune", *how, "--output", output, ranks=ranks)
        assert done.returncode == 0, done.stderr
    assert one.with_suffix(".safetensors").read_bytes() == two.with_suffix(".safetensors").read_bytes()


def test_tuning_methods_are_compared_by_cost(planned):
    plan = planned("--optimise", "split,tuning", "--plan.tunings", "head, lora 4, lora 32, full")
    assert plan["tuning"]["method"] == "head"
    others = plan["compared"]
    assert others["head"]["latency_s"] < others["lora 4"]["latency_s"] < others["lora 32"]["latency_s"]
    assert others["lora 32"]["latency_s"] < others["full"]["latency_s"]
    assert plan["planned"]["latency_s"] == others["head"]["latency_s"]
    # Found by hand: head only on the three strong phones, embedding, blocks and head at each.
    assert others["head"]["latency_s"] == pytest.approx(173, rel=0.3)


def test_the_front_between_two_objectives_is_in_the_file(gaisnet, tmp_path):
    output = tmp_path / "front.h5"
    done = gaisnet("plan", *COMMON, "--device.client.rate", "uniform(0.5, 20) GFLOP/s", "--device.client.power",
                   "uniform(0.2, 20) W", "--optimise", "clusters,split", "--pareto", "energy,goodput", "--output", output)
    assert done.returncode == 0, done.stderr
    assert "Pareto front of energy and goodput" in done.stdout
    with h5py.File(output) as file:
        plans = file["plan/front"][:]
        chains = file["topology/chains"][:]
    assert len(plans) >= 4
    front = [(row["energy_j"], row["goodput_per_s"]) for row in plans if row["on_front"] == 1]
    for row in plans:
        better = [one for one in front if one[0] <= row["energy_j"] and one[1] >= row["goodput_per_s"]]
        assert better, "a plan is on the front, or one of the front is better"
    for one in front:
        assert not any(other != one and other[0] <= one[0] and other[1] >= one[1] for other in front)
    for cluster in set(chains["cluster"]):
        own = chains[chains["cluster"] == cluster]
        assert own["blocks"].sum() == 4 and own["embedding"].tolist()[0] == 1 and own["head"].tolist()[-1] == 1


def test_requests_are_planned_as_well(gaisnet, tmp_path):
    common = ("infer", "--model.weights", "random", "--data.samples", 100, "--infer.requests", 20, "--overwrite", "on",
              "--progress", "none", "--device.client.rate", "uniform(1, 20) GFLOP/s")
    means = []
    for blocks in ("even", "auto"):
        output = tmp_path / f"{blocks}.h5"
        done = gaisnet(*common, "--split.blocks", blocks, "--output", output)
        assert done.returncode == 0, done.stderr
        with h5py.File(output) as file:
            means.append(file["inference"]["latency_s"].mean())
    assert means[1] < means[0]


@pytest.mark.parametrize("words, message", [
    (("--optimise", "splits"), ['"splits" is not among split, clusters']),
    (("--objective", "weighted(latency)"), ['"latency" has no weight']),
    (("--objective", "speed"), ["latency, energy, spectrum, memory, goodput"]),
    (("--optimise", "split", "--scheme", "fl"), ["optimise", "scheme = hfsl"]),
    (("--optimise", "order", "--split.blocks", "0,2,2,0"), ["split.blocks", "even or auto"]),
    (("--optimise", "split", "--cluster.edge_stage", "auto"), ["cluster.edge_stage", "optimise = edge_stage"]),
    (("--optimise", "start", "--data.held_by", "start_points"), ["data.held_by", "clients is accepted"]),
    (("--optimise", "split", "--device.client.memory", "20 kB"), ["fits into the clients' memory", "lacks"]),
    (("--optimise", "split", "--compute", "measured"), ["compute", "model"]),
    (("--optimise", "tuning", "--plan.tunings", "lora 8, promt 3"), ['"promt" is no tuning method', "lora"]),
    (("--pareto", "latency,energy"), ["pareto", "optimise"]),
    (("--json", "on"), ["json", "optimise"]),
    (("--optimise", "split", "--pareto", "latency"), ["two of latency"]),
])
def test_what_cannot_be_planned_is_refused_in_one_sentence(gaisnet, tmp_path, words, message):
    done = gaisnet("plan", *COMMON, *words, "--output", tmp_path / "x.h5")
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.count("error:") == 1, done.stderr
    for part in message:
        assert part in done.stderr
