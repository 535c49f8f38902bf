"""Runs gaisnet with inputs that cannot be used: each ends as a user can expect.

For every case of bad_cases.py: the exit code; exactly one error on stderr (a line that starts with "gaisnet: error:", with
its indented continuation lines) that contains the case's words; an end within the time limit; no claim on stdout or in an
HDF5 file that the run is complete; files that were there before are unchanged. The controls are good inputs: they show that
the others fail for the reason they name.
"""

import hashlib
import os
import re
import shutil
import subprocess

import bad_files as files
import pytest
from bad_cases import CASES, CONTROLS
from support.processes import end_session, processes_of, wait_until
from support.results import status

LIMIT_S = 15.0  # of a bad input
NOISE = ("HDF5-DIAG", "terminate called", "what():", "Backtrace")


@pytest.fixture(scope="module", autouse=True)
def environment(tmp_path_factory):
    """The same on every machine: no settings of the user's, and no GPU."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("GAISNET_")]:
            patch.delenv(name)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        yield


@pytest.fixture(scope="module")
def run(gaisnet, tmp_path_factory):
    """Runs a case in its folder, and leaves nothing running."""

    def run(case, folder, *further, limit=LIMIT_S):
        arguments = case.arguments.split() if isinstance(case.arguments, str) else case.arguments
        words = [] if case.whole else ["finetune", "--config", "base.cfg"]
        if case.config:
            (folder / "extra.cfg").write_text(case.config)
            words += ["--config", "extra.cfg"]
        command = gaisnet.command(*words, *arguments, *further, ranks=case.ranks)
        log = tmp_path_factory.mktemp("log")
        stdout, stderr = log / "stdout", log / "stderr"
        # Files and not pipes: a process left behind would keep a pipe open and this test waiting.
        with open(stdout, "wb") as out, open(stderr, "wb") as err:
            process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                       start_new_session=True)
            try:
                process.wait(limit)
                wait_until(lambda: not processes_of(process.pid), 1)
                left = processes_of(process.pid)
            finally:
                end_session(process)
        assert not left, "processes are left running"
        return subprocess.CompletedProcess(command, process.returncode, stdout.read_text(errors="replace"),
                                           stderr.read_text(errors="replace"))

    return run


@pytest.fixture
def folder(tmp_path):
    """A folder with the configuration that cases spoil."""
    files.base_config(tmp_path)
    yield tmp_path
    if os.path.ismount(tmp_path / "full"):
        subprocess.run(["umount", "--lazy", tmp_path / "full"], check=True)


@pytest.fixture(scope="module")
def finished(run, tmp_path_factory):
    """The folder of a finished run with its checkpoint: the first control."""
    folder = tmp_path_factory.mktemp("finished")
    files.base_config(folder)
    check_control(CONTROLS[0], run(CONTROLS[0], folder, limit=4 * LIMIT_S), folder)
    return folder


def check_control(case, done, folder):
    assert done.returncode == 0, done.stderr
    assert not error_messages(done.stderr)
    assert not missing_words(case.words, done.stderr)
    assert status(folder / "out.h5") == "complete"


def error_messages(stderr):
    """Every error of the program: its line and the indented lines that follow it."""
    messages, inside = [], False
    for line in stderr.splitlines():
        if line.startswith("gaisnet: error:"):
            messages.append(line)
            inside = True
        elif inside and line[:1] in (" ", "\t"):
            messages[-1] += " " + line.strip()
        else:
            inside = False
    return messages


def missing_words(words, text):
    text = text.lower()
    return [word for word in words if not any(w.lower() in text for w in ((word,) if isinstance(word, str) else word))]


def digests(folder):
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def claims_completeness(path):
    try:
        return status(path) == "complete"
    except (OSError, KeyError):  # it cannot be read, or has no status
        return False


def test_the_base_settings_run(finished):
    assert list(finished.rglob("DONE")), "no checkpoint that could be resumed"


@pytest.mark.parametrize("case", CONTROLS[1:], ids=str)
def test_good_input_runs(case, run, folder):
    case.prepare(folder)
    check_control(case, run(case, folder, limit=4 * LIMIT_S), folder)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_bad_input_is_refused(case, run, folder, request):
    if case.resumes:
        shutil.copytree(request.getfixturevalue("finished"), folder, dirs_exist_ok=True)
    further = (case.prepare(folder) if case.prepare else None) or []
    before = digests(folder)
    done = run(case, folder, *further)

    assert done.returncode == 2, done.stderr
    messages = error_messages(done.stderr)
    assert len(messages) == 1, done.stderr
    assert not missing_words(case.words, messages[0]), messages[0]
    assert not [noise for noise in NOISE if noise in done.stderr], done.stderr
    assert not re.search(r"\bcomplete\b", done.stdout, re.IGNORECASE)
    after = digests(folder)
    assert not [path for path in before if after.get(path) != before[path]], "changed or removed"
    assert not [path for path in after if path.suffix == ".h5" and path not in before and claims_completeness(path)]
