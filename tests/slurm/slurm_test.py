"""slurm/run.sbatch on a real Slurm that this test starts on this machine. Usage: slurm_test.py GAISNET

Ends with 77, and says why, where Slurm is not installed or cannot be started."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from checks import check, finish, skip
from one_machine import CannotRun, Job, OneMachine, submit, wait_until

try:
    import h5py
except ImportError:
    h5py = None

PROJECT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = PROJECT / "slurm" / "run.sbatch"
QUICKSTART = ["finetune", "--config", str(PROJECT / "configs" / "quickstart.cfg"), "--progress", "none"]
LONG = [*QUICKSTART, "--train.rounds", "12", "--data.samples", "1200", "--train.batch", "4"]
TWO_RANKS = ["--ntasks=2", "--time=10"]


def log_of(folder, job):
    path = folder / f"job-{job.number}.log"
    return path.read_text(errors="replace") if path.exists() else "(no log)"


def ends(folder, job, limit=90):
    """Waits for the end of a job. Returns what is wrong when it does not come, else an empty text."""
    if wait_until(job.ended, limit, 0.2):
        return ""
    return f"job {job.number} did not end: {job.state().get('JobState')}\n{log_of(folder, job)[-2000:]}"


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def results(path):
    """All tables but wall times and where nodes ran, and the tuned modules."""
    modules = path.with_suffix(".safetensors")
    if not modules.exists():
        return f"no {modules}"
    out = {"modules": modules.read_bytes()}
    if h5py is None:
        return out
    with h5py.File(path, "r") as file:
        for name in ("rounds", "events", "clients", "energy", "memory", "communication/links"):
            rows = file[name][:]
            out[name] = [rows[column].tolist() for column in rows.dtype.names if column not in ("wall_s", "rank")]
        out["status"] = file.attrs["status"]
    return out


def succeeded(folder, job, name):
    problem = ends(folder, job)
    check(name, not problem and job.state().get("JobState") == "COMPLETED",
          problem or f"{job.state()}\n{log_of(folder, job)[-2000:]}")


def quickstart(folder):
    for launcher in ("srun", "mpirun"):
        output = folder / f"{launcher}.h5"
        job = submit(folder, TWO_RANKS, SCRIPT, *QUICKSTART, "--train.rounds", "2", "--output", str(output),
                     environment={"GAISNET_LAUNCHER": launcher})
        succeeded(folder, job, f"the quickstart's scenario on two ranks, by {launcher}")
        log = log_of(folder, job)
        check("... on two ranks", re.search(r"on 2 rank\(s\)", log) is not None, log[-1500:])
        if h5py is not None and output.exists():
            with h5py.File(output, "r") as file:
                check("... and the file is complete, with two rounds and two ranks",
                      file.attrs["status"] == b"complete" and len(file["rounds"]) == 2 and
                      len(file["topology/ranks"]) == 2, str(dict(file.attrs)))
    job = submit(folder, ["--ntasks=1"], SCRIPT, *QUICKSTART, "--train.rounds", "2", "--output",
                 str(folder / "chosen.h5"))
    succeeded(folder, job, "the launcher is chosen by itself")
    same = [results(folder / f"{name}.h5") for name in ("srun", "mpirun", "chosen")]
    check("... and both launchers, and two ranks and one, give the same", "modules" in same[0] and
          same[0] == same[1] == same[2])


def dry_run(folder):
    """What --dry-run prints for Slurm is taken as it is."""
    output = folder / "dry run.h5"
    command = [os.environ["GAISNET_PROGRAM"], *QUICKSTART, "--train.rounds", "1", "--job.ranks", "2", "--job.time",
               "90 s", "--output", str(output), "--dry-run"]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout.splitlines()
    lines = [line for line in printed if line.startswith("sbatch ")]
    check("a dry run prints one line for Slurm", len(lines) == 1 and "--ntasks=2" in lines[0] and
          "--time=2 --signal=B:USR1@30 " in lines[0], "\n".join(printed[-5:]))
    done = subprocess.run(lines[0], shell=True, capture_output=True, text=True, cwd=PROJECT,
                          env={**os.environ, "SBATCH_OUTPUT": str(folder / "job-%j.log")})
    number = re.search(r"Submitted batch job (\d+)", done.stdout)
    check("... that Slurm takes", number is not None, done.stdout + done.stderr)
    if number:
        succeeded(folder, Job(number[1]), "... and whose job succeeds")
        check("... with the scenario's ranks and output", output.exists() and
              "2 rank(s)" in log_of(folder, Job(number[1])))


def has_checkpoint(output):
    return bool(list(output.with_suffix(".ckpt").glob("round_*/DONE")))


def requeued(folder):
    whole = folder / "whole.h5"
    job = submit(folder, TWO_RANKS, SCRIPT, *LONG, "--output", str(whole))
    succeeded(folder, job, "an uninterrupted job")
    output = folder / "requeued.h5"
    job = submit(folder, TWO_RANKS, SCRIPT, *LONG, "--output", str(output))
    began = wait_until(lambda: has_checkpoint(output), 60)
    # What Slurm itself sends some time before the limit (#SBATCH --signal=B:USR1@120).
    subprocess.run(["scancel", "--signal=USR1", "--batch", job.number], check=True)
    wait_until(lambda: job.state().get("JobState") == "PENDING", 60)
    job.start_again()
    succeeded(folder, job, "a job that is signalled comes to its end")
    log = log_of(folder, job)
    check("... after it was queued again by itself", began and "queueing the job again" in log and
          int(job.state().get("Restarts", 0)) == 1 and "restart 1" in log, log[-2500:])
    check("... from its last round on", re.search(r"resuming after round ([1-9]\d*)", log) is not None, log[-2500:])
    check("... to the file of an uninterrupted job", "modules" in results(whole) and results(output) == results(whole))


def pretrained(folder):
    """Pre-training is told to stop after its first epoch: it is queued again and goes on."""
    small = ["pretrain", "--pretrain.samples", "64", "--pretrain.domains", "1", "--pretrain.epochs", "150", "--progress", "none"]
    whole, output = folder / "fm_whole.safetensors", folder / "fm.safetensors"
    subprocess.run([os.environ["GAISNET_PROGRAM"], *small, "--output", str(whole)], check=True, capture_output=True, timeout=60)
    job = submit(folder, TWO_RANKS, SCRIPT, *small, "--output", str(output))
    wait_until(lambda: list(folder.glob("fm.safetensors.ckpt/round_*/DONE")), 60)
    subprocess.run(["scancel", "--signal=USR1", "--batch", job.number], check=True)
    wait_until(lambda: job.state().get("JobState") == "PENDING", 60)
    job.start_again()
    succeeded(folder, job, "pre-training that is signalled comes to its end")
    log = log_of(folder, job)
    check("... after it was queued again, from its last epoch on", "resuming after epoch" in log and "restart 1" in log, log[-2500:])
    check("... to the model of an uninterrupted one", output.exists() and output.read_bytes() == whole.read_bytes())


def cancelled(folder):
    output = folder / "cancelled.h5"
    job = submit(folder, TWO_RANKS, SCRIPT, *QUICKSTART, "--train.rounds", "3000", "--output", str(output))
    began = wait_until(lambda: has_checkpoint(output), 60)
    subprocess.run(["scancel", job.number], check=True)
    problem = ends(folder, job)
    check("a job that is cancelled ends", began and not problem, problem)
    time.sleep(4)  # longer than Slurm takes to start a job that was queued again
    state = job.state()
    check("... and stays cancelled", state.get("JobState") == "CANCELLED" and state.get("Restarts") == "0", str(state))
    log = log_of(folder, job)
    check("... after a checkpoint, which the log tells", "cancelled" in log, log[-1500:])


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


def array_task(folder):
    """The last task of an array has the array's number; the others must not be queued again with it."""
    program = folder / "patient"
    program.write_text(PATIENT)
    program.chmod(0o755)
    array = submit(folder, ["--ntasks=1", "--array=0-2"], SCRIPT, "finetune",
                   environment={"GAISNET_PROGRAM": str(program), "GAISNET_LAUNCHER": "mpirun"})
    tasks = [Job(f"{array.number}_{task}") for task in range(3)]
    began = wait_until(lambda: tasks[0].ended() and (folder / "patient-1.h5").exists() and
                       (folder / "patient-2.h5").exists(), 60)
    # As before a preemption with a time of grace: SIGTERM, but the job still counts as running.
    subprocess.run(["scancel", "--signal=TERM", "--batch", tasks[2].number], check=True)
    again = wait_until(lambda: tasks[2].state().get("JobState") == "PENDING", 60)
    states = [(task.state().get("JobState"), task.state().get("Restarts")) for task in tasks]
    check("a task of an array that has to make room is queued again, and it alone", began and again and
          states == [("COMPLETED", "0"), ("RUNNING", "0"), ("PENDING", "1")], f"{states}\n{log_of(folder, array)}")
    subprocess.run(["scancel", array.number], check=True)


