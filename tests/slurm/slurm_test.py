"""slurm/run.sbatch on a real Slurm that this test starts on this machine. It is skipped, and says why, where Slurm is not
installed or cannot be started."""

import contextlib
import os
import pathlib
import re
import subprocess
import time

import pytest
from one_machine import CannotRun, Job, OneMachine, submit
from support.files import same_bytes
from support.processes import wait_until
from support.results import assert_same_tuning, checkpoints, status, table, text
from support.tools import tool

h5py = pytest.importorskip("h5py")

PROJECT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = PROJECT / "slurm" / "run.sbatch"
QUICKSTART = ("finetune", "--config", PROJECT / "configs" / "quickstart.cfg", "--progress", "none")
LONG = (*QUICKSTART, "--train.rounds", 12, "--data.samples", 1200, "--train.batch", 4)
TWO_RANKS = ("--ntasks=2", "--time=10")
TABLES = ("rounds", "events", "clients", "energy", "memory", "communication/links")


@pytest.fixture(scope="module", autouse=True)
def slurm(gaisnet, tmp_path_factory):
    """A Slurm of its own, which knows nothing of the user's."""
    machine = OneMachine(tmp_path_factory.mktemp("slurm"))
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        for name in [name for name in os.environ if name.startswith(("SLURM_", "SBATCH_", "SRUN_", "GAISNET_"))]:
            patch.delenv(name)
        patch.setenv("GAISNET_SITE", os.devnull)
        patch.setenv("GAISNET_PROGRAM", str(gaisnet.program))
        patch.setenv("GAISNET_ROOT", str(PROJECT))
        patch.setenv("PATH", os.environ["PATH"] + ":/usr/sbin:/sbin")
        patch.setenv("SLURM_CONF", str(machine.configuration))
        try:
            stack.enter_context(machine)
        except CannotRun as reason:
            pytest.skip(str(reason))
        yield


def wait_for_end(job):
    assert wait_until(job.ended, 90, 0.2), f"job {job.number} is {job.state().get('JobState')}: {job.log()[-2000:]}"


def assert_completed(job):
    wait_for_end(job)
    assert job.state().get("JobState") == "COMPLETED", job.log()[-2000:]


class TestLaunchers:
    @pytest.fixture(scope="class")
    def jobs(self, tmp_path_factory):
        """The quickstart's scenario by either launcher on two ranks, and by one that is chosen on one rank: jobs and their
        outputs."""
        folder = tmp_path_factory.mktemp("quickstart")
        jobs = {}
        for name, options, environment in (("srun", TWO_RANKS, {"GAISNET_LAUNCHER": "srun"}),
                                           ("mpirun", TWO_RANKS, {"GAISNET_LAUNCHER": "mpirun"}),
                                           ("chosen", ("--ntasks=1",), {})):
            output = folder / f"{name}.h5"
            job = submit(folder, options, SCRIPT, *QUICKSTART, "--train.rounds", 2, "--output", output,
                         environment=environment)
            wait_for_end(job)
            jobs[name] = job, output
        return jobs

    @pytest.mark.parametrize("name", ["srun", "mpirun", "chosen"])
    def test_the_job_completes(self, jobs, name):
        job, output = jobs[name]
        assert_completed(job)
        assert status(output) == "complete"
        assert len(table(output, "rounds")) == 2

    @pytest.mark.parametrize("launcher", ["srun", "mpirun"])
    def test_it_runs_on_two_ranks(self, jobs, launcher):
        job, output = jobs[launcher]
        assert re.search(r"on 2 rank\(s\)", job.log())
        assert len(table(output, "topology/ranks")) == 2

    @pytest.mark.parametrize("name", ["mpirun", "chosen"])
    def test_launchers_and_ranks_give_the_same(self, jobs, name):
        assert_same_tuning(jobs["srun"][1], jobs[name][1], TABLES)


