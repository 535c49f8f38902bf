"""gaisnet infer as a user runs it: tuned modules answer requests, the same on any number of ranks; a folder of one's own
images; what other models and no modules at all give."""

import re
import signal
import time

import pytest
from support.files import same_bytes
from support.images import png
from support.processes import wait_until
from support.results import checkpoints, differences, predictions, status, table

h5py = pytest.importorskip("h5py")

SMALL = ("--data.samples", 240, "--network.clusters", 2, "--network.clients", 3, "--progress", "none", "--overwrite", "on",
         "--log_level", "warning")
LATENCY_PARTS = ("sensing_s", "queue_s", "delivery_s", "compute_s", "edge_s", "d2d_s", "cs_smashed_s", "result_s", "busy_s")


@pytest.fixture(scope="module")
def untuned(gaisnet, foundation_model):
    """`gaisnet infer` with the foundation model alone."""
    return gaisnet.bind("infer", *SMALL, "--model.weights", foundation_model)


@pytest.fixture(scope="module")
def infer(gaisnet, untuned, foundation_model, tmp_path_factory):
    """`gaisnet infer` with modules that were tuned once."""
    output = tmp_path_factory.mktemp("tuned") / "run.h5"
    done = gaisnet("finetune", *SMALL, "--model.weights", foundation_model, "--train.rounds", 3, "--tuning.method", "lora",
                   "--output", output)
    assert done.returncode == 0, done.stderr
    return untuned.bind("--infer.modules", output.with_suffix(".safetensors"))


def predictions_file(output):
    return output.with_suffix(".predictions.csv")


def accuracy(rows):
    return sum(row["label"] == row["predicted"] for row in rows) / len(rows)


class TestAnswers:
    REQUESTS = ("--infer.requests", 20)

    @pytest.fixture(scope="class")
    def answered(self, infer, tmp_path_factory):
        output = tmp_path_factory.mktemp("answered") / "answers.h5"
        done = infer("--output", output, *self.REQUESTS, "--placement", "auto")
        assert done.returncode == 0, done.stderr
        return output

    @pytest.mark.parametrize("ranks, placement", [(2, "node"), (3, "node"), (2, "cluster")])
    def test_ranks_and_placement_give_the_same_answers_and_latencies(self, infer, answered, tmp_path, ranks, placement):
        output = tmp_path / "answers.h5"
        done = infer("--output", output, *self.REQUESTS, "--placement", placement, ranks=ranks)
        assert done.returncode == 0, done.stderr
        assert same_bytes(predictions_file(answered), predictions_file(output))

    def test_every_request_is_answered(self, answered):
        rows = predictions(answered)
        assert len(rows) == 40
        assert {row["requester"] for row in rows} == {"c0.0", "c1.0"}

    def test_most_answers_are_right(self, answered):
        assert accuracy(predictions(answered)) > 0.6

    def test_parts_add_up_to_latencies(self, answered):
        rows = table(answered, "inference")
        assert abs(sum(rows[part] for part in LATENCY_PARTS) - rows["latency_s"]).max() < 1e-9

    def test_the_results_file_holds_the_predictions(self, answered):
        rows, told = table(answered, "inference"), predictions(answered)
        assert [row.decode() for row in rows["predicted"]] == [row["predicted"] for row in told]
        assert all(abs(row["latency_s"] - float(its["latency_s"])) < 1e-8 for row, its in zip(rows, told))
        assert status(answered) == "complete"

    def test_energy_is_that_of_the_events(self, answered):
        energy = table(answered, "energy")
        active = energy["total_j"].sum() - energy["idle_j"].sum() - energy["base_j"].sum()
        assert abs(active - table(answered, "events")["energy_j"].sum()) < 1e-9 * active


def test_the_foundation_model_answers_without_modules(untuned, tmp_path):
    output = tmp_path / "untuned.h5"
    done = untuned("--output", output, "--infer.requests", 50)
    assert done.returncode == 0, done.stderr
    assert "untuned" in done.stdout
    assert accuracy(predictions(output)) > 0.4, "class means are not far above chance"


class TestDelivery:
    KINDS = ("tunable", "full", "none")

    @pytest.fixture(scope="class")
    def outputs(self, infer, tmp_path_factory):
        """Results files by the kind of delivery."""
        folder = tmp_path_factory.mktemp("delivery")
        outputs = {kind: folder / f"{kind}.h5" for kind in self.KINDS}
        for kind, output in outputs.items():
            done = infer("--output", output, "--delivery", kind, "--infer.requests", 5)
            assert done.returncode == 0, done.stderr
        return outputs

    def test_every_kind_answers_alike(self, outputs):
        assert len({tuple(row["predicted"] for row in predictions(output)) for output in outputs.values()}) == 1

    def test_less_is_sent_the_less_is_delivered(self, outputs):
        def delivered_bytes(kind):
            events = table(outputs[kind], "events")
            return int(events["bytes"][events["kind"] == b"send_modules_down"].sum())

        assert delivered_bytes("full") > 10 * delivered_bytes("tunable") > 0
        assert delivered_bytes("none") == 0


def test_clusters_compute_together_and_answer_what_they_answer_alone(infer, tmp_path):
    said = {}
    for fuse in ("off", "4"):
        output = tmp_path / f"{fuse}.h5"
        done = infer("--output", output, "--infer.requests", 5, "--network.clusters", 4, "--runtime.fuse", fuse,
                     "--infer.arrivals", "burst", "--log_level", "info")
        assert done.returncode == 0, done.stderr
        computations, batches = map(int, re.search(r"computed (\d+) times, for (\d+) batches", done.stderr).groups())
        assert batches == computations * (1 if fuse == "off" else 4)
        said[fuse] = [(row["requester"], row["predicted"], row["probability"]) for row in predictions(output)]
    assert said["off"] == said["4"]


