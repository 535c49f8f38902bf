"""What runs leave behind: tables of results files, tuned modules, checkpoints and predictions.

Tests that read these are skipped where there is no h5py.
"""

import csv

import pytest
from support.files import same_bytes

h5py = pytest.importorskip("h5py")

FINE_TUNING = ("rounds", "events", "clients", "energy", "memory", "communication/links", "federations", "accuracy_by_domain",
               "topology/samples")


def table(path, name):
    """A table of a results file, as a NumPy array."""
    with h5py.File(path) as file:
        return file[name][:]


def tables(path, names):
    """Tables of a results file without wall times and where nodes ran, and its status: the same for equal runs. NaN is None, which
    equals itself."""
    found = {}
    with h5py.File(path) as file:
        for name in names:
            rows = file[name][:]
            found[name] = {column: [None if value != value else value for value in rows[column].tolist()] for column in rows.dtype.names if column not in ("wall_s", "rank")}
        found["status"] = text(file.attrs["status"])
    return found


def differences(path, other, names):
    """The names of those tables in which two results files differ."""
    first, second = tables(path, names), tables(other, names)
    return [name for name in first if first[name] != second[name]]


def status(path):
    """What a results file says of its run: complete, aborted, ..."""
    with h5py.File(path) as file:
        return text(file.attrs["status"])


def text(value):
    """An attribute as text: h5py gives some as bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)


def assert_same_tuning(path, other, names=FINE_TUNING):
    """Two runs of fine-tuning have come to the same tuned modules and tables, bit for bit."""
    modules, others = (sorted(run.parent.glob(run.stem + ".*safetensors")) for run in (path, other))
    assert modules and len(modules) == len(others)
    for mine, its in zip(modules, others):
        assert same_bytes(mine, its), f"{mine.name} and {its.name} differ"
    assert not differences(path, other, names)


def checkpoints(output):
    """The complete checkpoints of a run, oldest first."""
    return sorted(marker.parent for marker in output.with_suffix(".ckpt").glob("round_*/DONE"))


def predictions(output):
    """What `gaisnet infer` answered, a dictionary a request."""
    with open(output.with_suffix(".predictions.csv"), newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