def test_slurm_takes_what_a_dry_run_prints(gaisnet, tmp_path):
    output = tmp_path / "dry run.h5"
    done = gaisnet(*QUICKSTART, "--train.rounds", 1, "--job.ranks", 2, "--job.time", "90 s", "--output", output, "--dry-run")
    lines = [line for line in done.stdout.splitlines() if line.startswith("sbatch ")]
    assert len(lines) == 1
    assert "--ntasks=2" in lines[0]
    assert "--time=2 --signal=B:USR1@30 " in lines[0]
    done = subprocess.run(lines[0], shell=True, capture_output=True, text=True, cwd=PROJECT,
                          env={**os.environ, "SBATCH_OUTPUT": str(tmp_path / "job-%j.log")})
    number = re.search(r"Submitted batch job (\d+)", done.stdout)
    assert number, done.stderr
    job = Job(number[1], tmp_path)
    assert_completed(job)
    assert output.exists()
    assert "2 rank(s)" in job.log()


def test_a_signalled_job_is_queued_again_and_goes_on(tmp_path):
    whole, output = tmp_path / "whole.h5", tmp_path / "requeued.h5"
    assert_completed(submit(tmp_path, TWO_RANKS, SCRIPT, *LONG, "--output", whole))
    job = submit(tmp_path, TWO_RANKS, SCRIPT, *LONG, "--output", output)
    assert wait_until(lambda: checkpoints(output))
    job.signal("USR1")  # what Slurm itself sends some time before the limit (#SBATCH --signal=B:USR1@120)
    wait_until(job.is_pending)
    job.start_again()
    assert_completed(job)
    log = job.log()
    assert "queueing the job again" in log
    assert "restart 1" in log
    assert job.state().get("Restarts") == "1"
    assert re.search(r"resuming after round ([1-9]\d*)", log), log
    assert_same_tuning(whole, output, TABLES)


def test_signalled_pre_training_is_queued_again_and_goes_on(gaisnet, tmp_path):
    whole, output = tmp_path / "whole.safetensors", tmp_path / "fm.safetensors"
    short = ("pretrain", "--pretrain.samples", 64, "--pretrain.domains", 1, "--pretrain.epochs", 150, "--progress", "none")
    done = gaisnet(*short, "--output", whole)
    assert done.returncode == 0, done.stderr
    job = submit(tmp_path, TWO_RANKS, SCRIPT, *short, "--output", output)
    wait_until(lambda: list(tmp_path.glob("fm.safetensors.ckpt/round_*/DONE")))
    job.signal("USR1")
    wait_until(job.is_pending)
    job.start_again()
    assert_completed(job)
    log = job.log()
    assert "resuming after epoch" in log
    assert "restart 1" in log
    assert same_bytes(whole, output)


def test_a_cancelled_job_ends_after_a_checkpoint_and_stays_cancelled(tmp_path):
    output = tmp_path / "cancelled.h5"
    job = submit(tmp_path, TWO_RANKS, SCRIPT, *QUICKSTART, "--train.rounds", 3000, "--output", output)
    assert wait_until(lambda: checkpoints(output))
    job.cancel()
    wait_for_end(job)
    time.sleep(4)  # longer than Slurm takes to start a job that was queued again
    state = job.state()
    assert state.get("JobState") == "CANCELLED"
    assert state.get("Restarts") == "0"
    assert "cancelled" in job.log()


# Ends at once as task 0 of an array, and as any other when it is told to.
PATIENT = """#!/bin/sh
case " $* " in
    *" --print-config "*) echo "output = patient-$SLURM_ARRAY_TASK_ID.h5"; exit ;;
    *" --version "*) exit ;;
esac
trap 'mkdir -p patient-$SLURM_ARRAY_TASK_ID.ckpt/round_000001
      : >patient-$SLURM_ARRAY_TASK_ID.ckpt/round_000001/DONE
      exit 75' USR1 TERM
: >"$GAISNET_READY"
: >"patient-$SLURM_ARRAY_TASK_ID.h5"
[ "$SLURM_ARRAY_TASK_ID" -ne 0 ] || exit 0
while :; do sleep 0.1; done
"""


def test_a_task_of_an_array_is_queued_again_alone(tmp_path):
    """The last task of an array has the array's number; the others must not be queued again with it."""
    program = tmp_path / "patient"
    program.write_text(PATIENT)
    program.chmod(0o755)
    array = submit(tmp_path, ["--ntasks=1", "--array=0-2"], SCRIPT, "finetune",
                   environment={"GAISNET_PROGRAM": str(program), "GAISNET_LAUNCHER": "mpirun"})
    try:
        tasks = [Job(f"{array.number}_{task}", tmp_path) for task in range(3)]
        assert wait_until(lambda: tasks[0].ended() and (tmp_path / "patient-1.h5").exists() and
                          (tmp_path / "patient-2.h5").exists())
        tasks[2].signal("TERM")  # as before a preemption with a time of grace: the job still counts as running
        assert wait_until(tasks[2].is_pending)
        states = [(task.state().get("JobState"), task.state().get("Restarts")) for task in tasks]
        assert states == [("COMPLETED", "0"), ("RUNNING", "0"), ("PENDING", "1")]
    finally:
        array.cancel()


