"""slurm/run.sbatch alone, with stand-ins for Slurm's commands and for gaisnet: what it asks of them, and how it ends.
Usage: script_test.py. Needs neither Slurm nor root; slurm_test.py runs the script on a real Slurm."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from checks import check, finish

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
        for name, text in (("gaisnet", GAISNET), ("scontrol", SCONTROL), ("srun", SRUN), ("apptainer", APPTAINER)):
            path = folder / "bin" / name
            path.parent.mkdir(exist_ok=True)
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
        for name in ("arguments", "scontrol", "srun", "apptainer"):
            (self.folder / name).unlink(missing_ok=True)
        return subprocess.run([str(script), *arguments], capture_output=True, text=True, timeout=60, cwd="/",
                              env=self.environment(more))

    def start(self, *arguments, **more):
        return subprocess.Popen([str(SCRIPT), *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                cwd="/", env=self.environment(more))

    def noted(self, name):
        """The lines that a stand-in wrote down."""
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []


def arguments_are_kept(stage):
    for given in (["pretrain", "--pretrain.root", "my photos", "--output", "a.safetensors"],
                  ["serve", "--output", "a.h5"], ["infer", "--output", "a.h5"],
                  ["finetune", "--link.d2d.rate", "50 Mbit/s", "--output", "a.h5"]):
        result = stage.run(*given)
        check(f"{given[0]} goes on from a checkpoint unless told otherwise", result.returncode == 0 and
              stage.noted("arguments") == [*given, "--resume", "auto"], result.stderr + str(stage.noted("arguments")))
    check("... and the log names version and end", "gaisnet 9.9\n" in result.stdout and
          "exit code 0: done" in result.stdout, result.stdout)
    for given in (["finetune", "--output", "a.h5", "--resume", "elsewhere"],
                  ["finetune", "--resume=auto", "--output", "a.h5"],
                  ["pretrain", "--output", "a.safetensors", "--resume", ""], ["plan", "--output", "a.h5"]):
        result = stage.run(*given)
        check(f"nothing is added to {' '.join(given)}", stage.noted("arguments") == given,
              result.stderr + str(stage.noted("arguments")))


def sweeps(stage):
    for what, task, options, output, flags, name in (
            ("values are separated by commas", 1, ["train.lr=1,2"], "lr.h5", ["--train.lr", "2"], "lr_train.lr=2.h5"),
            ("... or by semicolons", 0, ["split.blocks=0,2;1,1"], "s.h5", ["--split.blocks", "0,2"],
             "s_split.blocks=0-2.h5"),
            ("... also a single one", 0, ["split.blocks=0,2;"], "s.h5", ["--split.blocks", "0,2"],
             "s_split.blocks=0-2.h5"),
            ("values may have blanks", 1, ["r=1 Mbit/s,50 Mbit/s"], "r.h5", ["--r", "50 Mbit/s"], "r_r=50-Mbit-s.h5"),
            ("several make all combinations, the last one fastest", 1, ["a=1,2", "b=x,y"], "o.h5",
             ["--a", "1", "--b", "y"], "o_a=1_b=y.h5"),
            ("... to the last one", 3, ["a=1,2", "b=x,y"], "o.h5", ["--a", "2", "--b", "y"], "o_a=2_b=y.h5"),
            ("an output without a suffix keeps its name", 0, ["a=1"], "./v0.2", ["--a", "1"], "./v0.2_a=1")):
        given = [word for option in options for word in ("--sweep", option)]
        result = stage.run(*given, "finetune", "--output", output, SLURM_ARRAY_JOB_ID="6",
                           SLURM_ARRAY_TASK_ID=str(task))
        expected = ["finetune", "--output", name, *flags, "--resume", "auto"]
        check(f"sweep: {what}", stage.noted("arguments") == expected, result.stderr + str(stage.noted("arguments")))
    for what, option, task, message in (("outside of an array", "a=1,2", None, "--array=0-N"),
                                        ("beyond its end", "a=1,2", "2", "--array=0-1 is accepted"),
                                        ("without values", "a", "0", "KEY=VALUE")):
        result = stage.run("--sweep", option, "finetune", "--output", "a.h5",
                           **({"SLURM_ARRAY_JOB_ID": "6", "SLURM_ARRAY_TASK_ID": task} if task else {}))
        check(f"a sweep {what} is refused", result.returncode == 2 and message in result.stderr and
              not stage.noted("arguments"), result.stderr)


def ends(stage):
    for code, meaning in ((1, "failed while running"), (2, "cannot be used"), (3, "fidelity"), (130, "interrupted")):
        result = stage.run("finetune", "--output", "a.h5", FAKE_CODE=str(code))
        check(f"exit code {code} is the job's, and explained", result.returncode == code and
              meaning in result.stdout and not stage.noted("scontrol"), result.stdout + result.stderr)
    result = stage.run("finetune", "--output", "unwritten.h5", FAKE_SILENT="1")
    check("0 without an output is a failure", result.returncode == 1 and "nothing was written" in result.stderr,
          result.stderr)
    for what, more, again in (
            ("a job that ends with 75 is queued again", {}, ["requeue 7"]),
            ("... of an array only the task", {"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "2"}, ["requeue 7_2"]),
            ("... also when its time is over", {"FAKE_STATE": "COMPLETING", "FAKE_REASON": "TimeLimit"}, ["requeue 7"]),
            ("... also when Slurm does not tell its state", {"FAKE_STATE": ""}, ["requeue 7"]),
            ("... but not when it was cancelled", {"FAKE_STATE": "COMPLETING"}, [])):
        result = stage.run("finetune", "--output", "a.h5", FAKE_CODE="75", FAKE_ROUND="000001", **more)
        asked = [line for line in stage.noted("scontrol") if line.startswith("requeue")]
        check(what, result.returncode == 75 and asked == again, f"{result.stdout}{result.stderr}{asked}")
        shutil.rmtree(stage.folder / "a.ckpt")
    result = stage.run("finetune", "--output", "a.h5", FAKE_CODE="75", FAKE_ROUND="000001", FAKE_REQUEUE="1")
    check("when Slurm refuses, the command is told", result.returncode == 75 and "scontrol requeue 7." in result.stderr,
          result.stderr)


def early_signal(stage):
    """Ranks that do not listen yet would die of the signal, and the job would count as failed."""
    for command, output in (("finetune", "early.h5"), ("pretrain", "early.safetensors"), ("infer", "early.h5"),
                            ("serve", "early.h5")):
        for left in ("started", "go", "scontrol"):
            (stage.folder / left).unlink(missing_ok=True)
        process = stage.start(command, "--output", output, FAKE_SLOW="1")
        end = time.monotonic() + 30
        while not (stage.folder / "started").exists() and time.monotonic() < end:
            time.sleep(0.02)
        process.send_signal(signal.SIGUSR1)
        time.sleep(1)  # time to do it wrong
        (stage.folder / "go").touch()
        out = process.communicate(timeout=30)[0]
        check(f"a signal waits until the ranks of {command} listen", process.returncode == 75,
              f"code {process.returncode}: {out}")
        asked = [line for line in stage.noted("scontrol") if line.startswith("requeue")]
        check("... and a job whose time limit leaves no time for a step is not queued again", not asked and
              "before a single step" in out and "--time" in out, out + str(asked))
    check("... and what that took is removed", not list(stage.folder.glob(".gaisnet-*")))


def launching(stage):
    given = ["finetune", "--output", "a.h5", "--resume", "auto"]
    srun = ["--mpi=pmix", "--kill-on-bad-exit=1", "--ntasks=4", "--cpus-per-task=3",
            str(stage.folder / "bin" / "gaisnet")]
    stage.run(*given, GAISNET_LAUNCHER="", SLURM_NTASKS="4", SLURM_CPUS_PER_TASK="3")
    check("srun starts the ranks where it knows PMIx", stage.noted("srun") == [*srun, *given], str(stage.noted("srun")))
    result = stage.run(*given, GAISNET_LAUNCHER="", FAKE_PLUGINS="none pmi2")
    check("... mpirun where it does not", result.returncode == 0 and not stage.noted("srun"), result.stderr)
    result = stage.run(*given, GAISNET_LAUNCHER="ssh")
    check("another launcher is refused", result.returncode == 2 and "srun or mpirun is accepted" in result.stderr,
          result.stderr)
    image = stage.folder / "image.sif"
    image.touch()
    for gpus, expected in (("", f"exec {image}"), ("2", f"exec --nv {image}")):
        result = stage.run(*given, GAISNET_IMAGE=str(image), **({"SLURM_GPUS_ON_NODE": gpus} if gpus else {}))
        check(f"an image is run {'with' if gpus else 'without'} GPUs", result.returncode == 0 and
              all(line.startswith(expected) for line in stage.noted("apptainer")), str(stage.noted("apptainer")))


def places(stage):
    given = ["finetune", "--output", "a.h5"]
    copied = stage.folder / "spooled"
    shutil.copy(SCRIPT, copied)
    below = stage.folder / "project" / "results"
    below.mkdir(parents=True)
    (stage.folder / "project" / "jobs").symlink_to(PROJECT / "jobs")
    result = stage.run(*given, script=copied, GAISNET_ROOT="", SLURM_SUBMIT_DIR=str(below))
    check("the project is found from a copy of the script, and paths are the submitter's", result.returncode == 0 and
          (below / "a.h5").exists(), result.stderr)
    result = stage.run(*given, GAISNET_ROOT="", SLURM_SUBMIT_DIR="/")
    check("... or it is said that it is not", result.returncode == 2 and "GAISNET_ROOT" in result.stderr, result.stderr)
    site = stage.folder / "site.env"
    site.write_text("export GAISNET_LAUNCHER=ssh\necho $UNSET_VARIABLE\n")
    result = stage.run(*given, GAISNET_SITE=str(site))
    check("the site's settings are read", "GAISNET_LAUNCHER=ssh" in result.stderr, result.stderr)
    result = stage.run(*given, GAISNET_SITE="/no/such.env")
    check("... and missed when they are not there", result.returncode == 2 and "/no/such.env" in result.stderr,
          result.stderr)
    result = stage.run("--help")
    check("--help", result.returncode == 0 and result.stdout.startswith("Usage: sbatch"), result.stdout)
    result = stage.run(*given, SLURM_JOB_ID="")
    check("outside of Slurm it is said", result.returncode == 2 and "no Slurm job" in result.stderr, result.stderr)


def main():
    with tempfile.TemporaryDirectory() as name:
        stage = Stage(pathlib.Path(name))
        arguments_are_kept(stage)
        sweeps(stage)
        ends(stage)
        early_signal(stage)
        launching(stage)
        places(stage)
    finish()


if __name__ == "__main__":
    main()
