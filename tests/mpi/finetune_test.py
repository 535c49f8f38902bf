"""gaisnet finetune as a user runs it: the same results on any number of ranks, and what its files hold."""

import json
import os
import pathlib
import re

import pytest
from support.files import same_bytes
from support.results import assert_same_tuning, status, table

h5py = pytest.importorskip("h5py")
np = pytest.importorskip("numpy")

PROJECT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def alone(finetune, tmp_path_factory):
    """The results file of a run on one rank."""
    output = tmp_path_factory.mktemp("alone") / "alone.h5"
    done = finetune("--output", output, ranks=1)
    assert done.returncode == 0, done.stderr
    return output


@pytest.mark.parametrize("ranks, settings", [
    pytest.param(2, (), id="2"),
    pytest.param(3, (), id="3"),
    pytest.param(7, (), id="7"),
    pytest.param(3, ("--placement", "node"), id="3-by-node"),
    pytest.param(2, ("--runtime.active_clusters", 2), id="2-active-clusters"),
])
def test_any_ranks_and_placement_give_the_same(finetune, alone, tmp_path, ranks, settings):
    output = tmp_path / "spread.h5"
    done = finetune("--output", output, *settings, ranks=ranks)
    assert done.returncode == 0, done.stderr
    assert_same_tuning(alone, output)


def test_tuned_modules_are_a_safetensors_file(alone):
    """As anyone reads it: the header's length, the header as JSON, the values."""
    raw = alone.with_suffix(".safetensors").read_bytes()
    length = int.from_bytes(raw[:8], "little")
    tensors = json.loads(raw[8:8 + length])
    tensors.pop("__metadata__", None)
    prompts = {f"blocks.{block}.prompts": [10, 64] for block in range(4)}
    assert {name: tensor["shape"] for name, tensor in tensors.items()} == {
        **prompts, "head.weight": [6, 64], "head.bias": [6]}
    assert len(raw) == 8 + length + max(tensor["data_offsets"][1] for tensor in tensors.values())