def sweep(folder):
    output = folder / "lr.h5"
    job = submit(folder, ["--ntasks=1", "--array=0-1"], SCRIPT, "--sweep", "train.lr=0.001,0.02", *QUICKSTART,
                 "--train.rounds", "1", "--output", str(output))
    names = [folder / f"lr_train.lr={value}.h5" for value in ("0.001", "0.02")]
    check("an array job takes a value a task", wait_until(lambda: all(
        name.with_suffix(".safetensors").exists() for name in names), 60), str(list(folder.glob("lr*"))))
    wait_until(lambda: not subprocess.run(["squeue", "--noheader"], capture_output=True).stdout.strip(), 30)
    if h5py is not None and all(name.exists() for name in names):
        rates = []
        for name in names:
            with h5py.File(name, "r") as file:
                rates.append(re.search(r"^lr = (\S+)$", text(file.attrs["config"]), re.MULTILINE)[1])
        check("... each its own", rates == ["0.001", "0.02"], str(rates))
    for name, options, sweeps, message in (
            ("a sweep without an array is refused", [], ["--sweep", "train.lr=1,2"], "needs an array job"),
            ("an array beyond the sweep is refused", ["--array=5-5"], ["--sweep", "train.lr=1,2"],
             "--array=0-1 is accepted"),
            ("a sweep without values is refused", ["--array=0-0"], ["--sweep", "train.lr"], "KEY=VALUE"),
            ("a command is demanded", [], [], "no command")):
        job = submit(folder, ["--ntasks=1", *options], SCRIPT, *sweeps, *(QUICKSTART if sweeps else []))
        problem = ends(folder, job)
        log = "".join(path.read_text() for path in folder.glob("job-*.log") if message in path.read_text())
        check(name, not problem and message in log and job.exit_code() == 2, problem + log_of(folder, job)[-800:])


