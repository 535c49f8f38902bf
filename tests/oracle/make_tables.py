#!/usr/bin/python3
"""Makes the golden tables maxmin.csv and airtime.csv: ends of flows in shared media, computed by SimGrid.

    make_tables.py            # draws the inputs, compiles and runs simgrid_flows.cpp, writes both tables beside it
    make_tables.py --check    # makes them in a temporary folder and compares: exit status 1 if they differ

It needs a C++ compiler ($CXX, or g++), pkg-config and SimGrid (Debian: libsimgrid-dev). The tests that read the tables
need none of these. The columns are described in simgrid_flows.cpp.
"""

import argparse
import math
import os
import pathlib
import random
import shlex
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SEED = 20240607
MAXMIN_SETS = 1200
AIRTIME_SETS = 500
RATES = [6.5e6, 13e6, 26e6, 54e6, 150e6, 433e6]  # bit/s of a Wi-Fi station
TOLERANCE = 1e-9  # relative, between two makings of a table
MAXIMUM_SIZE = 450_000  # bytes of a table

COLUMNS = {
    "maxmin": "set,capacity_bit_s,link,start_s,bytes,limit_bit_s",
    "airtime": "set,link,rate_bit_s,start_s,bytes",
}
OUTPUTS = ["begin_s", "end_s"]

# Flows whose ends are plain to see; they are checked before any table is made. The last field is end_s.
KNOWN = {
    "maxmin": [
        [0, 80000000, 0, 0.0, 10000000, 800000000, 1.0],  # alone
        [1, 80000000, 0, 0.0, 10000000, 800000000, 2.0],  # two at once
        [1, 80000000, 1, 0.0, 10000000, 800000000, 2.0],
        [2, 80000000, 0, 0.0, 10000000, 800000000, 1.5],  # the second half a second later
        [2, 80000000, 1, 0.5, 10000000, 800000000, 2.0],
        [3, 80000000, 0, 0.0, 10000000, 800000000, 1.5],  # the second half as long
        [3, 80000000, 1, 0.0, 5000000, 800000000, 1.0],
        [4, 80000000, 0, 0.0, 10000000, 40000000, 2.0],  # alone and limited
        [5, 80000000, 0, 0.0, 2000000, 16000000, 1.0],  # what a limited flow leaves is used by the other
        [5, 80000000, 1, 0.0, 8000000, 800000000, 1.0],
        [6, 80000000, 0, 0.5, 10000000, 800000000, 2.0],  # a queue, and later a start after it has emptied
        [6, 80000000, 0, 0.0, 10000000, 800000000, 1.0],
        [6, 80000000, 0, 9.0, 10000000, 800000000, 10.0],
    ],
    "airtime": [
        [0, 0, 80000000, 0.0, 10000000, 1.0],  # alone
        [1, 0, 80000000, 0.0, 10000000, 2.0],  # two of one rate
        [1, 1, 80000000, 0.0, 10000000, 2.0],
        [2, 0, 80000000, 0.0, 10000000, 2.0],  # both get 1 / (1 / 80 + 1 / 8) Mbit/s, as long as the slow one sends
        [2, 1, 8000000, 0.0, 1000000, 1.1],
        [2, 0, 80000000, 1.0, 10000000, 3.0],
    ],
}


def draw_senders(draw, flows):
    """The sender of every flow: in some sets each has its own, in others they share a few, down to one."""
    senders = flows if draw.random() < 0.5 else draw.randint(1, flows)
    return list(range(senders)) + [draw.randrange(senders) for _ in range(flows - senders)]


def draw_sizes(draw, flows):
    """Bytes of every flow, over the four decades from 1 kB to 10 MB; in some sets all are of one size, or close."""
    def size(low, high):
        return round(10 ** draw.uniform(low, high))

    kind = draw.random()
    if kind < 0.1:
        return [size(3, 7)] * flows
    if kind < 0.4:
        low = draw.uniform(3, 6)
        return [size(low, low + 1) for _ in range(flows)]
    return [size(3, 7) for _ in range(flows)]


def draw_starts(draw, flows, busy_s):
    """Starts within a part of the busy time: all at once, on a coarse grid (so that some are equal), or anywhere."""
    kind = draw.random()
    span = busy_s * 10 ** draw.uniform(-1.5, 0)
    if kind < 0.2:
        starts = [0.0] * flows
    elif kind < 0.3:
        starts = [draw.uniform(0, span)] * flows
    elif kind < 0.5:
        starts = [draw.randrange(4) / 4 * span for _ in range(flows)]
    else:
        starts = [draw.uniform(0, span) for _ in range(flows)]
    return [round(start, 7) for start in starts]


def draw_limits(draw, flows, capacity):
    """Limits in bit/s below, near (some exactly) and above the fair share; in some sets all are equal."""
    fair = capacity // flows

    def limit():
        kind = draw.random()
        if kind < 0.25:
            return round(draw.uniform(0.1, 0.9) * fair)
        if kind < 0.3:
            return fair
        if kind < 0.4:
            return round(draw.uniform(0.95, 1.05) * fair)
        if kind < 0.8:
            return round(draw.uniform(1.1, flows + 0.5) * fair)  # up to above the capacity
        return 2 * capacity  # no limit in effect

    if draw.random() < 0.2:
        return [limit()] * flows
    limits = [limit() for _ in range(flows)]
    if flows > 2 and draw.random() < 0.3:
        limits[1] = limits[0]
    return limits


