#!/usr/bin/env python3
"""Runs gaisnet with inputs that cannot be used, and checks that each ends as a user can expect.

Usage: bad_inputs.py PROGRAM [--only TEXT] [--keep] [--time-limit SECONDS]

For every case: the exit code; exactly one error on stderr (a line that starts with "gaisnet: error:", with its indented
continuation lines) that contains the case's words; an end within the time limit; no claim on stdout or in an HDF5 file
that the run is complete; files that were there before are unchanged. One line a case, and "N passed, N failed" at the
end. Cases with the name "control ..." are good inputs: they show that the others fail for the reason they name.
"""

import argparse
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import bad_files as files
from bad_cases import CASES, CONTROL_RUN, CONTROLS, skip

try:
    import h5py
except ImportError:
    h5py = None

MPIRUN = Path(__file__).resolve().parents[2] / "jobs" / "mpirun.sh"


def command_of(test, program, folder, further):
    arguments = test.arguments.split() if isinstance(test.arguments, str) else test.arguments
    command = [str(program)]
    if not test.whole:
        command += ["finetune", "--config", "base.cfg"]
    if test.config:
        (folder / "extra.cfg").write_text(test.config)
        command += ["--config", "extra.cfg"]
    command += [*arguments, *further]
    return [str(MPIRUN), "-n", str(test.ranks), *command] if test.ranks else command


def processes_of(session):
    """Live processes of a session, without zombies: {id: name}. Empty where there is no /proc."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            head, _, tail = path.read_text().rpartition(")")
        except OSError:
            continue
        state, _, _, session_of_it = tail.split()[:4]
        if int(session_of_it) == session and state not in "ZX":
            found[int(path.parent.name)] = head.partition("(")[2]
    return found


def end_session(process):
    """Ends what is left of the command's session; returns the names of what was still alive after it."""
    deadline = time.monotonic() + 1.0
    while (left := processes_of(process.pid)) and process.poll() is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    if process.poll() is None:
        process.terminate()  # mpirun passes it on to its ranks.
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            process.kill()
    for number in processes_of(process.pid):
        try:
            os.kill(number, signal.SIGKILL)
        except ProcessLookupError:
            pass
    process.wait()
    return sorted(left.values())