def wrong_settings(folder):
    job = submit(folder, TWO_RANKS, SCRIPT, *QUICKSTART, "--train.lr", "fast", "--output", str(folder / "wrong.h5"))
    problem = ends(folder, job)
    log = log_of(folder, job)
    check("wrong settings end the job with gaisnet's exit code and one message", not problem and
          job.exit_code() == 2 and log.count("gaisnet: error:") == 1 and "train.lr" in log, problem + log[-1500:])
    job = submit(folder, ["--ntasks=1"], SCRIPT, *QUICKSTART, environment={"GAISNET_PROGRAM": "/no/such/program"})
    problem = ends(folder, job)
    check("a program that is missing is named", not problem and job.exit_code() == 2 and
          "/no/such/program" in log_of(folder, job), problem + log_of(folder, job)[-800:])


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # or nothing that was started would be stopped
    for name in [name for name in os.environ if name.startswith(("SLURM_", "SBATCH_", "SRUN_", "GAISNET_"))]:
        del os.environ[name]
    os.environ["GAISNET_SITE"] = os.devnull
    os.environ["GAISNET_PROGRAM"] = str(pathlib.Path(sys.argv[1]).resolve())
    os.environ["GAISNET_ROOT"] = str(PROJECT)
    if h5py is None:
        print("skipped: h5py is not installed, so only tuned modules are compared, not the HDF5 files")
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "slurm").mkdir()
        os.chdir(folder)
        try:
            with OneMachine(folder / "slurm"):
                quickstart(folder)
                dry_run(folder)
                requeued(folder)
                pretrained(folder)
                cancelled(folder)
                array_task(folder)
                sweep(folder)
                wrong_settings(folder)
        except CannotRun as reason:
            skip(reason)
    print(f"took {time.monotonic() - begin:.0f} s")
    finish()


if __name__ == "__main__":
    main()
