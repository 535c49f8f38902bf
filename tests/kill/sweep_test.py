#!/usr/bin/env python3
"""Kills a small run at its system calls that change files, and lets them fail: what comes after is the same run.

sweep_test.py PROGRAM INJECT [--each N] [--command finetune|pretrain|infer|serve]

Each Nth call (1: every one) is killed once; then `--resume auto` has to come to the bits of a run that nobody disturbed,
and before that h5py has to find the rounds of the newest checkpoint in the results file, at worst after `h5clear -s`.
Then the same calls, and all that follow, fail with ENOSPC, EIO, EROFS or EACCES in turn: one message, no crash, and the
next run comes to the same bits.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

try:
    import h5py
except ImportError:
    h5py = None

SMALL = {
    "finetune": ["--model.weights", "random", "--data.samples", "60", "--network.clusters", "1", "--network.clients", "2",
                 "--model.depth", "2", "--model.dim", "16", "--model.heads", "2", "--train.rounds", "3"],
    "pretrain": ["--model.depth", "2", "--model.dim", "16", "--model.heads", "2", "--pretrain.samples", "80",
                 "--pretrain.domains", "1", "--pretrain.epochs", "3"],
}
SMALL["infer"] = [*SMALL["finetune"][:-2], "--infer.requests", "12", "--infer.batch", "2", "--checkpoint.part", "1 us"]
SMALL["serve"] = [*SMALL["finetune"][:-2], "--serve.rounds", "3", "--serve.demand", "4"]
NAME = {"finetune": "run.h5", "pretrain": "run.safetensors", "infer": "run.h5", "serve": "run.h5"}
# What a run leaves beside its results file, and tables of that file; those that a checkpoint's steps are counted in.
BESIDE = {"finetune": "run.safetensors", "pretrain": "run.safetensors", "infer": "run.predictions.csv"}
TABLES = {"finetune": ("rounds", "events", "clients", "energy", "memory", "communication/links",
                       "communication/transport", "topology/samples"),
          "infer": ("inference", "events", "energy", "communication/links", "communication/transport"),
          "serve": ("service", "inference", "rounds", "events", "energy", "topology/samples")}
STEPS = {"finetune": "rounds", "serve": "service"}
ERRORS = ("ENOSPC", "EIO", "EROFS", "EACCES")

passed = failed = 0


def check(what, good, detail=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    if not good:
        print(f"FAILED  {what}: {detail}", flush=True)


class Sweep:
    def __init__(self, program, inject, command, root):
        self.program, self.inject, self.command, self.root = program, inject, command, root
        self.whole = root / "whole"
        self.whole.mkdir()
        first = self.run(self.whole, count=root / "count")
        if first.returncode != 0:
            sys.exit(f"the run that nobody disturbs fails: {first.stderr[-500:]}")
        self.calls = int((root / "count").read_text())

    def run(self, folder, *more, at=None, what="kill", count=None):
        environment = dict(os.environ, OMP_NUM_THREADS="1")
        if at is not None or count is not None:
            environment.update(LD_PRELOAD=str(self.inject), INJECT_BELOW=str(folder), INJECT=what)
            environment.update({"INJECT_AT": str(at)} if at is not None else {"INJECT_COUNT": str(count)})
        return subprocess.run([str(self.program), self.command, *SMALL[self.command], "--progress", "none", "--output",
                               str(folder / NAME[self.command]), *more], capture_output=True, text=True, timeout=120,
                              env=environment)

    def tables(self, path):
        out = {}
        with h5py.File(path, "r") as file:
            for name in TABLES[self.command]:
                data = file[name][:]
                out[name] = [data[column].tolist() for column in data.dtype.names if column not in ("wall_s", "rank")]
            out["status"] = file.attrs["status"]
        return out

    def difference(self, folder):
        """What a folder has that an undisturbed run has not."""
        mine, other = folder / NAME[self.command], self.whole / NAME[self.command]
        if self.command in BESIDE:
            beside = [one.parent / BESIDE[self.command] for one in (mine, other)]
            if not beside[0].exists() or beside[0].read_bytes() != beside[1].read_bytes():
                return f"another {BESIDE[self.command]}"
        if self.command in TABLES and h5py is not None and self.tables(mine) != self.tables(other):
            return "other tables"
        left = sorted(path.name for path in folder.rglob(".*"))
        return f"left behind: {left}" if left else ""

    def resume(self, folder, what):
        again = self.run(folder, "--resume", "auto")
        different = self.difference(folder) if again.returncode == 0 else again.stderr[-300:]
        check(f"{what}: --resume auto comes to the same bits", again.returncode == 0 and not different,
              f"code {again.returncode}: {different}")

    def rows(self, path):
        """Rounds in a results file as a stranger reads them; None: he cannot."""
        for clear in (False, True):
            copy = path.with_name("copy.h5")
            shutil.copyfile(path, copy)
            if clear and subprocess.run(["h5clear", "-s", copy], capture_output=True).returncode != 0:
                return None
            try:
                with h5py.File(copy, "r", swmr=not clear) as file:
                    return len(file[STEPS[self.command]][:])
            except (OSError, KeyError, RuntimeError):
                pass
            finally:
                copy.unlink()
        return None

    def kill(self, at):
        folder = self.root / f"kill{at}"
        folder.mkdir()
        ended = self.run(folder, at=at)
        check(f"call {at}: the run is killed", ended.returncode == -9, ended.returncode)
        done = max([int(one.parent.name[6:]) for one in folder.rglob("round_*/DONE")], default=0)
        done = min(done, 3)  # serve trains on after its rounds, to know what an oracle would have earned
        if h5py is not None and done and self.command in STEPS:
            rows = self.rows(folder / "run.h5")
            check(f"call {at}: the rows of the {done} rounds of the newest checkpoint can be read",
                  rows is not None and rows >= done, rows)
        self.resume(folder, f"killed at call {at}")
        shutil.rmtree(folder)

    def fail(self, at, what):
        folder = self.root / f"{what}{at}"
        folder.mkdir()
        ended = self.run(folder, at=at, what=what)
        messages = ended.stderr.count("gaisnet: error:")
        good = ended.returncode in (1, 2) and messages == 1 or ended.returncode == 0
        check(f"{what} from call {at} on: one message, no crash", good, f"code {ended.returncode}: {ended.stderr[-400:]}")
        if ended.returncode == 0:
            different = self.difference(folder)
            check(f"{what} from call {at} on: a run that says nothing is whole",
                  not different or different.startswith("left behind"), different)
        self.resume(folder, f"after {what} from call {at} on")
        shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("inject", type=pathlib.Path)
    parser.add_argument("--each", type=int, default=1)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--command", choices=SMALL, default="finetune")
    given = parser.parse_args()
    if h5py is None:
        print("skipped: h5py is not installed, so only tensors are compared, not the tables of the HDF5 files")
    with tempfile.TemporaryDirectory() as root:
        sweep = Sweep(given.program.resolve(), given.inject.resolve(), given.command, pathlib.Path(root))
        some = range(given.first, sweep.calls + 1, given.each)
        for at in some:
            sweep.kill(at)
        for number, at in enumerate(some):
            for what in ERRORS if given.each == 1 else [ERRORS[number % len(ERRORS)]]:
                sweep.fail(at, what)
        print(f"{given.command}: {len(some)} of {sweep.calls} calls, {passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
