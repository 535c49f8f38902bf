"""What the test scripts have in common: a line a check, and a count at the end."""

import sys

_passed = _failed = 0


def check(name, good, detail=""):
    """Prints whether a check passed, with `detail` when it did not."""
    global _passed, _failed
    print(("ok      " if good else "FAILED  ") + name + ("" if good else f": {detail}"), flush=True)
    _passed, _failed = _passed + bool(good), _failed + (not good)


def skip(reason):
    """Ends the script: nothing can be checked here. CTest knows the code."""
    print(f"skipped: {reason}")
    sys.exit(77)


def finish():
    """Ends the script with what was counted."""
    print(f"{_passed} passed, {_failed} failed")
    sys.exit(1 if _failed else 0)
