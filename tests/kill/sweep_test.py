"""Kills a small run at its system calls that change files, and lets them fail: what comes after is the same run.

Each Nth call (`--each N`; 1: every one) is killed once; then `--resume auto` has to come to the bits of a run that nobody
disturbed, and before that h5py has to find the rounds of the newest checkpoint in the results file, at worst after
`h5clear -s`. Then the same calls, and all that follow, fail with ENOSPC, EIO, EROFS or EACCES in turn (with `--each 1`
with each of them): one message, no crash, and the next run comes to the same bits.
"""

import shutil
import subprocess

import pytest
from support.results import differences

h5py = pytest.importorskip("h5py")

SMALL = ("--model.depth", 2, "--model.dim", 16, "--model.heads", 2)
TRAINED = ("--model.weights", "random", "--data.samples", 60, "--network.clusters", 1, "--network.clients", 2, *SMALL)
SETTINGS = {
    "finetune": (*TRAINED, "--train.rounds", 3),
    "pretrain": (*SMALL, "--pretrain.samples", 80, "--pretrain.domains", 1, "--pretrain.epochs", 3),
    "infer": (*TRAINED, "--infer.requests", 12, "--infer.batch", 2, "--checkpoint.part", "1 us"),
    "serve": (*TRAINED, "--serve.rounds", 3, "--serve.demand", 4),
}
OUTPUT = {"finetune": "run.h5", "pretrain": "run.safetensors", "infer": "run.h5", "serve": "run.h5"}
# What a run leaves beside its results file, and tables of that file; those that a checkpoint's steps are counted in.
BESIDE = {"finetune": "run.safetensors", "pretrain": "run.safetensors", "infer": "run.predictions.csv"}
TABLES = {
    "finetune": ("rounds", "events", "clients", "energy", "memory", "communication/links", "communication/transport",
                 "topology/samples"),
    "infer": ("inference", "events", "energy", "communication/links", "communication/transport"),
    "serve": ("service", "inference", "rounds", "events", "energy", "topology/samples"),
}
STEPS = {"finetune": "rounds", "serve": "service"}
ERRORS = ("ENOSPC", "EIO", "EROFS", "EACCES")


class Sweep:
    """Runs of a command that are disturbed at a system call."""

    def __init__(self, gaisnet, library, command, folder):
        self.gaisnet, self.library, self.command, self.folder = gaisnet, library, command, folder
        self.whole = self.new_folder("whole")
        count = folder / "count"
        done = self.run(self.whole, INJECT="kill", INJECT_COUNT=count)
        assert done.returncode == 0, f"the run that nobody disturbs fails: {done.stderr}"
        self.calls = int(count.read_text())

    def new_folder(self, name):
        folder = self.folder / name
        folder.mkdir()
        return folder

    def run(self, folder, *words, **injection):
        """A run into a folder, with the variables of kill/inject.c where it is to be disturbed."""
        env = {"OMP_NUM_THREADS": "1"}
        if injection:
            env |= {"LD_PRELOAD": str(self.library), "INJECT_BELOW": str(folder)}
            env |= {name: str(value) for name, value in injection.items()}
        return self.gaisnet(self.command, *SETTINGS[self.command], "--progress", "none", "--output",
                            folder / OUTPUT[self.command], *words, timeout=120, env=env)

    def faults_of(self, folder):
        """What a folder has that an undisturbed run has not."""
        faults = []
        if self.command in BESIDE:
            beside, other = folder / BESIDE[self.command], self.whole / BESIDE[self.command]
            if not beside.exists() or beside.read_bytes() != other.read_bytes():
                faults.append(f"another {beside.name}")
        if self.command in TABLES:
            different = differences(folder / OUTPUT[self.command], self.whole / OUTPUT[self.command], TABLES[self.command])
            faults += [f"another table {name}" for name in different]
        return faults

    def faults_of_resuming(self, folder):
        """What is wrong with the run that goes on after a disturbed one."""
        done = self.run(folder, "--resume", "auto")
        if done.returncode != 0:
            return [f"--resume auto ends with {done.returncode}: {done.stderr[-300:]}"]
        left = sorted(path.name for path in folder.rglob(".*"))
        return self.faults_of(folder) + ([f"left behind: {left}"] if left else [])

    def readable_steps(self, path):
        """Rounds in a results file as a stranger reads them; -1: he cannot."""
        for clear in (False, True):
            copy = path.with_name("copy.h5")
            shutil.copyfile(path, copy)
            try:
                if clear:
                    subprocess.run(["h5clear", "-s", copy], check=True, capture_output=True)
                with h5py.File(copy, "r", swmr=not clear) as file:
                    return len(file[STEPS[self.command]][:])
            except (OSError, KeyError, RuntimeError, subprocess.CalledProcessError):
                pass
            finally:
                copy.unlink()
        return -1

    def faults_of_killing(self, call):
        folder = self.new_folder(f"kill{call}")
        done = self.run(folder, INJECT="kill", INJECT_AT=call)
        faults = [] if done.returncode == -9 else [f"not killed, but ended with {done.returncode}"]
        steps = max((int(marker.parent.name[6:]) for marker in folder.rglob("round_*/DONE")), default=0)
        steps = min(steps, 3)  # serve trains on after its rounds, to know what an oracle would have earned
        if steps > 0 and self.command in STEPS and (rows := self.readable_steps(folder / "run.h5")) < steps:
            faults.append(f"{rows} rows can be read of the {steps} rounds of the newest checkpoint")
        faults += self.faults_of_resuming(folder)
        shutil.rmtree(folder)
        return [f"killed at call {call}: {fault}" for fault in faults]

    def faults_of_failing(self, call, error):
        folder = self.new_folder(f"{error}{call}")
        done = self.run(folder, INJECT=error, INJECT_AT=call)
        faults = []
        if done.returncode == 0:
            faults += [f"a run that says nothing has {fault}" for fault in self.faults_of(folder)]
        elif done.returncode not in (1, 2) or done.stderr.count("gaisnet: error:") != 1:
            faults.append(f"no single message: code {done.returncode}, {done.stderr[-400:]}")
        faults += self.faults_of_resuming(folder)
        shutil.rmtree(folder)
        return [f"{error} from call {call} on: {fault}" for fault in faults]


@pytest.fixture(scope="module", params=SETTINGS)
def sweep(request, gaisnet, inject, tmp_path_factory):
    return Sweep(gaisnet, inject, request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture
def calls(sweep, pytestconfig):
    """The system calls that are disturbed."""
    calls = range(pytestconfig.getoption("first"), sweep.calls + 1, pytestconfig.getoption("each"))
    assert calls
    print(f"{len(calls)} of {sweep.calls} calls")
    return calls


def test_a_killed_run_goes_on_to_the_same_bits(sweep, calls):
    faults = [fault for call in calls for fault in sweep.faults_of_killing(call)]
    assert not faults, "\n".join(faults)


def test_a_run_whose_disk_fails_says_so_once_and_goes_on_to_the_same_bits(sweep, calls, pytestconfig):
    faults = []
    for number, call in enumerate(calls):
        for error in ERRORS if pytestconfig.getoption("each") == 1 else [ERRORS[number % len(ERRORS)]]:
            faults += sweep.faults_of_failing(call, error)
    assert not faults, "\n".join(faults)