class TestPlan:
    """The prediction without training, and what the run then charges: the same code, so the same figures."""

    LINKS = ("--link.d2d.rate", "uniform(1, 80) Mbit/s")

    @pytest.fixture(scope="class")
    def folder(self, tmp_path_factory):
        return tmp_path_factory.mktemp("plan")

    @pytest.fixture(scope="class")
    def planned(self, plan, folder):
        return plan("--output", folder / "plan.h5", *self.LINKS)

    @pytest.fixture(scope="class")
    def run(self, finetune, folder):
        return finetune("--output", folder / "run.h5", *self.LINKS, ranks=2)

    @staticmethod
    def forecast_of(text):
        """The lines of a table of results that do not depend on training."""
        lines = text.splitlines()
        return lines[lines.index("Latency") + 2:lines.index("Run")]

    def test_plan_predicts_what_the_run_charges(self, planned, run):
        assert planned.returncode == 0, planned.stderr
        assert run.returncode == 0, run.stderr
        assert self.forecast_of(planned.stdout) == self.forecast_of(run.stdout)

    def test_its_file_holds_the_events_of_the_run(self, planned, run, folder):
        assert (table(folder / "plan.h5", "events") == table(folder / "run.h5", "events")).all()
        assert status(folder / "plan.h5") == "complete"
        with h5py.File(folder / "plan.h5") as file:
            assert file.attrs["command"] == "plan"

    def test_it_writes_nothing_without_an_output(self, plan, tmp_path):
        done = plan(*self.LINKS, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert not list(tmp_path.iterdir())


def test_flowers_through_a_real_vit_tiny_in_two_chains_of_four(gaisnet, tmp_path):
    """Real photographs and weights, where they are: $GAISNET_DATA, else shared/data beside the project."""
    data = pathlib.Path(os.environ.get("GAISNET_DATA", PROJECT.parent / "shared" / "data"))
    weights, photos = data / "vit_tiny_patch16_224_augreg.fp16.safetensors", data / "flowers224"
    if not (weights.exists() and photos.exists()):
        pytest.skip(f"real photographs and weights are not in {data} (GAISNET_DATA names another folder)")
    done = gaisnet("finetune", "--config", PROJECT / "configs" / "flowers_vit_tiny.cfg", "--model.weights", weights,
                   "--data.root", photos, "--output", tmp_path / "flowers.h5", "--progress", "none",
                   "--network.clusters", 2, "--data.per_cluster", 60, "--data.train_fraction", 0.98,
                   "--train.rounds", 1, "--train.lr", 0.01, ranks=2, timeout=200)
    assert done.returncode == 0, done.stderr
    # Five classes: 62 % were measured with these weights, 30 % with random ones.
    assert float(re.search(r"accuracy +([0-9.]+) %", done.stdout)[1]) > 50


class TestCloud:
    """Two edges, whose models are averaged at the cloud."""

    SETTINGS = ("--network.edges", 2, "--cloud.period", 2, "--train.rounds", 4, "--probe.samples", 24,
                "--data.partition", "dirichlet(0.5)")

    @pytest.fixture(scope="class")
    def cloud(self, finetune, tmp_path_factory):
        output = tmp_path_factory.mktemp("cloud") / "cloud.h5"
        done = finetune("--output", output, *self.SETTINGS, ranks=1)
        assert done.returncode == 0, done.stderr
        assert "Accuracy by domain" in done.stdout
        return output

    def test_it_is_the_same_on_three_ranks(self, finetune, cloud, tmp_path):
        output = tmp_path / "cloud.h5"
        done = finetune("--output", output, *self.SETTINGS, ranks=3)
        assert done.returncode == 0, done.stderr
        assert_same_tuning(cloud, output)

    def test_every_model_is_judged_on_every_domain(self, cloud):
        judged = table(cloud, "accuracy_by_domain")
        assert len(judged) == 3 + 2 * 3 + 2 * 3 * 2
        assert set(judged["model"]) == {b"untuned", b"cloud", b"edge0", b"edge1"}

    def test_there_are_two_federations(self, cloud):
        assert table(cloud, "federations")["round"].tolist() == [2, 4]


class TestRanksByClient:
    """LoRA of unequal ranks: the same on any number of ranks of MPI, forecast, saved and served."""

    SETTINGS = ("--tuning.method", "lora", "--tuning.rank", "choice(2, 4, 8)", "--tuning.rank_by", "memory",
                "--device.client.memory", "uniform(1, 8) GB", "--train.rounds", 2)

    @pytest.mark.parametrize("average", ["pad", "truncate", "product"])
    def test_it_is_the_same_on_three_ranks_as_predicted_and_resumed(self, finetune, plan, tmp_path, average):
        settings = (*self.SETTINGS, "--tuning.average", average)
        one, three = tmp_path / "one.h5", tmp_path / "three.h5"
        done = finetune("--output", one, *settings)
        assert done.returncode == 0, done.stderr
        first = finetune("--output", three, *settings, "--checkpoint.every", 1, "--placement", "node", ranks=3)
        assert first.returncode == 0, first.stderr
        assert_same_tuning(one, three)
        assert plan("--output", tmp_path / "plan.h5", *settings).returncode == 0
        assert (table(tmp_path / "plan.h5", "events") == table(one, "events")).all()

    def test_nodes_have_their_ranks_and_the_file_has_the_largest(self, finetune, gaisnet, tmp_path):
        output = tmp_path / "ranks.h5"
        done = finetune("--output", output, *self.SETTINGS)
        assert done.returncode == 0, done.stderr
        nodes = table(output, "topology/nodes")
        clients = nodes[nodes["role"] == b"client"]
        ranks = clients["tuning_rank"]
        assert set(ranks) == {2, 4, 8}
        assert set(nodes[nodes["role"] == b"edge"]["tuning_rank"]) == {8}
        assert (np.diff(ranks[np.argsort(clients["memory_bytes"])]) >= 0).all()
        raw = output.with_suffix(".safetensors").read_bytes()
        header = json.loads(raw[8:8 + int.from_bytes(raw[:8], "little")])
        assert header["__metadata__"]["rank"] == "8"
        assert header["blocks.0.attn.query.lora_a"]["shape"] == [8, 64]
        assert header["blocks.0.attn.query.lora_b"]["shape"] == [64, 8]


@pytest.mark.parametrize("method, kernels", [("head", None), ("head", "Haswell"), ("prompt_deep", None)])
def test_cached_outputs_change_not_a_bit(finetune, tmp_path, method, kernels):
    """Also with BLAS kernels that round rows of a product by their place in it, as those for AVX2 do."""
    plain, cached = tmp_path / "plain.h5", tmp_path / "cached.h5"
    settings = ("--train.rounds", 3, "--tuning.method", method)
    env = {"OPENBLAS_CORETYPE": kernels} if kernels else {}
    done = finetune("--output", plain, *settings, ranks=2, env=env)
    assert done.returncode == 0, done.stderr
    done = finetune("--output", cached, *settings, "--cache", "on", ranks=3, env=env)
    assert done.returncode == 0, done.stderr
    assert_same_tuning(plain, cached)


def test_a_run_ends_when_batteries_are_empty(finetune, plan, tmp_path):
    """Nobody can take part any more. So does a run that is resumed, on all ranks, and a plan."""
    output = tmp_path / "batteries.h5"
    settings = ("--train.rounds", 500, "--device.client.battery", "uniform(1, 4) J")
    first = finetune("--output", output, *settings, ranks=2)
    output.with_suffix(".safetensors").unlink()  # else nothing is left to do
    again = finetune("--output", output, *settings, "--resume", "auto", ranks=2)
    planned = plan("--output", tmp_path / "planned.h5", *settings)
    for done in (first, again):
        assert done.returncode == 0, done.stderr
        assert "batteries are empty" in done.stdout
    rounds = [re.search(r"^  rounds  +(\d+)", done.stdout, re.MULTILINE)[1] for done in (first, again, planned)]
    assert len(set(rounds)) == 1
    assert int(rounds[0]) < 500


class TestRealClock:
    """clock = real: the same results, later."""

    # This machine computes faster than that.
    SLOW = ("--link.d2d.latency", "20 ms", "--device.client.rate", "2 GFLOP/s")
    REAL = ("--clock", "real", "--time-scale", 0.5)

    @pytest.fixture(scope="class")
    def virtual(self, finetune, tmp_path_factory):
        output = tmp_path_factory.mktemp("virtual") / "virtual.h5"
        done = finetune("--output", output, *self.SLOW, ranks=2)
        assert done.returncode == 0, done.stderr
        return output

    @pytest.fixture(scope="class")
    def real(self, finetune, tmp_path_factory):
        output = tmp_path_factory.mktemp("real") / "real.h5"
        done = finetune("--output", output, *self.SLOW, *self.REAL, ranks=2)
        assert done.returncode == 0, done.stderr
        assert "lateness" in done.stdout
        return output

    def test_it_tunes_the_same_modules(self, virtual, real):
        assert same_bytes(virtual.with_suffix(".safetensors"), real.with_suffix(".safetensors"))

    def test_rounds_take_the_emulated_time(self, virtual, real):
        rounds = table(real, "rounds")
        assert (rounds["wall_s"] >= 0.5 * rounds["latency_s"]).all()
        assert (rounds["latency_s"] == table(virtual, "rounds")["latency_s"]).all()

    def test_parts_of_lateness_add_up(self, virtual, real):
        late = table(real, "fidelity")
        parts = late["upstream_s"] + late["own_compute_s"] + late["neighbour_s"] + late["timer_s"]
        assert len(late) > 0
        assert (abs(parts - late["late_s"]) < 1e-9).all()
        assert len(table(virtual, "fidelity")) == 0

    def test_the_file_says_which_clock(self, real):
        with h5py.File(real) as file:
            assert file.attrs["clock"] == "real"
            assert file.attrs["time_scale"] == 0.5

    @pytest.mark.parametrize("settings", [
        pytest.param(("--network.edges", 2, "--cloud.period", 1), id="cloud"),
        pytest.param(("--scheme", "sl"), id="sl"),
    ])
    def test_it_goes_with_a_cloud_and_with_turns(self, finetune, tmp_path, settings):
        output = tmp_path / "clock.h5"
        done = finetune("--output", output, *self.SLOW, *settings, *self.REAL, ranks=2)
        assert done.returncode == 0, done.stderr
        rounds, late = table(output, "rounds"), table(output, "fidelity")["late_s"]
        assert (rounds["wall_s"] >= 0.5 * rounds["latency_s"]).all()
        assert len(late) > 0
        assert (late >= 0).all(), "no message is used before its time"

    @pytest.mark.parametrize("settings, message", [
        pytest.param(("--time-scale", 0.001), "time_scale = 0.001 cannot be kept", id="before"),
        # The estimate leaves out what messages cost.
        pytest.param((), "was not kept|cannot be kept", id="after-a-round"),
    ])
    def test_strict_fidelity_ends_what_cannot_keep_up(self, finetune, tmp_path, settings, message):
        done = finetune("--output", tmp_path / "strict.h5", *self.SLOW, "--clock", "real", *settings,
                        "--strict-fidelity", "on", "--fidelity.tolerance", "1 us", ranks=2)
        assert done.returncode == 3, done.stderr
        assert done.stderr.count("gaisnet: error:") == 1
        assert re.search(message, done.stderr)


def test_calibrate_prints_settings_that_plan_accepts(gaisnet, tmp_path):
    calibrated = gaisnet("calibrate", "--model.weights", "random", "--data.samples", 120)
    assert calibrated.returncode == 0, calibrated.stderr
    assert "rate = " in calibrated.stdout
    config = tmp_path / "calibrated.cfg"
    config.write_text(calibrated.stdout)
    planned = gaisnet("plan", "--config", config, "--data.samples", 120)
    assert planned.returncode == 0, planned.stderr


def test_chains_that_are_cut_for_want_of_groups_are_told(finetune, tmp_path):
    settings = ("--network.clusters", 4, "--runtime.fuse", 2, "--train.rounds", 1, "--overwrite", "on")
    told = [finetune("--output", tmp_path / "run.h5", *settings, *more, ranks=ranks)
            for ranks, more in ((3, ()), (2, ()), (3, ("--runtime.fuse", "off")))]
    assert all(done.returncode == 0 for done in told), told
    assert ["3 ranks are more than the 2 groups of clusters" in done.stderr for done in told] == [True, False, False]


def test_a_run_reads_the_network_that_a_dry_run_wrote(finetune, tmp_path):
    drawn, read = tmp_path / "drawn.h5", tmp_path / "read.h5"
    settings = ("--link.cs_up.rate", "uniform(20, 80) Mbit/s", "--device.client.rate", "uniform(0.2, 2) TFLOP/s")
    done = finetune("--output", drawn, *settings, "--dry-run", ranks=1)
    assert done.returncode == 0, done.stderr
    network = tmp_path / "drawn.network.json"
    assert network.exists()
    finetune("--output", drawn, *settings, ranks=1)
    done = finetune("--output", read, *settings, "--network.file", network, ranks=2)
    assert done.returncode == 0, done.stderr
    assert_same_tuning(drawn, read)


def test_start_points_have_the_available_part_of_their_shares(finetune, tmp_path):
    def samples(name, *settings):
        output = tmp_path / name
        done = finetune("--output", output, "--train.rounds", 1, "--network.clusters", 6, *settings, ranks=1)
        assert done.returncode == 0, done.stderr
        rows = table(output, "topology/samples")
        return [int(rows["samples"][rows["node"] == node].sum()) for node in np.unique(rows["node"])]

    shares, parts = samples("shares.h5"), samples("parts.h5", "--data.available", "uniform(0.2, 0.9)")
    assert len(shares) == 6
    assert len(set(parts)) > 3
    assert all(0.2 * share - 1 <= part <= 0.9 * share + 1 for share, part in zip(shares, parts)), f"{parts} of {shares}"


class TestEvaluations:
    """Rounds need not be evaluated, and not with all validation samples."""

    def test_some_rounds_have_none_and_the_others_are_as_ever(self, finetune, tmp_path):
        common = ("--train.rounds", 5, "--train.charge_evaluation", "on")
        each, some = tmp_path / "each.h5", tmp_path / "some.h5"
        assert finetune("--output", each, *common).returncode == 0
        done = finetune("--output", some, *common, "--train.evaluate_every", 2)
        assert done.returncode == 0, done.stderr
        known, found = table(each, "rounds"), table(some, "rounds")
        assert np.isnan(found["accuracy"]).tolist() == [True, False, True, False, False]
        evaluated = ~np.isnan(found["accuracy"])
        assert (found["loss"][evaluated] == known["loss"][evaluated]).all()
        assert (found["train_loss"] == known["train_loss"]).all()
        kinds = [kind.decode() for kind in table(some, "events")["kind"]]
        assert kinds.count("evaluate") == 3
        assert f"accuracy {100 * known['accuracy'][-1]:>22.2f} %".split() == next(
            line for line in done.stdout.splitlines() if line.strip().startswith("accuracy") and "%" in line).split()[:3]

    def test_it_goes_on_from_a_checkpoint(self, finetune, tmp_path):
        common = ("--train.rounds", 5, "--train.evaluate_every", 2)
        whole, resumed = tmp_path / "whole.h5", tmp_path / "resumed.h5"
        assert finetune("--output", whole, *common).returncode == 0
        assert finetune("--output", resumed, *common).returncode == 0
        for round_folder in sorted(resumed.with_suffix(".ckpt").glob("round_*"))[-1:]:
            (round_folder / "DONE").unlink()  # the newest checkpoint is damaged, so the run goes on from the one before
        done = finetune("--output", resumed, *common, "--resume", "auto")
        assert done.returncode == 0, done.stderr
        assert_same_tuning(whole, resumed)

    def test_validation_samples_are_as_many_as_asked_for(self, finetune, tmp_path):
        output = tmp_path / "few.h5"
        done = finetune("--output", output, "--data.validation_samples", 7)
        assert done.returncode == 0, done.stderr
        assert "96 training and 7 validation samples" in done.stderr
        assert np.allclose(7 * table(output, "rounds")["accuracy"], np.round(7 * table(output, "rounds")["accuracy"]))

    def test_a_loss_far_above_that_of_guessing_gets_a_hint(self, finetune, tmp_path):
        done = finetune("--output", tmp_path / "a.h5", "--train.lr", 50)
        assert done.returncode == 0, done.stderr
        assert "far above 1.79, that of guessing among 6 classes: is train.lr = 50 too large?" in done.stderr
        assert "guessing" not in finetune("--output", tmp_path / "b.h5").stderr
