"""slurm/run.sbatch alone, with stand-ins for Slurm's commands and for gaisnet: what it asks of them, and how it ends. It
needs neither Slurm nor root; slurm_test.py runs the script on a real Slurm."""

import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest
from support.processes import wait_until

PROJECT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = PROJECT / "slurm" / "run.sbatch"

# Says where it would write, as gaisnet does; else notes its arguments, says that it listens, writes, and ends as told.
GAISNET = """#!/bin/sh
output= previous= action=run
for word in "$@"; do
    [ "$previous" != --output ] || output=$word
    case $word in --print-config) action=print ;; --version) action=version ;; esac
    previous=$word
done
case $action in
    print) echo "output = $output"; exit 0 ;;
    version) echo "gaisnet 9.9"; echo "  a library 1"; exit 0 ;;
esac
printf '%s\\n' "$@" >arguments
if [ -n "$FAKE_SLOW" ]; then
    : >started
    while [ ! -e go ]; do sleep 0.05; done
    trap 'exit 75' USR1
    : >"$GAISNET_READY"
else
    [ -n "$FAKE_SILENT" ] || : >"$output"
fi
while [ -n "$FAKE_SLOW" ]; do sleep 0.05; done
if [ -n "$FAKE_ROUND" ]; then
    mkdir -p "${output%.h5}.ckpt/round_$FAKE_ROUND"
    : >"${output%.h5}.ckpt/round_$FAKE_ROUND/DONE"
fi
exit "${FAKE_CODE:-0}"
"""
SCONTROL = """#!/bin/sh
echo "$*" >>scontrol
case $1 in
    show) [ -n "$FAKE_STATE" ] && echo "JobId=7 JobState=$FAKE_STATE Reason=${FAKE_REASON:-None} Restarts=0" ;;
    requeue) exit "${FAKE_REQUEUE:-0}" ;;
esac
"""
SRUN = """#!/bin/sh
if [ "$1" = --mpi=list ]; then echo "plugin types are... ${FAKE_PLUGINS:-none pmix}"; exit; fi
printf '%s\\n' "$@" >srun
while [ "${1#--}" != "$1" ]; do shift; done
exec "$@"
"""
APPTAINER = """#!/bin/sh
echo "$*" >>apptainer
[ "$1" = exec ] && shift
[ "$1" != --nv ] || shift
shift
exec "$@"
"""


