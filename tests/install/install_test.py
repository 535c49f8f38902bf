"""The installed package: a program of 20 lines is built against it and trains, on one rank and on two."""

import pathlib
import subprocess

import pytest
from support.files import same_bytes

GUEST = pathlib.Path(__file__).resolve().parent
CONFIG = GUEST.parents[1] / "configs" / "quickstart.cfg"


def run(*command, **options):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=600, **options)


@pytest.fixture(scope="module")
def installed(build_folder, tmp_path_factory):
    """Where the package is installed."""
    prefix = tmp_path_factory.mktemp("installed")
    done = run("cmake", "--install", build_folder, "--prefix", prefix)
    assert done.returncode == 0, done.stderr
    assert (prefix / "bin" / "gaisnet").exists()
    return prefix


@pytest.fixture(scope="module")
def guest(installed, mpirun, tmp_path_factory):
    """Runs a program of somebody else, which CMake has built against the package."""
    folder = tmp_path_factory.mktemp("guest")
    done = run("cmake", "-S", GUEST, "-B", folder, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={installed}",
               "-DCMAKE_BUILD_TYPE=Release")
    assert done.returncode == 0, done.stdout + done.stderr
    done = run("cmake", "--build", folder)
    assert done.returncode == 0, done.stdout

    def guest(ranks, output):
        launch = [mpirun, "-n", ranks] if ranks > 1 else []
        return run(*launch, folder / "guest", CONFIG, output, cwd=output.parent)

    return guest


@pytest.fixture(scope="module")
def trained(guest, tmp_path_factory):
    """What the program has printed and written, by the number of ranks."""
    folder = tmp_path_factory.mktemp("trained")
    outputs = {ranks: folder / f"on{ranks}.h5" for ranks in (1, 2)}
    return {ranks: (guest(ranks, output), output) for ranks, output in outputs.items()}


def rounds(done):
    return [line for line in done.stdout.splitlines() if line.startswith("round ")]


@pytest.mark.parametrize("ranks", [1, 2])
def test_the_program_trains(trained, ranks):
    done, output = trained[ranks]
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(rounds(done)) == 2
    assert output.with_suffix(".safetensors").exists()


def test_one_rank_and_two_train_the_same_modules(trained):
    (alone, output), (spread, other) = trained.values()
    assert rounds(alone) == rounds(spread)
    assert same_bytes(output.with_suffix(".safetensors"), other.with_suffix(".safetensors"))


@pytest.mark.parametrize("ranks", [1, 2])
def test_the_program_hears_once_what_is_wrong(guest, trained, ranks):
    _, output = trained[1]  # which is there already
    done = guest(ranks, output)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("gaisnet: error:") == 1
    assert output.name in done.stderr
