"""A run as TensorBoard and a second terminal see it: analysis.follow, and gaisnet watch."""

import os
import pathlib
import signal
import struct
import subprocess
import sys
import time

import pytest
from support.results import table

PROJECT = pathlib.Path(__file__).resolve().parents[2]
SMALL = ("--data.samples", 60, "--network.clients", 3, "--model.weights", "random", "--overwrite", "on", "--progress", "none")
LONG = ("--data.samples", 1200, "--model.weights", "random", "--overwrite", "on", "--progress", "none", "--train.rounds", 400)


@pytest.fixture(scope="module")
def clouded(gaisnet, tmp_path_factory):
    output = tmp_path_factory.mktemp("follow") / "clouded.h5"
    done = gaisnet("finetune", *SMALL, "--train.rounds", 3, "--network.edges", 2, "--cloud.period", 1, "--output", output)
    assert done.returncode == 0, done.stderr
    return output


@pytest.fixture
def under_way(gaisnet, tmp_path):
    """A long run, and its results file."""
    output = tmp_path / "long.h5"
    child = subprocess.Popen([gaisnet.program, "finetune", *map(str, LONG), "--output", output], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    while child.poll() is None and not output.exists():
        time.sleep(0.1)
    yield child, output
    child.kill()
    child.wait()


class TestTensorBoard:
    @pytest.fixture
    def environment(self, monkeypatch):
        folder = os.environ.get("TENSORBOARDX_PACKAGES", "")
        monkeypatch.setenv("PYTHONPATH", folder)
        monkeypatch.syspath_prepend(folder)
        pytest.importorskip("tensorboardX")

    @staticmethod
    def follow(*words):
        return subprocess.run([sys.executable, "-m", "analysis.follow", *map(str, words)], capture_output=True, text=True, cwd=PROJECT,
                              timeout=100)

    @staticmethod
    def scalars(folder):
        """The scalars in the event files of a folder: {name: [(step, wall time, value)]}. A record is its length, a checksum of
        that, an Event, and a checksum of it."""
        from tensorboardX.proto.event_pb2 import Event
        found = {}
        for path in sorted(folder.glob("events.out.tfevents.*")):
            content, place = path.read_bytes(), 0
            while place < len(content):
                size, = struct.unpack_from("<Q", content, place)
                event = Event.FromString(content[place + 12:place + 12 + size])
                place += size + 16
                for value in event.summary.value:
                    found.setdefault(value.tag, []).append((event.step, event.wall_time, value.simple_value))
        return found

    def test_each_edge_has_its_curves(self, environment, clouded, tmp_path):
        done = self.follow(clouded, "--tensorboard", tmp_path / "board")
        assert done.returncode == 0, done.stderr
        rounds = table(clouded, "rounds")
        for edge in range(2):
            found, own = self.scalars(tmp_path / "board" / f"edge{edge}"), rounds[rounds["edge"] == edge]
            assert [step for step, _, _ in found["validation/accuracy"]] == [1, 2, 3]
            assert [value for _, _, value in found["validation/accuracy"]] == pytest.approx(list(own["accuracy"]), rel=1e-6)
            assert [wall for _, wall, _ in found["validation/accuracy"]] == pytest.approx(list(own["end_s"]), rel=1e-6)
            assert found["cost/energy_J"][-1][2] == pytest.approx(own["energy_j"].sum(), rel=1e-6)

    def test_it_goes_along_with_a_run(self, environment, under_way, tmp_path):
        child, output = under_way
        follower = subprocess.Popen([sys.executable, "-m", "analysis.follow", output, "--tensorboard", tmp_path / "board", "--every", "0.2"],
                                    cwd=PROJECT, stdout=subprocess.PIPE, text=True)
        while follower.poll() is None and len(self.scalars(tmp_path / "board").get("validation/accuracy", [])) < 3:
            time.sleep(0.1)
        assert child.poll() is None
        child.send_signal(signal.SIGTERM)
        said = follower.communicate(timeout=60)[0]
        child.wait(timeout=60)
        assert f"{len(table(output, 'rounds'))} rounds" in said

    def test_what_is_missing_is_said(self, tmp_path):
        done = self.follow(tmp_path / "none.h5", "--tensorboard", tmp_path / "board")
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1


class TestWatch:
    def test_every_round_of_a_finished_run_has_a_line(self, gaisnet, clouded):
        done = gaisnet("watch", clouded)
        assert done.returncode == 0, done.stderr
        lines, rounds = done.stdout.splitlines(), table(clouded, "rounds")
        assert len(lines) == 2 + len(rounds)
        for line, row in zip(lines[1:], rounds):
            assert line.startswith(f"round {row['round']}/3  edge{row['edge']}  accuracy {100 * row['accuracy']:.2f} %")
        assert lines[-1] == "complete: train.rounds = 3 reached"

    def test_it_goes_along_with_a_run_until_that_ends(self, gaisnet, under_way):
        child, output = under_way
        watching = subprocess.Popen([gaisnet.program, "watch", output], stdout=subprocess.PIPE, text=True)
        lines = [watching.stdout.readline() for _ in range(4)]
        assert [line.split()[1] for line in lines[1:]] == ["1/400", "2/400", "3/400"]
        assert "left" in lines[-1]
        child.kill()
        assert "its writer is gone" in watching.communicate(timeout=30)[0]
        assert watching.returncode == 0

    def test_it_can_be_interrupted(self, gaisnet, under_way):
        watching = subprocess.Popen([gaisnet.program, "watch", under_way[1]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        watching.communicate(timeout=30)
        assert watching.returncode == 130
        assert under_way[0].poll() is None, "the run goes on"

    def test_plans_and_requests_can_be_watched(self, gaisnet, tmp_path):
        for words, shown in ((("plan", "--train.rounds", 2), "round 2/2  emulated"), (("infer", "--infer.requests", 3), "12 requests are")):
            output = tmp_path / f"{words[0]}.h5"
            assert gaisnet(*words, *SMALL, "--output", output).returncode == 0
            done = gaisnet("watch", output)
            assert done.returncode == 0, done.stderr
            assert shown in done.stdout
            assert "nan" not in done.stdout

    @pytest.mark.parametrize("words, message", [
        ((), "FILE is missing"), (("none.h5",), "no such file"), (("text.h5",), "not an HDF5 file"), (("other.h5",), "not a results file"),
        (("a.h5", "b.h5"), "too much")])
    def test_others_are_refused(self, gaisnet, tmp_path, words, message):
        h5py = pytest.importorskip("h5py")
        (tmp_path / "text.h5").write_text("text")
        with h5py.File(tmp_path / "other.h5", "w") as file:
            file["x"] = 1
        done = gaisnet("watch", *(tmp_path / word for word in words))
        assert done.returncode == 2
        assert message in done.stderr
        assert len(done.stderr.splitlines()) == 1
