"""Processes of runs that the tests start, each in a session of its own."""

import contextlib
import os
import pathlib
import signal
import subprocess
import time


def wait_until(true, limit=60.0, step=0.05):
    """Whether `true()` came true within `limit` seconds."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(step)
    return bool(true())


def is_alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def processes_of(session):
    """Live processes of a session, without zombies: {id: name}."""
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended
            head, _, tail = path.read_text().rpartition(")")
            state, _, _, its_session = tail.split()[:4]
            if int(its_session) == session and state not in "ZX":
                found[int(path.parent.name)] = head.partition("(")[2]
    return found


def ranks_of(process, program):
    """The program's processes in the session of a started run, in the order of their ranks."""
    listed = subprocess.run(["ps", "-s", str(process.pid), "-o", "pid=,args="], capture_output=True, text=True).stdout
    entries = [line.strip().split(None, 1) for line in listed.splitlines()]
    return sorted(int(pid) for pid, arguments in entries if arguments.startswith(str(program)))


def end_session(process):
    """Kills what is left of the session of a started process."""
    if process.poll() is None:
        process.kill()
    for pid in processes_of(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