def test_the_table_ends_with_what_decided_the_latency(infer, tmp_path):
    done = infer("--output", tmp_path / "slow.h5", "--infer.requests", 5, "--link.d2d.rate", "100 kbit/s")
    assert done.returncode == 0, done.stderr
    told = done.stdout.partition("What decided the latency\n")[2]
    assert "of a request's latency" in told and "to try: " in told, done.stdout
    assert "link.d2d.rate =" not in told, "it was given, so it is no assumption"


def test_a_folder_of_images_without_labels_is_classified(infer, tmp_path):
    images = tmp_path / "images"
    (images / "sub").mkdir(parents=True)
    names = ["a.png", "b, with comma.png", "sub/c.png"]
    for number, name in enumerate(names):
        (images / name).write_bytes(png(bytes((80 * number, 200, 30)) * 40 * 40, 40))
    (images / "broken.png").write_bytes(b"no image")
    (images / "notes.txt").write_text("not an image")
    output = tmp_path / "own.h5"
    done = infer("--output", output, "--infer.images", images)
    assert done.returncode == 0, done.stderr
    assert "broken.png" in done.stderr
    rows = predictions(output)
    assert sorted(row["image"] for row in rows) == names
    assert all(row["label"] == "" and row["predicted"] for row in rows)


class TestStopped:
    """Asked to stop, it keeps what has been answered, and goes on with it on other ranks to the same bits."""

    @pytest.fixture(scope="class")
    def many(self, infer):
        return infer.bind("--infer.requests", 400, "--infer.batch", 4, "--checkpoint.part", "0.1 s")

    @pytest.fixture(scope="class")
    def resume(self, many):
        return many.bind("--resume", "auto", "--overwrite", "off")

    @pytest.fixture(scope="class")
    def whole(self, many, tmp_path_factory):
        output = tmp_path_factory.mktemp("whole") / "whole.h5"
        done = many("--output", output)
        assert done.returncode == 0, done.stderr
        return output

    @pytest.fixture
    def stopped(self, many, tmp_path):
        output = tmp_path / "stopped.h5"
        with many.start("--output", output, ranks=2) as process:
            wait_until(lambda: checkpoints(output) or process.poll() is not None, step=0.01)
            process.send_signal(signal.SIGTERM)
            _, stderr = process.communicate(timeout=60)
        assert process.returncode == 75, stderr
        assert re.search("after [0-9]+ of [0-9]+ batches; resumable", stderr), stderr
        return output

    def test_it_goes_on_to_the_same_answers(self, resume, whole, stopped):
        done = resume("--output", stopped, "--log_level", "info", ranks=3)
        assert done.returncode == 0, done.stderr
        assert "after batch" in done.stderr
        done = resume("--output", stopped, "--log_level", "info")
        assert done.returncode == 0, done.stderr
        assert "nothing is left" in done.stderr
        assert same_bytes(predictions_file(whole), predictions_file(stopped))
        assert not differences(whole, stopped, ("inference", "events", "energy", "communication/links"))

    def test_another_run_does_not_take_its_place(self, resume, stopped):
        done = resume("--output", stopped, "--seed", 2)
        assert done.returncode == 2, done.stderr
        assert "seed" in done.stderr


class TestRealClock:
    SLOW = ("--infer.requests", 12, "--infer.rate", 8, "--link.d2d.latency", "20 ms")

    def test_it_gives_the_same_answers_and_not_before_their_time(self, infer, tmp_path):
        virtual, real = tmp_path / "virtual.h5", tmp_path / "real.h5"
        done = infer("--output", virtual, *self.SLOW)
        assert done.returncode == 0, done.stderr
        begin = time.monotonic()
        done = infer("--output", real, *self.SLOW, "--clock", "real", ranks=2)
        took = time.monotonic() - begin
        assert done.returncode == 0, done.stderr
        assert "lateness" in done.stdout
        rows = predictions(real)
        assert rows == predictions(virtual)
        assert took > max(float(row["arrival_s"]) + float(row["latency_s"]) for row in rows) > 1
        late = table(real, "fidelity")
        assert len(late) == (table(real, "events")["receivers"] > 0).sum(), "not every message has a lateness"
        assert (late["late_s"] >= 0).all()
        with h5py.File(real) as file:
            assert file.attrs["clock"] == "real"

    def test_strict_fidelity_ends_what_cannot_keep_up(self, infer, tmp_path):
        done = infer("--output", tmp_path / "strict.h5", *self.SLOW, "--clock", "real", "--time_scale", 1e-4,
                     "--strict_fidelity", "on", "--fidelity.tolerance", "1 us", ranks=2)  # fast machines are 10 ms late
        assert done.returncode == 3, done.stderr
        assert re.search("was not kept|cannot be kept", done.stderr)


def test_settings_that_the_modules_were_not_tuned_with_are_refused(infer, tmp_path):
    output = tmp_path / "refused.h5"
    done = infer("--output", output, "--tuning.method", "prefix")
    assert done.returncode == 2, done.stderr
    assert "tuning.method = lora" in done.stderr
    assert not output.exists()


def test_a_dry_run_predicts_and_writes_nothing(infer, tmp_path):
    output = tmp_path / "dry.h5"
    done = infer("--output", output, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "Prediction" in done.stdout
    assert not output.exists()
