"""The program's own libraries come before LibTorch's copies of the same functions: folders are removed and replaced with
std::filesystem in the real program. Usage: libraries_test.py GAISNET. Needs only the standard library.

PyTorch's wheel exports functions of std::filesystem that were linked into it from another GCC. A program that takes those
dies with SIGSEGV where a folder with files is removed: in the second round, which replaces a checkpoint, and in every run
that overwrites another.
"""

import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from checks import check, finish

PROGRAM = sys.argv[1]


def run(folder, *extra):
    return subprocess.run([PROGRAM, "finetune", "--model.weights", "random", "--data.samples", "60",
                           "--network.clusters", "2", "--network.clients", "2", "--train.rounds", "3",
                           "--checkpoint.every", "1", "--checkpoint.keep", "1", "--progress", "none",
                           "--output", str(folder / "run.h5"), "--overwrite", "on", *extra],
                          capture_output=True, text=True, timeout=100)


def checkpoints(folder):
    return sorted(path.name for path in (folder / "run.ckpt").glob("round_*"))


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    first = run(folder)
    check("checkpoints of three rounds replace each other", first.returncode == 0, f"{first.returncode}: {first.stderr}")
    check("one of them is left", len(checkpoints(folder)) == 1, checkpoints(folder))
    for attempt in (1, 2):
        again = run(folder)
        check(f"--overwrite on removes the folder of the run before, {attempt}", again.returncode == 0,
              f"{again.returncode}: {again.stderr}")
    check("one checkpoint is left", len(checkpoints(folder)) == 1, checkpoints(folder))
finish()
