"""Options and fixtures that all Python tests share: where the program and its build are."""

import os
import pathlib
import signal

import pytest
from support.program import Gaisnet

pytest.register_assert_rewrite("support.results")

PROJECT = pathlib.Path(__file__).resolve().parents[1]
SKIPPED = 77  # the exit code by which CTest knows that nothing could be tested
SMALL = ("--model.weights", "random", "--data.samples", 120, "--network.clusters", 2, "--network.clients", 3,
         "--train.rounds", 2, "--progress", "none", "--overwrite", "on")


def pytest_addoption(parser):
    group = parser.getgroup("gaisnet")
    group.addoption("--gaisnet", metavar="PROGRAM", type=pathlib.Path,
                    default=os.environ.get("GAISNET_PROGRAM") or PROJECT / "build" / "release" / "gaisnet",
                    help="the program to test (default: $GAISNET_PROGRAM, else build/release/gaisnet)")
    group.addoption("--mpirun", metavar="SCRIPT", type=pathlib.Path, default=PROJECT / "jobs" / "mpirun.sh",
                    help="what starts it on several ranks (default: jobs/mpirun.sh)")
    group.addoption("--build", metavar="FOLDER", type=pathlib.Path,
                    help="the build folder to install from (default: the folder of the program)")
    group.addoption("--inject", metavar="LIBRARY", type=pathlib.Path,
                    help="the library of tests/kill/inject.c (default: tests/libinject.so in the build folder)")
    group.addoption("--transport-test", metavar="PROGRAM", type=pathlib.Path,
                    help="the tests of the MPI transport (default: transport_mpi_test in the build folder)")
    group.addoption("--each", metavar="N", type=int, default=50,
                    help="kill a run at each Nth of its system calls (default: 50)")
    group.addoption("--first", metavar="N", type=int, default=1, help="... beginning with this one (default: 1)")


def pytest_configure(config):
    # Fixtures are torn down, so that daemons, namespaces and mounts go.
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("ended by SIGTERM", 128 + signal.SIGTERM))
    # What a script starts in the background ignores Ctrl-C, and so would all that the tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionfinish(session, exitstatus):
    """Nothing but skipped tests is neither a success nor a failure."""
    if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        outcomes = session.config.pluginmanager.get_plugin("terminalreporter").stats
        if outcomes.get("skipped") and not outcomes.get("passed"):
            session.exitstatus = SKIPPED


def existing(path, option):
    """The absolute path of what an option names, which has to be there."""
    if not path.exists():
        pytest.exit(f"{path} does not exist: build the project, or name another with {option}", pytest.ExitCode.USAGE_ERROR)
    return path.resolve()


@pytest.fixture(scope="session")
def mpirun(pytestconfig):
    """The script that starts programs on several ranks."""
    return existing(pytestconfig.getoption("mpirun"), "--mpirun")


@pytest.fixture(scope="session")
def gaisnet(pytestconfig, mpirun):
    """The program: `gaisnet("plan", "--config", file)` runs it to its end."""
    return Gaisnet(existing(pytestconfig.getoption("gaisnet"), "--gaisnet"), mpirun)


@pytest.fixture(scope="session")
def finetune(gaisnet):
    """`finetune("--output", file, ranks=2)`: two rounds with two clusters of three clients."""
    return gaisnet.bind("finetune", *SMALL)


@pytest.fixture(scope="session")
def plan(gaisnet):
    """The prediction for the same scenario."""
    return gaisnet.bind("plan", *SMALL)


@pytest.fixture(scope="session")
def build_folder(pytestconfig):
    """The build folder that the program is in."""
    folder = pytestconfig.getoption("build") or pytestconfig.getoption("gaisnet").resolve().parent
    return existing(folder, "--build")


@pytest.fixture(scope="session")
def inject(pytestconfig, build_folder):
    """The library that disturbs a run's system calls."""
    return existing(pytestconfig.getoption("inject") or build_folder / "tests" / "libinject.so", "--inject")


@pytest.fixture(scope="session")
def transport_test(pytestconfig, build_folder):
    """The program that tests the MPI transport."""
    return existing(pytestconfig.getoption("transport_test") or build_folder / "transport_mpi_test", "--transport-test")


@pytest.fixture(scope="session")
def foundation_model(gaisnet, tmp_path_factory):
    """A small pre-trained model, whose features are better than chance."""
    model = tmp_path_factory.mktemp("foundation") / "model.safetensors"
    done = gaisnet("pretrain", "--pretrain.samples", 400, "--pretrain.epochs", 5, "--progress", "none", "--output", model)
    assert done.returncode == 0, done.stderr
    return model
