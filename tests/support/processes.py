"""Processes of runs that the tests start."""

import pathlib
import subprocess


def ranks_of(process, program):
    """The program's processes in the session of a started run, in the order of their ranks."""
    listed = subprocess.run(["ps", "-s", str(process.pid), "-o", "pid=,args="], capture_output=True, text=True).stdout
    entries = [line.strip().split(None, 1) for line in listed.splitlines()]
    return sorted(int(pid) for pid, arguments in entries if arguments.startswith(program))


def is_alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False
