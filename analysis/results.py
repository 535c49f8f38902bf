"""What the analysis programs have in common: opening a results file of GaisNet, and printing quantities and tables.

Needs h5py and numpy only, and nothing of GaisNet: it finds its way by the names, units and descriptions in the file.
"""

import argparse
import math
import os
import sys

try:
    import h5py
    import numpy
except ImportError as missing:
    sys.exit(f"{sys.executable} has no module '{missing.name}': use an interpreter that has h5py and numpy "
             "(Debian: apt-get install python3-h5py, then /usr/bin/python3)")

LINK_CLASSES = ("cs_up", "cs_down", "d2d", "backhaul")
PREFIXES = {-3: "n", -2: "u", -1: "m", 0: "", 1: "k", 2: "M", 3: "G", 4: "T", 5: "P", 6: "E"}
LATENCY_PARTS = ("delivery_s", "sensing_s", "compute_s", "d2d_s", "cs_smashed_s", "upload_s", "edge_s", "wait_s",
                 "cloud_s")
REQUEST_PARTS = ("sensing_s", "queue_s", "delivery_s", "compute_s", "edge_s", "d2d_s", "cs_smashed_s", "result_s",
                 "busy_s")
ACTIVE_PARTS = ("sense_j", "compute_j", "transmit_j", "receive_j")  # without idle radios, base power and sleep
ENERGY_PARTS = (*ACTIVE_PARTS, "idle_j", "base_j", "sleep_j", "total_j")


class UnreadableFile(Exception):
    """The file cannot be read; the message says why and what can be done."""


def open_results(path):
    """Opens a results file for reading, also one that a run is still writing.

    Raises UnreadableFile with advice when that is not possible.
    """
    if not os.path.isfile(path):
        raise UnreadableFile(f"'{path}': there is no such file")
    if not h5py.is_hdf5(path):
        raise UnreadableFile(f"'{path}': is not an HDF5 file")
    reasons = []
    for swmr in (False, True):
        try:
            return h5py.File(path, "r", swmr=swmr)
        except OSError as failure:
            reasons.append(str(failure))
    raise UnreadableFile(f"'{path}': cannot be opened: {reasons[0]}\n"
                         "If its writer was killed, the file was not closed properly. Once nothing writes to it, run\n"
                         f"    h5clear -s {path}\n"
                         "All rounds that had ended are then readable. 'gaisnet --resume' does this by itself.")


def is_live(path):
    """Whether another process holds the file as its writer does; None where that cannot be found out."""
    try:
        import fcntl
        with open(path, "rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False
    except (ImportError, OSError):
        return None


def text(value):
    """A string of the file, whichever way h5py gives it, as str."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def quantity(value, unit):
    """The value with an SI prefix and four significant digits; seconds and pure numbers take no prefix above 1."""
    value = float(value)
    if math.isnan(value):
        return "-"
    if value == 0 or math.isinf(value):
        return f"{value:g} {unit}"
    power = 0
    highest, lowest = (0 if unit == "s" else 6), (0 if unit == "B" else -3)
    while abs(value) >= 999.95 and power < highest:
        value, power = value / 1000, power + 1
    while abs(value) < 0.99995 and power > lowest:
        value, power = value * 1000, power - 1
    size = abs(value)
    digits = 3 if size < 9.9995 else 2 if size < 99.995 else 1 if size < 999.95 else 0
    if unit == "B" and power == 0:
        digits = 0
    return f"{value:.{digits}f} {PREFIXES[power]}{unit}"


def percentiles(values, parts):
    """The smallest of the values that is not below each part (in %) of them: nearest rank, as gaisnet prints it."""
    return numpy.percentile(values, parts, method="inverted_cdf")


def unit_of(table, column):
    """The unit of a column as the file states it."""
    return text(table.attrs.get(f"unit:{column}", ""))


def print_table(head, rows, indent="  "):
    """Prints rows of text under a head, every column as wide as its widest cell."""
    cells = [list(map(str, row)) for row in [head, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    for row in cells:
        print(indent + "  ".join(cell.rjust(width) for cell, width in zip(row, widths)))


def traffic(file):
    """(link class, bytes, Hz s) of all rounds."""
    rows = file["communication/links"][:]
    return [(name, rows["bytes"][rows["link"] == name.encode()].sum(),
             rows["airtime_hz_s"][rows["link"] == name.encode()].sum()) for name in LINK_CLASSES]


def open_gaisnet(path):
    """Opens a results file of GaisNet. Raises UnreadableFile."""
    file = open_results(path)
    if text(file.attrs.get("schema", "")) != "gaisnet":
        file.close()
        raise UnreadableFile(f"'{path}': is an HDF5 file, but not one of GaisNet (no attribute schema = gaisnet)")
    return file


def settings_of(file):
    """What decided the results of a run, by key, as text."""
    lines = text(file.attrs["identity"]).splitlines()
    return dict(line.split(" = ", 1) for line in lines if " = " in line)


def pyplot():
    """matplotlib, drawing into files. Raises UnreadableFile with advice when it is not there."""
    try:
        import matplotlib
    except ImportError:
        raise UnreadableFile(f"{sys.executable} has no module 'matplotlib' (Debian: apt-get install "
                             "python3-matplotlib, then /usr/bin/python3)") from None
    matplotlib.use("Agg")
    from matplotlib import pyplot as module
    return module


def run_tool(main):
    """Runs a tool: one line and exit code 1 for a file that cannot be read."""
    try:
        main()
    except UnreadableFile as failure:
        print(failure, file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:  # The reader of our output (head, less) has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def parser_of(name, description):
    return argparse.ArgumentParser(prog=f"python3 -m analysis.{name}", description=description)
