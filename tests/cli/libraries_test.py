"""The program's own libraries come before LibTorch's copies of the same functions: folders are removed and replaced with
std::filesystem in the real program.

PyTorch's wheel exports functions of std::filesystem that were linked into it from another GCC. A program that takes those
dies with SIGSEGV where a folder with files is removed: in the second round, which replaces a checkpoint, and in every run
that overwrites another.
"""

import pytest


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    return tmp_path_factory.mktemp("run") / "run.h5"


@pytest.fixture(scope="module")
def run(gaisnet, output):
    """Three rounds, each of which replaces the checkpoint of the one before."""
    return gaisnet.bind("finetune", "--model.weights", "random", "--data.samples", 60, "--network.clusters", 2,
                        "--network.clients", 2, "--train.rounds", 3, "--checkpoint.every", 1, "--checkpoint.keep", 1,
                        "--progress", "none", "--output", output, "--overwrite", "on")


# The first run replaces checkpoints of its own, the others also the folder of the run before.
@pytest.mark.parametrize("which", ["first", "second", "third"])
def test_runs_leave_one_checkpoint(run, output, which):
    done = run()
    assert done.returncode == 0, f"code {done.returncode}: {done.stderr}"
    assert len(list(output.with_suffix(".ckpt").glob("round_*"))) == 1