def draw_maxmin(draw):
    rows = []
    for number in range(MAXMIN_SETS):
        flows = number % 8 + 1
        capacity = 840 * round(10 ** draw.uniform(4, 5.8))  # 8.4 to 530 Mbit/s; 1 to 8 equal shares are whole numbers
        senders = draw_senders(draw, flows)
        sizes = draw_sizes(draw, flows)
        starts = draw_starts(draw, flows, 8 * sum(sizes) / capacity)
        limits = draw_limits(draw, flows, capacity)
        rows += [[number, capacity, *flow] for flow in zip(senders, starts, sizes, limits)]
    return rows


def draw_airtime(draw):
    rows = []
    for number in range(AIRTIME_SETS):
        flows = number % 6 + 1
        senders = draw_senders(draw, flows)
        stations = max(senders) + 1
        levels = draw.sample(RATES, draw.randint(2, 4))
        # The first two levels are in use whenever there are two stations.
        rates = levels[:min(stations, 2)] + [draw.choice(levels) for _ in range(stations - 2)]
        sizes = draw_sizes(draw, flows)
        starts = draw_starts(draw, flows, sum(8 * size / rates[i] for size, i in zip(sizes, senders)))
        rows += [[number, i, round(rates[i]), start, size] for i, start, size in zip(senders, starts, sizes)]
    return rows


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"failed: {shlex.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def build(folder):
    """Compiles simgrid_flows into the folder; returns its path and SimGrid's version."""
    compiler = shlex.split(os.environ.get("CXX", "g++"))
    for tool in (compiler[0], "pkg-config"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is missing")
    if subprocess.run(["pkg-config", "--exists", "simgrid"]).returncode != 0:
        sys.exit("SimGrid is missing (Debian: apt-get install libsimgrid-dev)")
    flags = run(["pkg-config", "--cflags", "--libs", "simgrid"]).split()
    program = folder / "simgrid_flows"
    run([*compiler, "-std=c++20", "-O1", HERE / "simgrid_flows.cpp", *flags, "-o", program])
    return program, run(["pkg-config", "--modversion", "simgrid"]).strip()


def simulate(program, mode, rows, scratch):
    """What simgrid_flows prints for the rows."""
    lines = [COLUMNS[mode]] + [",".join(map(repr, row)) for row in rows]  # repr: read back exactly
    path = scratch / "in.csv"
    path.write_text("\n".join(lines) + "\n")
    return run([program, mode, path])


def check_known(program, scratch):
    """Ends the script when SimGrid's ends of the known flows are others: it does not compute what is meant here."""
    for mode, rows in KNOWN.items():
        printed = simulate(program, mode, [row[:-1] for row in rows], scratch).splitlines()[1:]
        for row, line in zip(rows, printed, strict=True):
            if not math.isclose(float(line.split(",")[-1]), row[-1], rel_tol=TOLERANCE):
                sys.exit(f"{mode}: SimGrid prints {line}, but the flow has to end at {row[-1]}")


def make(folder):
    """Writes both tables into the folder."""
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        program, version = build(scratch)
        check_known(program, scratch)
        for mode, draw_rows in (("maxmin", draw_maxmin), ("airtime", draw_airtime)):
            table = (
                f"# Ends of flows, computed by SimGrid {version} and not by GaisNet: see simgrid_flows.cpp.\n"
                f"# Made by make_tables.py with the seed {SEED}; do not edit.\n"
            ) + simulate(program, mode, draw_rows(random.Random(f"{SEED} {mode}")), scratch)
            if len(table) > MAXIMUM_SIZE:
                sys.exit(f"{mode}.csv would have {len(table)} bytes; {MAXIMUM_SIZE} are allowed")
            (folder / f"{mode}.csv").write_text(table)


def read(path):
    """The columns' names, and all rows as text."""
    try:
        lines = [line.split(",") for line in path.read_text().splitlines() if not line.startswith("#")]
    except OSError as error:
        sys.exit(f"cannot read {path.name}: {error.strerror}")
    return (lines[0], lines[1:]) if lines else ([], [])


def differences(mode, committed, made):
    """One line of text for every difference: inputs have to be the same text, times agree within TOLERANCE."""
    names, old_rows = read(committed)
    new_names, new_rows = read(made)
    if names != new_names or len(old_rows) != len(new_rows):
        yield f"{mode}.csv: other columns or another number of rows"
        return
    for number, (old, new) in enumerate(zip(old_rows, new_rows), 1):
        if len(old) != len(new):
            yield f"{mode}.csv, row {number}: not as many fields as columns"
            continue
        for name, before, after in zip(names, old, new):
            same = before == after
            if not same and name in OUTPUTS:
                same = math.isclose(float(before), float(after), rel_tol=TOLERANCE)
            if not same:
                yield f"{mode}.csv, row {number}: {name} is {before}, now {after}"


def check():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make(folder)
        found = [text for mode in COLUMNS for text in differences(mode, HERE / f"{mode}.csv", folder / f"{mode}.csv")]
    for text in found[:20]:
        print(text)
    print(f"differences: {len(found)}")
    return 1 if found else 0


def main():
    parser = argparse.ArgumentParser(description="Makes the golden tables of tests/oracle with SimGrid.")
    parser.add_argument("--check", action="store_true", help="compare with the tables here instead of writing them")
    if parser.parse_args().check:
        return check()
    make(HERE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
