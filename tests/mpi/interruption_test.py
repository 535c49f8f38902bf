"""Fine-tuning that is stopped, killed, started at a bad moment or has lost its files: it ends as a user can expect, leaves
nothing running, and goes on to the results of a run that nobody disturbed."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import pytest
from support.processes import is_alive, ranks_of, wait_until
from support.results import assert_same_tuning, checkpoints, status, table

LONG = ("--train.rounds", 12, "--train.stop", "rounds", "--data.samples", 600)
ENDLESS = ("--train.rounds", 3000)


def wait_for_checkpoint(output, process):
    """Whether the first one came before the end of the run, and in time."""
    wait_until(lambda: checkpoints(output) or process.poll() is not None, 40)
    return bool(checkpoints(output))


@pytest.fixture(scope="module")
def whole(finetune, tmp_path_factory):
    """The results of a run that nobody disturbs."""
    output = tmp_path_factory.mktemp("whole") / "whole.h5"
    done = finetune("--output", output, *LONG, ranks=2)
    assert done.returncode == 0, done.stderr
    return output


@pytest.mark.parametrize("ranks, number, ranks_later", [
    pytest.param(2, signal.SIGUSR1, 3, id="SIGUSR1-to-mpirun"),
    pytest.param(1, signal.SIGTERM, 2, id="SIGTERM-to-one-rank-alone"),
])
def test_a_stopped_run_goes_on_to_the_same_results(finetune, whole, tmp_path, ranks, number, ranks_later):
    output = tmp_path / "stopped.h5"
    with finetune.start("--output", output, *LONG, ranks=ranks) as process:
        assert wait_for_checkpoint(output, process)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 75, stderr
    assert "complete" not in status(output)
    done = finetune("--output", output, *LONG, "--resume", "auto", ranks=ranks_later)
    assert done.returncode == 0, done.stderr
    assert_same_tuning(whole, output)


@pytest.mark.parametrize("delay", [0.05, 0.4, 1])
def test_a_run_that_is_stopped_at_its_start_can_be_queued_again(finetune, tmp_path, delay):
    """A job may be preempted before its ranks listen."""
    with finetune.start("--output", tmp_path / "early.h5", *ENDLESS, ranks=2) as process:
        time.sleep(delay)
        process.send_signal(signal.SIGUSR1)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 75, stderr


@pytest.mark.parametrize("delays", [(0.2,), (0.2, 0.4), (3,), (3, 0.1)], ids=lambda delays: "-".join(map(str, delays)))
def test_ctrl_c_at_any_moment_and_twice(finetune, tmp_path, delays):
    with finetune.start("--output", tmp_path / "interrupted.h5", *ENDLESS, ranks=2) as process:
        for delay in delays:
            time.sleep(delay)
            process.send_signal(signal.SIGINT)
        begin = time.monotonic()
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "[ 0]" not in stderr and "***" not in stderr, "a stack trace"
    assert time.monotonic() - begin < 15


@pytest.mark.parametrize("epochs", [pytest.param(1, id="between-rounds"), pytest.param(9999, id="in-a-long-round")])
@pytest.mark.parametrize("ranks", [1, 2])
def test_ctrl_c_of_a_terminal(finetune, tmp_path, ranks, epochs):
    """It goes to the whole foreground group, of which mpirun must not be one."""
    output = tmp_path / "interrupted.h5"
    with finetune.start("--output", output, *ENDLESS, "--train.epochs", epochs, ranks=ranks) as process:
        if epochs == 1:
            assert wait_for_checkpoint(output, process)
        else:
            assert wait_until(output.exists, 40)
            time.sleep(2)
        os.killpg(process.pid, signal.SIGINT)
        begin = time.monotonic()
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert time.monotonic() - begin < 15
    assert stderr.count("gaisnet: error:") <= 1
    assert status(output) == "aborted"


@pytest.mark.parametrize("victim", [0, 1])
@pytest.mark.parametrize("phase", ["start", "end"])
def test_a_rank_that_is_stopped_for_good_hangs_nobody(finetune, tmp_path, phase, victim):
    """While MPI starts, or when everything is written."""
    output = tmp_path / "stopped.h5"
    mark = output.with_suffix(".ckpt") / "run.json"
    with finetune.start("--output", output, "--train.rounds", 1, "--runtime.silence", "4 s", ranks=2,
                        env={"GAISNET_MPI_LIMIT": "5"}) as process:
        ranks = []
        end = time.monotonic() + 30
        while time.monotonic() < end:
            ranks = ranks_of(process, finetune.program) if len(ranks) < 2 else ranks
            if len(ranks) == 2 and (phase == "start" or mark.exists() and '"ended": true' in mark.read_text()):
                break
            time.sleep(0.01)
        os.kill(ranks[victim], signal.SIGSTOP)
        _, stderr = process.communicate(timeout=40)
        ended = process.returncode == 1 and "gaisnet: error:" in stderr
        assert ended or phase == "end" and "it is killed" in stderr, f"code {process.returncode}: {stderr}"
        assert wait_until(lambda: not any(map(is_alive, ranks)), 10)


@pytest.mark.parametrize("name, value", [("TMPDIR", "/proc"), ("OMPI_MCA_rmaps", "nothing")])
def test_a_launch_that_fails_says_why(finetune, tmp_path, name, value):
    done = finetune("--output", tmp_path / "launch.h5", ranks=2, env={name: value})
    assert done.returncode not in (0, 75)
    assert "error" in done.stderr
    assert value in done.stderr


def test_leftovers_of_killed_runs_go_with_the_next_start(mpirun, tmp_path):
    """What a run that was killed with everything leaves outside of its own folder, and nothing else."""
    host, user = socket.gethostname().split(".")[0], os.getuid()
    gone, used = (tmp_path / f"ompi.{host}.{user}" / f"pid.{pid}" for pid in (99999999, os.getpid()))
    memory = pathlib.Path("/dev/shm") / f"vader_segment.{host}.{user}.gaisnettest.0"
    for folder in (gone, used):
        folder.mkdir(parents=True)
    memory.write_bytes(b"x")
    os.utime(memory, (time.time() - 100, time.time() - 100))
    subprocess.run([mpirun, "-n", "2", "true"], env={**os.environ, "TMPDIR": str(tmp_path)}, timeout=60, check=True)
    assert not gone.exists()
    assert used.exists()
    assert not memory.exists()


def test_a_run_goes_on_after_rounds_without_training(finetune, tmp_path):
    """Rounds in which nobody ended in time have no training results."""
    output = tmp_path / "untrained.h5"
    done = finetune("--output", output, "--round.wait", "1 us", ranks=1)
    assert done.returncode == 0, done.stderr
    output.unlink()  # it is written anew from the checkpoint
    done = finetune("--output", output, "--round.wait", "1 us", "--resume", "auto", ranks=2)
    assert done.returncode == 0, done.stderr


def test_a_run_goes_on_with_the_speeds_that_it_measured(finetune, tmp_path):
    output = tmp_path / "measured.h5"
    settings = ("--train.rounds", 12, "--data.samples", 600, "--compute", "measured", "--device.client.factor", 0.5)
    with finetune.start("--output", output, *settings, ranks=1) as process:
        assert wait_for_checkpoint(output, process)
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 75, stderr
    done = finetune("--output", output, *settings, "--resume", "auto", ranks=2)
    assert done.returncode == 0, done.stderr
    latency = table(output, "rounds")["latency_s"][1:]  # samples are sensed once
    assert len(latency) == 11
    assert (abs(latency - latency[0]) < 1e-9 * latency[0]).all(), latency
    stages = table(output, "topology/stages")
    assert len(stages) > 0
    assert (stages["forward_flop_s"] > 0).all()


def test_resume_where_there_is_nothing_to_resume(finetune, tmp_path):
    output = tmp_path / "again.h5"
    settings = (*ENDLESS, "--checkpoint.every", 0)
    with finetune.start("--output", output, *settings, ranks=1) as process:
        assert wait_until(output.exists, 40)
        time.sleep(1)
        process.kill()
    done = finetune("--output", output, *settings, "--overwrite", "off", ranks=1)
    assert done.returncode == 2, "an unfinished file is replaced unasked"
    assert "exists" in done.stderr
    unfinished = output.stat().st_mtime_ns
    with finetune.start("--output", output, *settings, "--overwrite", "off", "--resume", "auto", ranks=1) as process:
        wait_until(lambda: process.poll() is not None or output.exists() and output.stat().st_mtime_ns > unfinished)
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=30)
    assert process.returncode == 75, stderr  # it began anew
    output.unlink()

    done = finetune("--output", output, ranks=1)
    assert done.returncode == 0, done.stderr
    left = sorted(path.name for path in output.with_suffix(".ckpt").iterdir())
    assert left == ["round_000001", "round_000002", "run.json"], "a new run removes older checkpoints, and not its own"

    before = output.read_bytes()
    done = finetune("--output", output, "--resume", "auto", "--overwrite", "off", ranks=1)
    assert done.returncode == 0, done.stderr
    assert "come to its end" in done.stderr
    unchanged = output.read_bytes() == before
    assert unchanged


class TestDamage:
    """A finished run without its tuned modules, and something else of it damaged: --resume makes it whole again."""

    @pytest.fixture(scope="class")
    def undamaged(self, finetune, tmp_path_factory):
        output = tmp_path_factory.mktemp("undamaged") / "undamaged.h5"
        assert finetune("--output", output, ranks=1).returncode == 0
        return output

    @pytest.fixture
    def output(self, finetune, tmp_path):
        output = tmp_path / "damaged.h5"
        assert finetune("--output", output, ranks=1).returncode == 0
        output.with_suffix(".safetensors").unlink()
        return output

    @pytest.fixture
    def resume(self, finetune, output, undamaged):
        def resume(place="auto"):
            done = finetune("--output", output, "--resume", place, "--overwrite", "off", ranks=2)
            assert done.returncode == 0, done.stderr
            assert_same_tuning(undamaged, output)
            return done.stderr

        return resume

    @staticmethod
    def damage(*checkpoints):
        for checkpoint in checkpoints:
            state = checkpoint / "state.safetensors"
            state.write_bytes(state.read_bytes()[:-1] + b"x")

    @staticmethod
    def tear(output):
        output.write_bytes(output.read_bytes()[:3000])

    def test_newest_checkpoint(self, output, resume):
        self.damage(checkpoints(output)[-1])
        log = resume()
        assert "round_000002" in log
        assert "the one before is taken" in log

    def test_torn_results_file(self, output, resume):
        self.tear(output)
        resume()
        assert output.with_suffix(".torn.h5").stat().st_size == 3000

    def test_no_results_file(self, output, resume):
        output.unlink()
        resume(place=output.with_suffix(".ckpt"))  # the folder of checkpoints does as well as auto

    def test_everything(self, output, resume):
        self.damage(*checkpoints(output))
        self.tear(output)
        resume()


def test_training_that_diverges_is_told_once(finetune, tmp_path):
    done = finetune("--output", tmp_path / "diverging.h5", "--train.lr", "1e30", ranks=4)
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("gaisnet: error:") == 1
    assert "diverged" in done.stderr


class TestLostRank:
    """A rank that dies, or stops for good, ends the others: soon, and with a message that tells which it was."""

    @staticmethod
    def end(process, ranks):
        """What is on stderr once the run has ended, within 15 s and with all of its processes."""
        begin = time.monotonic()
        _, stderr = process.communicate(timeout=30)
        assert time.monotonic() - begin < 15
        assert process.returncode == 1, stderr
        # A killed process of a loaded machine takes a moment to go.
        assert wait_until(lambda: not any(map(is_alive, ranks)), 15), "a process is left"
        return stderr

    @pytest.mark.parametrize("signals, victim, settings", [
        pytest.param((signal.SIGKILL,), 1, (), id="killed"),
        pytest.param((signal.SIGKILL,), 0, (), id="rank-0-killed"),
        pytest.param((signal.SIGSTOP,), 1, (), id="stopped"),
        # Stopped first, so that the others wait for it: for its part of an average where each rank plays clusters of
        # its own, for messages to and from it where neighbours sit on different ranks.
        pytest.param((signal.SIGSTOP, signal.SIGKILL), 1, ("--network.clusters", 3), id="killed-during-an-average"),
        pytest.param((signal.SIGSTOP, signal.SIGKILL), 2,
                     ("--placement", "node", "--train.batch", 64, "--data.samples", 600), id="killed-during-a-send"),
    ])
    def test_lost_in_a_round(self, finetune, tmp_path, signals, victim, settings):
        output = tmp_path / "failure.h5"
        with finetune.start("--output", output, *ENDLESS, "--runtime.silence", "5 s", *settings, ranks=3) as process:
            wait_for_checkpoint(output, process)
            ranks = ranks_of(process, finetune.program)
            assert len(ranks) == 3
            os.kill(ranks[victim], signals[0])
            for number in signals[1:]:
                time.sleep(1)  # shorter than the silence that would end the run by itself
                os.kill(ranks[victim], number)
            stderr = self.end(process, ranks)
        assert stderr.count("gaisnet: error:") == 1, stderr
        fate = "has died" if signal.SIGKILL in signals else "has given no sign of life"
        assert re.search(rf"rank {victim} on host \S+ \(nodes: .+\) {fate}.*operation: .+", stderr), stderr

    def test_killed_before_the_first_message(self, finetune, tmp_path):
        with finetune.start("--output", tmp_path / "early.h5", *ENDLESS, ranks=3) as process:
            wait_until(lambda: len(ranks_of(process, finetune.program)) == 3, 20, step=0.01)
            ranks = ranks_of(process, finetune.program)
            os.kill(ranks[1], signal.SIGKILL)
            stderr = self.end(process, ranks)
        assert stderr.count("gaisnet: error:") <= 1, stderr
        assert re.search(r"signal 9 \(KILL\)", stderr), stderr