class TestSweep:
    def test_each_task_of_an_array_takes_a_value(self, tmp_path):
        job = submit(tmp_path, ["--ntasks=1", "--array=0-1"], SCRIPT, "--sweep", "train.lr=0.001,0.02", *QUICKSTART,
                     "--train.rounds", 1, "--output", tmp_path / "lr.h5")
        for task, rate in enumerate(("0.001", "0.02")):
            wait_for_end(Job(f"{job.number}_{task}", tmp_path))
            output = tmp_path / f"lr_train.lr={rate}.h5"
            assert output.with_suffix(".safetensors").exists()
            with h5py.File(output) as file:
                assert re.search(r"^lr = (\S+)$", text(file.attrs["config"]), re.MULTILINE)[1] == rate

    def test_the_line_of_a_local_sweep_submits_an_array(self, tmp_path):
        line = ["sweep", tmp_path / "runs", "finetune", "--config", PROJECT / "configs" / "quickstart.cfg", "--set", "train.rounds=1",
                "--set", "data.samples=120", "--set", "model.weights=random", "--vary", "train.lr", "0.001", "0.02", "--parallel", 2]
        done = tool(*line, "--slurm", f"--parsable --ntasks=1 --output={tmp_path}/job-%j.log")
        assert done.returncode == 0, done.stderr
        assert "--array=0-1%2" in done.stdout
        number = next(text for text in done.stdout.splitlines() if text.split(";")[0].isdigit()).split(";")[0]
        for task in range(2):
            wait_for_end(Job(f"{number}_{task}", tmp_path))
        tables = tool("sweep", tmp_path / "runs")
        assert "2 of 2 runs are done" in tables.stdout, tables.stdout + tables.stderr
        rates = [row.split(",")[1] for row in (tmp_path / "runs" / "runs.csv").read_text().splitlines()]
        assert rates == ["train.lr", "0.001", "0.02"]

    @pytest.mark.parametrize("options, words, message", [
        pytest.param([], ["--configs", ".", *QUICKSTART], "needs an array job", id="configs-without-an-array"),
        pytest.param(["--array=7-7"], ["--configs", ".", *QUICKSTART], "0007.cfg", id="configs-that-are-missing"),
        pytest.param([], ["--sweep", "train.lr=1,2", *QUICKSTART], "needs an array job", id="without-an-array"),
        pytest.param(["--array=5-5"], ["--sweep", "train.lr=1,2", *QUICKSTART], "--array=0-1 is accepted",
                     id="beyond-the-sweep"),
        pytest.param(["--array=0-0"], ["--sweep", "train.lr", *QUICKSTART], "KEY=VALUE", id="without-values"),
        pytest.param([], [], "no command", id="without-a-command"),
    ])
    def test_others_are_refused(self, tmp_path, options, words, message):
        job = submit(tmp_path, ["--ntasks=1", *options], SCRIPT, *words)
        wait_for_end(job)
        assert job.exit_code() == 2
        assert any(message in log.read_text() for log in tmp_path.glob("job-*.log"))


def test_wrong_settings_end_the_job_with_one_message(tmp_path):
    job = submit(tmp_path, TWO_RANKS, SCRIPT, *QUICKSTART, "--train.lr", "fast", "--output", tmp_path / "wrong.h5")
    wait_for_end(job)
    assert job.exit_code() == 2
    log = job.log()
    assert log.count("gaisnet: error:") == 1
    assert "train.lr" in log


def test_a_program_that_is_missing_is_named(tmp_path):
    job = submit(tmp_path, ["--ntasks=1"], SCRIPT, *QUICKSTART, environment={"GAISNET_PROGRAM": "/no/such/program"})
    wait_for_end(job)
    assert job.exit_code() == 2
    assert "/no/such/program" in job.log()