def execute(command, folder, log, limit):
    """(exit code, stdout, stderr, seconds, processes left); the code is None when it had to be stopped."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GAISNET_")}
    environment["XDG_CACHE_HOME"] = str(log)
    environment["CUDA_VISIBLE_DEVICES"] = ""  # the same on every machine: there is no GPU
    # Files and not pipes: a process left behind would keep a pipe open and this test waiting.
    with open(log / "stdout", "w+", errors="replace") as out, open(log / "stderr", "w+", errors="replace") as err:
        begin = time.monotonic()
        streams = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": err}
        process = subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True, **streams)
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            code = None
        seconds = time.monotonic() - begin
        left = end_session(process)
        out.seek(0)
        err.seek(0)
        return code, out.read(), err.read(), seconds, left


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


def digests(folder):
    return {path: hashlib.sha256(path.read_bytes()).digest() for path in folder.rglob("*") if path.is_file()}


def hdf5_status(path):
    """The root attribute `status`; None when the file cannot be read or has none."""
    try:
        with h5py.File(path, "r") as file:
            status = file.attrs.get("status")
            return status.decode() if isinstance(status, bytes) else status
    except OSError:
        return None


def missing_words(words, text):
    text = text.lower()
    return [word for word in words if not any(w.lower() in text for w in ((word,) if isinstance(word, str) else word))]


def check_bad(test, folder, before, code, stdout, stderr):
    """Everything that is wrong with how a bad input was handled."""
    faults = []
    if code != test.code:
        faults.append(f"exit code {code}, expected {test.code}")
    messages = error_messages(stderr)
    if len(messages) != 1:
        faults.append(f'{len(messages)} lines "gaisnet: error:" on stderr, expected one')
    elif missing := missing_words(test.words, messages[0]):
        faults.append(f"the message lacks {missing}")
    for noise in ("HDF5-DIAG", "terminate called", "what():", "Backtrace"):
        if noise in stderr:
            faults.append(f'"{noise}" on stderr')
    if re.search(r"\bcomplete\b", stdout, re.IGNORECASE):
        faults.append("stdout claims that the run is complete")
    after = digests(folder)
    changed = [path for path in before if after.get(path) != before[path]]
    faults += [f"{path.relative_to(folder)} was changed or removed" for path in changed]
    for path in after:
        if path.suffix == ".h5" and path not in before and h5py and hdf5_status(path) == "complete":
            faults.append(f"{path.relative_to(folder)} claims that the run is complete")
    return faults


def check_control(test, folder, code, stderr):
    faults = []
    if code != 0:
        faults.append(f"exit code {code}, expected 0")
    if error_messages(stderr):
        faults.append("an error on stderr")
    if missing := missing_words(test.words, stderr):
        faults.append(f"stderr lacks {missing}")
    if h5py and hdf5_status(folder / "out.h5") != "complete":
        faults.append(f'status in out.h5 is {hdf5_status(folder / "out.h5")}, expected complete')
    return faults


def run_case(test, program, root, number, limit):
    """Raises skip; returns (faults, stderr, seconds)."""
    is_control = test in CONTROLS
    folder = root / ("control" if test.name == CONTROL_RUN else f"case{number:02}")
    log = root / f"log{number:02}"
    folder.mkdir()
    log.mkdir()
    try:
        files.base_config(folder)
        further = (test.prepare(folder) if test.prepare else None) or []
        before = digests(folder)
        command = command_of(test, program, folder, further)
        code, stdout, stderr, seconds, left = execute(command, folder, log, 4 * limit if is_control else limit)
        if code is None:
            return [f"still running after {seconds:.0f} s"], stderr, seconds
        if is_control:
            faults = check_control(test, folder, code, stderr)
        else:
            faults = check_bad(test, folder, before, code, stdout, stderr)
        return faults + [f"left running: {name}" for name in left], stderr, seconds
    except (AssertionError, OSError) as trouble:
        return [f"the case cannot be run: {trouble}"], "", 0.0
    finally:
        if os.path.ismount(folder / "full"):
            subprocess.run(["umount", "--lazy", str(folder / "full")], check=True)


def main():
    parser = argparse.ArgumentParser(description="Runs gaisnet with inputs that cannot be used.")
    parser.add_argument("program", type=Path, help="the gaisnet program")
    parser.add_argument("--only", default="", help="only cases whose name contains this (and the first)")
    parser.add_argument("--keep", action="store_true", help="keep the folders of the cases")
    parser.add_argument("--time-limit", type=float, default=15.0, help="seconds a bad input may take (default: 15)")
    options = parser.parse_args()
    program = options.program.resolve()
    if not os.access(program, os.X_OK):
        parser.error(f"{options.program} is not an executable file")
    if h5py is None:
        print(f"note  the status in HDF5 files is not checked: {sys.executable} cannot import h5py")

    counts = {"passed": 0, "failed": 0, "skipped": 0}
    root = Path(tempfile.mkdtemp(prefix="gaisnet_bad_inputs_"))
    try:
        for number, test in enumerate(CONTROLS + CASES):
            if options.only not in test.name and test.name != CONTROL_RUN:
                continue
            try:
                faults, stderr, seconds = run_case(test, program, root, number, options.time_limit)
            except skip as reason:
                counts["skipped"] += 1
                print(f"skip  {test.name}: {reason}", flush=True)
                continue
            counts["failed" if faults else "passed"] += 1
            print(f"{'FAIL' if faults else 'ok':4}  {test.name} ({seconds:.1f} s)", flush=True)
            for fault in faults:
                print(f"        {fault}")
            if faults:
                print("".join(f"        | {line}\n" for line in stderr.splitlines()[-12:]), end="", flush=True)
    finally:
        if options.keep:
            print(f"kept  {root}")
        else:
            shutil.rmtree(root, ignore_errors=True)
    skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    print(f"{counts['passed']} passed, {counts['failed']} failed{skipped}")
    return 1 if counts["failed"] or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
