"""gaisnet pretrain as a user runs it: the same model on any number of ranks, with and without labels, and stopped runs that
go on."""

import contextlib
import os
import pathlib
import signal
import subprocess

import pytest
from support.files import same_bytes
from support.images import png
from support.processes import ranks_of, wait_until

TINY = ("--pretrain.samples", 64, "--pretrain.domains", 1)


@pytest.fixture(scope="module")
def pretrain(gaisnet):
    return gaisnet.bind("pretrain", "--progress", "none")


def checkpoints(output):
    """The complete checkpoints beside a model, oldest first."""
    return sorted(marker.parent for marker in pathlib.Path(f"{output}.ckpt").glob("round_*/DONE"))


def draw_photos(folder, count):
    """Images of one colour each."""
    folder.mkdir()
    for number in range(count):
        (folder / f"{number}.png").write_bytes(png(bytes([240 // count * number, 9, 200]) * 1600, 40))


class TestRanks:
    @pytest.fixture(scope="class")
    def short(self, pretrain):
        return pretrain.bind(*TINY, "--pretrain.epochs", 1)

    @pytest.fixture(scope="class")
    def models(self, short, tmp_path_factory):
        folder = tmp_path_factory.mktemp("models")
        models = {ranks: folder / f"fm{ranks}.safetensors" for ranks in (1, 3)}
        for ranks, output in models.items():
            done = short("--output", output, ranks=ranks)
            assert done.returncode == 0, done.stderr
        return models

    def test_any_number_of_them_gives_the_same_model(self, models):
        assert same_bytes(*models.values())

    def test_an_output_that_exists_is_refused_without_a_hang(self, short, models):
        done = short("--output", models[3], ranks=3, timeout=30)
        assert done.returncode == 2, done.stderr
        assert done.stderr.count("gaisnet: error:") == 1
        assert "exists" in done.stderr

    def test_nothing_is_written_when_training_diverges(self, short, tmp_path):
        output = tmp_path / "diverged.safetensors"
        done = short("--output", output, "--pretrain.lr", "1e30", "--pretrain.epochs", 9, ranks=3)
        assert done.returncode == 1, done.stderr
        assert "diverged" in done.stderr
        assert done.stderr.count("gaisnet: error:") == 1
        assert not output.exists()

    def test_more_of_them_than_parts_of_a_batch_are_refused(self, short, tmp_path):
        done = short("--output", tmp_path / "fm.safetensors", "--pretrain.shards", 2, ranks=3)
        assert done.returncode == 2, done.stderr
        assert "pretrain.shards = 2" in done.stderr


class TestWithoutLabels:
    """Masked image modelling: on a folder that knows no classes, and better than no training."""

    @pytest.fixture(scope="class")
    def photos(self, tmp_path_factory):
        folder = tmp_path_factory.mktemp("unsorted")
        (folder / "more").mkdir()
        for number in range(80):
            pixels = bytes((40 * (number % 6) + 3 * ((x // 4 + y // 4) % 2) * 20) % 256 for y in range(40) for x in range(40)
                           for _ in range(3))
            (folder / ("more" if number % 2 else ".") / f"{number:02}.png").write_bytes(png(pixels, 40))
        return folder

    @pytest.fixture(scope="class")
    def models(self, pretrain, photos, tmp_path_factory):
        """On one rank and on two. Either learns to predict masked pixels."""
        folder = tmp_path_factory.mktemp("masked")
        models = [folder / f"masked{ranks}.safetensors" for ranks in (1, 2)]
        for ranks, output in enumerate(models, start=1):
            done = pretrain("--pretrain.objective", "masked", "--pretrain.root", photos, "--pretrain.batch", 16,
                            "--pretrain.epochs", 6, "--model.image", 32, "--output", output, ranks=ranks)
            assert done.returncode == 0, done.stderr
            errors = [float(line.split()[-1]) for line in done.stderr.splitlines() if "error of masked pixels" in line]
            assert len(errors) == 6
            assert errors[-1] < 0.8 * errors[0]
        return models

    def test_one_rank_and_two_give_the_same_model(self, models):
        assert same_bytes(*models)

    def test_the_model_has_no_head(self, models):
        header = models[0].read_bytes()[:20000]
        assert header.find(b'"head.') == -1
        assert header.find(b'"masked"') != -1

    def test_classes_are_asked_for_where_they_are_needed(self, gaisnet, photos, tmp_path):
        done = gaisnet("pretrain", "--pretrain.root", photos, "--output", tmp_path / "fm.safetensors")
        assert done.returncode == 2, done.stderr
        assert f"pretrain.root = {photos}" in done.stderr


class TestOutput:
    """What a run reads is never what it writes."""

    @pytest.mark.parametrize("output, culprit", [("own.cfg", "--config"), ("photos/1.png", "pretrain.root")])
    def test_an_input_is_refused(self, pretrain, tmp_path, output, culprit):
        config, photos, output = tmp_path / "own.cfg", tmp_path / "photos", tmp_path / output
        config.write_text("[pretrain]\nbatch = 2\n")
        draw_photos(photos, 4)
        before = output.read_bytes()
        done = pretrain("--config", config, "--pretrain.root", photos, "--pretrain.objective", "masked",
                        "--pretrain.shards", 1, "--output", output, "--overwrite", "on")
        assert done.returncode == 2, done.stderr
        assert culprit in done.stderr
        unchanged = output.read_bytes() == before
        assert unchanged

    def test_a_folder_that_does_not_exist_is_refused_before_the_training(self, gaisnet, tmp_path):
        output = tmp_path / "nowhere" / "fm.safetensors"
        done = gaisnet("pretrain", "--output", output, timeout=30)
        assert done.returncode == 2, done.stderr
        assert str(output) in done.stderr
        assert "pre-training" not in done.stderr


def test_going_on_from_an_older_checkpoint_removes_later_ones(pretrain, tmp_path):
    """They are of a run that then never was."""
    output = tmp_path / "fm.safetensors"

    def stop_when(reached, *settings):
        with pretrain.start(*TINY, "--pretrain.epochs", 2000, "--checkpoint.keep", 2000, "--output", output,
                            *settings) as process:
            wait_until(lambda: process.poll() is not None or reached(checkpoints(output)), step=0.005)
            process.send_signal(signal.SIGTERM)
            return process.communicate(timeout=60)[1]

    stop_when(lambda found: len(found) > 5)
    before = checkpoints(output)
    assert len(before) > 5
    # No other checkpoint before the end: all but the last are left from before, and there is no last one when the signal
    # came before the first epoch.
    log = stop_when(lambda found: len(found) < 3, "--resume", f"{output}.ckpt/round_000002", "--checkpoint.every", 0)
    after = checkpoints(output)
    assert "resuming after epoch 2" in log
    assert len(after) in (2, 3)
    assert after[:2] == before[:2]


def test_resume_has_nothing_to_do_when_the_model_is_there(pretrain, tmp_path):
    """With other settings it is not that model. It may lie among the images."""
    photos = tmp_path / "photos"
    draw_photos(photos, 8)
    output = photos / "fm.safetensors"
    settings = ("--pretrain.root", photos, "--pretrain.objective", "masked", "--pretrain.batch", 4, "--pretrain.epochs", 1,
                "--output", output, "--resume", "auto")
    done = pretrain(*settings, ranks=2)
    assert done.returncode == 0, done.stderr
    before = output.read_bytes()
    done = pretrain(*settings, ranks=2)
    assert done.returncode == 0, done.stderr
    assert "is there" in done.stderr
    unchanged = output.read_bytes() == before
    assert unchanged
    done = pretrain(*settings, "--pretrain.lr", 0.1, ranks=2)
    assert done.returncode == 2, done.stderr
    assert "exists" in done.stderr


def test_ranks_that_find_different_checkpoints_are_told(pretrain, mpirun, tmp_path):
    """Ranks on computers that do not share the folder would go on from different states."""
    for rank in "01":
        (tmp_path / rank).mkdir()
    settings = (*TINY, "--pretrain.epochs", 400, "--output", "fm.safetensors")
    with pretrain.start(*settings, cwd=tmp_path / "0") as process:
        wait_until(lambda: checkpoints(tmp_path / "0" / "fm.safetensors"), step=0.005)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    done = subprocess.run([mpirun, "-n", "2", "sh", "-c", 'cd "$OMPI_COMM_WORLD_RANK" && exec "$@"', "sh",
                           *pretrain.command(*settings, "--resume", "auto")],
                          cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done.stderr
    assert "rank 1 found another" in done.stderr
    assert done.stderr.count("gaisnet: error:") == 1


class TestStopped:
    """SIGTERM ends an epoch with a checkpoint; a kill leaves the last one; another number of ranks goes on."""

    @pytest.fixture(scope="class")
    def long(self, pretrain):
        return pretrain.bind("--pretrain.samples", 128, "--pretrain.domains", 2, "--pretrain.epochs", 25,
                             "--pretrain.objective", "masked")

    @pytest.fixture(scope="class")
    def whole(self, long, tmp_path_factory):
        """The model of a run that nobody disturbs."""
        output = tmp_path_factory.mktemp("whole") / "fm.safetensors"
        done = long("--output", output, ranks=1)
        assert done.returncode == 0, done.stderr
        return output

    @staticmethod
    def stop(process, number, program):
        if number == signal.SIGKILL:
            for rank in ranks_of(process, program):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(rank, number)
        else:
            process.send_signal(number)

    def test_no_checkpoint_is_left_behind_a_model(self, whole):
        assert not pathlib.Path(f"{whole}.ckpt").exists()

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
    def test_it_goes_on_to_the_same_model(self, long, whole, tmp_path, number):
        output = tmp_path / "fm.safetensors"
        with long.start("--output", output, ranks=2) as process:
            wait_until(lambda: process.poll() is not None or checkpoints(output), step=0.005)
            self.stop(process, number, long.program)
            _, stderr = process.communicate(timeout=60)
        assert process.returncode == 75 if number == signal.SIGTERM else process.returncode != 0, stderr
        assert not output.exists()
        assert checkpoints(output)

        done = long("--output", output, ranks=2)
        assert done.returncode == 2, "a new run writes over the checkpoint"
        assert "resume = auto" in done.stderr
        done = long("--output", output, "--resume", "auto", "--pretrain.lr", 0.1, ranks=2)
        assert done.returncode == 2, "it goes on with other settings"
        assert "pretrain.lr" in done.stderr

        newest = checkpoints(output)[-1]
        state = newest / "state.safetensors"
        undamaged = state.read_bytes()
        state.write_bytes(undamaged[:-3] + bytes([undamaged[-3] ^ 1]) + undamaged[-2:])
        done = long("--output", output, "--resume", newest, ranks=2)
        assert done.returncode == 2, "it goes on from a checkpoint with another bit"
        assert "state.safetensors is damaged" in done.stderr
        if number == signal.SIGTERM:  # else it is passed over, for the one before or a new beginning
            state.write_bytes(undamaged)

        done = long("--output", output, "--resume", "auto", ranks=3)
        assert done.returncode == 0, done.stderr
        assert "resuming after epoch" in done.stderr or "is damaged" in done.stderr
        assert same_bytes(whole, output)
        assert not pathlib.Path(f"{output}.ckpt").exists()