class Stage:
    """A folder with the stand-ins, from which a job is submitted, so to speak."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "bin").mkdir()
        for name, text in (("gaisnet", GAISNET), ("scontrol", SCONTROL), ("srun", SRUN), ("apptainer", APPTAINER)):
            path = folder / "bin" / name
            path.write_text(text)
            path.chmod(0o755)

    def environment(self, more):
        clean = {name: value for name, value in os.environ.items()
                 if not name.startswith(("SLURM_", "GAISNET_", "FAKE_"))}
        return {**clean, "PATH": f"{self.folder}/bin:{os.environ['PATH']}", "SLURM_JOB_ID": "7",
                "SLURM_SUBMIT_DIR": str(self.folder), "GAISNET_ROOT": str(PROJECT), "GAISNET_SITE": "/dev/null",
                "GAISNET_PROGRAM": str(self.folder / "bin" / "gaisnet"), "GAISNET_LAUNCHER": "mpirun",
                "FAKE_STATE": "RUNNING", **more}

    def run(self, *arguments, script=SCRIPT, **more):
        return subprocess.run([str(script), *arguments], capture_output=True, text=True, timeout=60, cwd="/",
                              env=self.environment(more))

    def start(self, *arguments, **more):
        return subprocess.Popen([str(SCRIPT), *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                cwd="/", env=self.environment(more))

    def noted(self, name):
        """The lines that a stand-in wrote down."""
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def requeued(self):
        """What scontrol was asked to queue again."""
        return [line for line in self.noted("scontrol") if line.startswith("requeue")]


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


class TestArguments:
    @pytest.mark.parametrize("words", [
        ["pretrain", "--pretrain.root", "my photos", "--output", "a.safetensors"],
        ["serve", "--output", "a.h5"],
        ["infer", "--output", "a.h5"],
        ["finetune", "--link.d2d.rate", "50 Mbit/s", "--output", "a.h5"],
    ], ids=lambda words: words[0])
    def test_a_command_goes_on_from_a_checkpoint(self, stage, words):
        done = stage.run(*words)
        assert done.returncode == 0, done.stderr
        assert stage.noted("arguments") == [*words, "--resume", "auto"]

    @pytest.mark.parametrize("words", [
        ["finetune", "--output", "a.h5", "--resume", "elsewhere"],
        ["finetune", "--resume=auto", "--output", "a.h5"],
        ["pretrain", "--output", "a.safetensors", "--resume", ""],
        ["plan", "--output", "a.h5"],
    ], ids=" ".join)
    def test_nothing_is_added_when_told_otherwise(self, stage, words):
        done = stage.run(*words)
        assert stage.noted("arguments") == words, done.stderr

    def test_the_log_names_version_and_end(self, stage):
        done = stage.run("finetune", "--output", "a.h5")
        assert "gaisnet 9.9\n" in done.stdout
        assert "exit code 0: done" in done.stdout


class TestSweep:
    @pytest.mark.parametrize("task, sweeps, output, flags, name", [
        pytest.param(1, ["train.lr=1,2"], "lr.h5", ["--train.lr", "2"], "lr_train.lr=2.h5", id="commas"),
        pytest.param(0, ["split.blocks=0,2;1,1"], "s.h5", ["--split.blocks", "0,2"], "s_split.blocks=0-2.h5",
                     id="semicolons"),
        pytest.param(0, ["split.blocks=0,2;"], "s.h5", ["--split.blocks", "0,2"], "s_split.blocks=0-2.h5",
                     id="one-value-and-a-semicolon"),
        pytest.param(1, ["r=1 Mbit/s,50 Mbit/s"], "r.h5", ["--r", "50 Mbit/s"], "r_r=50-Mbit-s.h5", id="blanks"),
        pytest.param(1, ["a=1,2", "b=x,y"], "o.h5", ["--a", "1", "--b", "y"], "o_a=1_b=y.h5",
                     id="combinations-the-last-key-fastest"),
        pytest.param(3, ["a=1,2", "b=x,y"], "o.h5", ["--a", "2", "--b", "y"], "o_a=2_b=y.h5", id="the-last-combination"),
        pytest.param(0, ["a=1"], "./v0.2", ["--a", "1"], "./v0.2_a=1", id="an-output-without-a-suffix"),
    ])
    def test_a_task_of_an_array_has_its_values(self, stage, task, sweeps, output, flags, name):
        words = [word for sweep in sweeps for word in ("--sweep", sweep)]
        done = stage.run(*words, "finetune", "--output", output, SLURM_ARRAY_JOB_ID="6", SLURM_ARRAY_TASK_ID=str(task))
        assert stage.noted("arguments") == ["finetune", "--output", name, *flags, "--resume", "auto"], done.stderr

    @pytest.mark.parametrize("sweep, array, message", [
        pytest.param("a=1,2", {}, "--array=0-N", id="outside-of-an-array"),
        pytest.param("a=1,2", {"SLURM_ARRAY_JOB_ID": "6", "SLURM_ARRAY_TASK_ID": "2"}, "--array=0-1 is accepted",
                     id="beyond-its-end"),
        pytest.param("a", {"SLURM_ARRAY_JOB_ID": "6", "SLURM_ARRAY_TASK_ID": "0"}, "KEY=VALUE", id="without-values"),
    ])
    def test_others_are_refused(self, stage, sweep, array, message):
        done = stage.run("--sweep", sweep, "finetune", "--output", "a.h5", **array)
        assert done.returncode == 2, done.stderr
        assert message in done.stderr
        assert not stage.noted("arguments")


class TestEnds:
    # The program has made a step and asks to be started again.
    AGAIN = {"FAKE_CODE": "75", "FAKE_ROUND": "000001"}

    @pytest.mark.parametrize("code, meaning", [
        (1, "failed while running"), (2, "cannot be used"), (3, "fidelity"), (130, "interrupted")])
    def test_the_exit_code_is_the_job_s_and_explained(self, stage, code, meaning):
        done = stage.run("finetune", "--output", "a.h5", FAKE_CODE=str(code))
        assert done.returncode == code, done.stderr
        assert meaning in done.stdout
        assert not stage.noted("scontrol")

    def test_0_without_an_output_is_a_failure(self, stage):
        done = stage.run("finetune", "--output", "unwritten.h5", FAKE_SILENT="1")
        assert done.returncode == 1, done.stderr
        assert "nothing was written" in done.stderr

    @pytest.mark.parametrize("more, asked", [
        pytest.param({}, ["requeue 7"], id="a-job"),
        pytest.param({"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "2"}, ["requeue 7_2"], id="a-task-of-an-array"),
        pytest.param({"FAKE_STATE": "COMPLETING", "FAKE_REASON": "TimeLimit"}, ["requeue 7"], id="when-its-time-is-over"),
        pytest.param({"FAKE_STATE": ""}, ["requeue 7"], id="when-Slurm-does-not-tell-its-state"),
        pytest.param({"FAKE_STATE": "COMPLETING"}, [], id="not-when-it-was-cancelled"),
    ])
    def test_75_queues_the_job_again(self, stage, more, asked):
        done = stage.run("finetune", "--output", "a.h5", **self.AGAIN, **more)
        assert done.returncode == 75, done.stderr
        assert stage.requeued() == asked

    def test_the_command_is_told_when_slurm_refuses(self, stage):
        done = stage.run("finetune", "--output", "a.h5", **self.AGAIN, FAKE_REQUEUE="1")
        assert done.returncode == 75, done.stderr
        assert "scontrol requeue 7." in done.stderr

    @pytest.mark.parametrize("command, output", [
        ("finetune", "early.h5"), ("pretrain", "early.safetensors"), ("infer", "early.h5"), ("serve", "early.h5")])
    def test_a_signal_waits_until_the_ranks_listen(self, stage, command, output):
        """They would die of it, and the job would count as failed. When its time limit leaves no time for a step, it is not
        queued again."""
        process = stage.start(command, "--output", output, FAKE_SLOW="1")
        try:
            wait_until((stage.folder / "started").exists, 30, step=0.02)
            process.send_signal(signal.SIGUSR1)
            time.sleep(1)  # time to do it wrong
        finally:
            (stage.folder / "go").touch()
        log = process.communicate(timeout=30)[0]
        assert process.returncode == 75, log
        assert not stage.requeued()
        assert "before a single step" in log
        assert "--time" in log
        assert not list(stage.folder.glob(".gaisnet-*")), "what that took is left"


class TestLaunch:
    WORDS = ("finetune", "--output", "a.h5", "--resume", "auto")

    def test_srun_starts_the_ranks_where_it_knows_pmix(self, stage):
        stage.run(*self.WORDS, GAISNET_LAUNCHER="", SLURM_NTASKS="4", SLURM_CPUS_PER_TASK="3")
        assert stage.noted("srun") == ["--mpi=pmix", "--kill-on-bad-exit=1", "--ntasks=4", "--cpus-per-task=3",
                                       str(stage.folder / "bin" / "gaisnet"), *self.WORDS]

    def test_mpirun_does_where_it_does_not(self, stage):
        done = stage.run(*self.WORDS, GAISNET_LAUNCHER="", FAKE_PLUGINS="none pmi2")
        assert done.returncode == 0, done.stderr
        assert not stage.noted("srun")

    def test_another_launcher_is_refused(self, stage):
        done = stage.run(*self.WORDS, GAISNET_LAUNCHER="ssh")
        assert done.returncode == 2, done.stderr
        assert "srun or mpirun is accepted" in done.stderr

    @pytest.mark.parametrize("gpus, start", [
        pytest.param({}, "exec {}", id="without-GPUs"),
        pytest.param({"SLURM_GPUS_ON_NODE": "2"}, "exec --nv {}", id="with-GPUs"),
    ])
    def test_an_image_is_run(self, stage, gpus, start):
        image = stage.folder / "image.sif"
        image.touch()
        done = stage.run(*self.WORDS, GAISNET_IMAGE=str(image), **gpus)
        assert done.returncode == 0, done.stderr
        noted = stage.noted("apptainer")
        assert noted and all(line.startswith(start.format(image)) for line in noted)


class TestPlaces:
    WORDS = ("finetune", "--output", "a.h5")

    def test_the_project_is_found_from_a_copy_of_the_script(self, stage):
        """Slurm runs a copy. Paths are the submitter's."""
        copied = stage.folder / "spooled"
        shutil.copy(SCRIPT, copied)
        below = stage.folder / "project" / "results"
        below.mkdir(parents=True)
        (stage.folder / "project" / "jobs").symlink_to(PROJECT / "jobs")
        done = stage.run(*self.WORDS, script=copied, GAISNET_ROOT="", SLURM_SUBMIT_DIR=str(below))
        assert done.returncode == 0, done.stderr
        assert (below / "a.h5").exists()

    def test_it_is_said_when_the_project_is_not_found(self, stage):
        done = stage.run(*self.WORDS, GAISNET_ROOT="", SLURM_SUBMIT_DIR="/")
        assert done.returncode == 2, done.stderr
        assert "GAISNET_ROOT" in done.stderr

    def test_the_settings_of_the_site_are_read(self, stage):
        site = stage.folder / "site.env"
        site.write_text("export GAISNET_LAUNCHER=ssh\necho $UNSET_VARIABLE\n")
        done = stage.run(*self.WORDS, GAISNET_SITE=str(site))
        assert "GAISNET_LAUNCHER=ssh" in done.stderr

    def test_settings_that_are_not_there_are_missed(self, stage):
        done = stage.run(*self.WORDS, GAISNET_SITE="/no/such.env")
        assert done.returncode == 2, done.stderr
        assert "/no/such.env" in done.stderr

    def test_help(self, stage):
        done = stage.run("--help")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("Usage: sbatch")

    def test_outside_of_slurm_it_says_so(self, stage):
        done = stage.run(*self.WORDS, SLURM_JOB_ID="")
        assert done.returncode == 2, done.stderr
        assert "no Slurm job" in done.stderr
