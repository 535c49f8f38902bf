"""The programs of analysis/."""

import pathlib
import subprocess
import sys

PROJECT = pathlib.Path(__file__).resolve().parents[2]


def tool(name, *arguments):
    """`python3 -m analysis.NAME`, as users call it."""
    return subprocess.run([sys.executable, "-m", f"analysis.{name}", *map(str, arguments)], capture_output=True, text=True,
                          cwd=PROJECT, timeout=100)


def assert_refused(done, *words):
    """The tool ended with exit code 2 and one line that has these words."""
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr
