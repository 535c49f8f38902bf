"""What the analysis programs have in common: tables of a results file as DataFrames, quantities as text, pictures.

Needs nothing of GaisNet: it finds its way by the names, units and descriptions in the file.
"""

import argparse
import math
import os
import pathlib
import sys

try:
    import h5py
    import numpy
    import pandas
except ImportError as missing:
    sys.exit(f"{sys.executable} has no module '{missing.name}': use an interpreter that has h5py, numpy and pandas "
             "(Debian: apt-get install python3-h5py python3-pandas, then /usr/bin/python3)")

LINK_CLASSES = ["cs_up", "cs_down", "d2d", "backhaul"]
ACTIVE_PARTS = ["sense_j", "compute_j", "transmit_j", "receive_j"]  # without idle radios, base power and sleep
ENERGY_PARTS = [*ACTIVE_PARTS, "idle_j", "base_j", "sleep_j"]
PICTURES = (".png", ".svg", ".pdf")
PREFIXES = {-3: "n", -2: "u", -1: "m", 0: "", 1: "k", 2: "M", 3: "G", 4: "T", 5: "P", 6: "E"}
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb", "#000000", "#ddaa33")
BESIDE = {"frameon": False, "fontsize": "small", "loc": "center left", "bbox_to_anchor": (1, 0.5)}  # of a legend


class UnreadableFile(Exception):
    """The file cannot be read; the message says why and what can be done."""


class UnwritablePicture(Exception):
    """A picture cannot be written; the message says why and what is accepted."""


def open_gaisnet(path):
    """The results file at `path`, opened for reading, also while a run still writes it. Raises UnreadableFile."""
    if not os.path.isfile(path):
        raise UnreadableFile(f"'{path}': there is no such file")
    if not h5py.is_hdf5(path):
        raise UnreadableFile(f"'{path}': is not an HDF5 file")
    try:
        file = h5py.File(path, "r")
    except OSError as failure:
        try:
            file = h5py.File(path, "r", swmr=True)
        except OSError:
            raise UnreadableFile(f"'{path}': cannot be opened: {failure}\n"
                                 "If its writer was killed, the file was not closed properly. Once nothing writes to it, run\n"
                                 f"    h5clear -s {path}\n"
                                 "All rounds that had ended are then readable. 'gaisnet --resume' does this by itself."
                                 ) from None
    if text(file.attrs.get("schema", "")) != "gaisnet":
        file.close()
        raise UnreadableFile(f"'{path}': is an HDF5 file, but not one of GaisNet (no attribute schema = gaisnet)")
    return file


def table(file, name):
    """A table of an open results file as a DataFrame, strings as str. attrs["units"] has the units by column, and
    attrs["latency_parts"] the columns that add up to latency_s.

    Raises UnreadableFile.
    """
    try:
        frame = pandas.DataFrame(file[name][:])
    except KeyError:
        raise UnreadableFile(f"'{file.filename}': has no table /{name}") from None
    except OSError as failure:
        raise UnreadableFile(f"'{file.filename}': its table /{name} cannot be read: {failure}") from None
    for column in frame.select_dtypes(object):
        frame[column] = frame[column].str.decode("utf-8", "replace")
    frame.attrs["units"] = {column: text(file[name].attrs.get(f"unit:{column}", "")) for column in frame}
    frame.attrs["latency_parts"] = [column for column in frame if text(file[name].attrs.get(f"description:{column}", ""))
                                    .startswith("Part of latency_s")]
    return frame


def traffic(file):
    """Bytes and airtime (Hz s) by link class, sums over all rounds."""
    return table(file, "communication/links").groupby("link")[["bytes", "airtime_hz_s"]].sum().reindex(LINK_CLASSES, fill_value=0)


def settings_of(file):
    """What decided the results of a run, by key, as text."""
    lines = text(file.attrs["identity"]).splitlines()
    return dict(line.split(" = ", 1) for line in lines if " = " in line)


def sources_of(file):
    """All settings of a run by key: their values as text, and where they came from."""
    found, section, source = {}, "", ""
    for line in text(file.attrs["config"]).splitlines():
        if line.startswith("# "):
            source = line[2:]
        elif line.startswith("["):
            section = line[1:-1] + "."
        elif " = " in line or line.endswith(" ="):
            key, _, value = line.partition(" =")
            found[section + key] = (value.strip(), source)
    return found


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
    """An attribute of the file, whichever way h5py gives it, as str."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def without_unit(column):
    """latency_s as latency, energy_j as energy."""
    return column.removesuffix("_s").removesuffix("_j")


def percent(fraction):
    """0.973 as "97.30 %"; NaN as "-"."""
    return "-" if math.isnan(fraction) else f"{100 * fraction:.2f} %"


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


def quantities(frame, units):
    """A DataFrame as text with units: by column, or one for all."""
    if isinstance(units, str):
        units = dict.fromkeys(frame, units)
    return pandas.DataFrame({column: [quantity(value, units[column]) for value in frame[column]] for column in frame}, frame.index)


def percentiles(values, parts):
    """The smallest of the values that is not below each part (in %) of them: nearest rank, as gaisnet prints it."""
    return numpy.percentile(values, parts, axis=0, method="inverted_cdf")


def print_table(frame):
    """Prints a DataFrame, its index only if that has a name, every column as wide as its widest cell."""
    first = 0 if frame.index.name else 1
    cells = [list(map(str, row[first:])) for row in ((frame.index.name, *frame.columns), *frame.itertuples(name=None))]
    widths = [max(map(len, column)) for column in zip(*cells)]
    for row in cells:
        print("  " + "  ".join(map(str.rjust, row, widths)))


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


def picture_path(path, beside, suffix):
    """Where a picture goes: `path`, or with `suffix` in place of that of the file that it lies beside. Raises
    UnwritablePicture."""
    chosen = pathlib.Path(path) if path else pathlib.Path(beside).with_suffix(suffix)
    if chosen.suffix.lower() not in PICTURES:
        raise UnwritablePicture(f"'{chosen}': a picture's name ends in one of {', '.join(PICTURES)}")
    if not chosen.parent.is_dir():
        raise UnwritablePicture(f"'{chosen}': there is no folder '{chosen.parent}'")
    return chosen


def save(figure, path):
    """Writes a picture and says where. Raises UnwritablePicture."""
    try:
        figure.savefig(path, dpi=120)
    except OSError as failure:
        raise UnwritablePicture(f"'{path}': cannot be written: {failure.strerror}") from None
    pyplot().close(figure)
    print(path)


def parser_of(name, description):
    return argparse.ArgumentParser(prog=f"python3 -m analysis.{name}", description=description)


def run_tool(main, refused=1):
    """Runs a tool: one line and the exit code `refused` for a file that cannot be read, or a picture that cannot be written."""
    try:
        main()
    except (UnreadableFile, UnwritablePicture) as failure:
        print(failure, file=sys.stderr)
        sys.exit(refused)
    except BrokenPipeError:  # The reader of our output (head, less) has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
