"""Runs gaisnet for many settings and puts the results into one table: python3 -m analysis.sweep FOLDER COMMAND --vary KEY VALUE...

    python3 -m analysis.sweep sweeps/lr finetune --config configs/quickstart.cfg --set model.weights=fm.safetensors \\
        --vary train.lr 0.01 0.03 0.1 --vary tuning.method lora head --seeds 3 --parallel 2

takes every combination, three seeds of each. --random N and --latin N draw N points instead, of the values of --vary and of
--range KEY LOW HIGH [UNIT] (--log: evenly in the logarithm); --list FILE.csv takes its rows, with keys as heads. FOLDER gets a
.cfg and a results file a run, runs.csv with what differs and what came out, means.csv with means and 95 % intervals over seeds,
and sweep.h5 with both. The same line again goes on where it stopped, and runs what is new; FOLDER alone makes the tables again.
--slurm 'SBATCH OPTIONS' submits the runs as one array job instead, at most --parallel at a time.
"""

import concurrent.futures
import csv
import itertools
import json
import math
import os
import pathlib
import re
import shlex
import subprocess
import sys

from analysis.compare import session_of, totals_of
from analysis.results import (UnreadableFile, h5py, numpy, open_gaisnet, pandas, parser_of, print_table, run_tool,
                              table, text)
from analysis.running import LOG, TREE, GaisnetError, execute, find_program, flags_of, launcher, setting_text, stop_children

MOST_RUNS = 100000
SHOWN = 40  # rows that are printed


def distance(value):
    """A number and its unit: "10 ms" as (10.0, "ms")."""
    found = re.fullmatch(r"\s*([-+0-9.eE]+)\s*(\S*)\s*", str(value))
    try:
        return float(found[1]), found[2]
    except (TypeError, ValueError):
        raise UnreadableFile(f"'{value}': a number, or a number and its unit, is accepted") from None


class Range:
    """Values from low to high, evenly or evenly in their logarithm."""

    def __init__(self, low, high, log=False):
        (self.low, unit), (self.high, other) = distance(low), distance(high)
        self.unit, self.log = unit or other, log
        if unit and other and unit != other:
            raise UnreadableFile(f"a range from {low} to {high}: one unit is accepted")
        if not self.low < self.high or log and self.low <= 0:
            raise UnreadableFile(f"a range from {low} to {high}: a lower one before a higher one is accepted"
                                 + (", above 0 with --log" if log else ""))

    def at(self, part):
        """The value at a part of the range, 0 to 1, four digits of it."""
        value = self.low * (self.high / self.low) ** part if self.log else self.low + (self.high - self.low) * part
        return f"{value:.4g} {self.unit}".strip()


def key_of(name):
    return name.replace("__", ".")


def points_of(vary, how="grid", count=0, draw_seed=1):
    """The settings of each point: of a grid, or of `count` points that are drawn, one by one ("random") or so that each part
    of each range is hit once ("latin", a Latin hypercube).

    \\param vary values by key: a list or, of drawn points, a Range
    """
    vary = {key_of(key): values if isinstance(values, Range) else [setting_text(value) for value in values] for key, values in vary.items()}
    for key, values in vary.items():
        if isinstance(values, Range) and how == "grid":
            raise UnreadableFile(f"{key}: a range needs drawn points (--random N or --latin N); a grid takes a list of values")
        if not isinstance(values, Range) and not values:
            raise UnreadableFile(f"{key}: has no values")
    if how == "grid":
        if math.prod(len(values) for values in vary.values()) > MOST_RUNS:
            raise UnreadableFile(f"more than {MOST_RUNS} runs")
        return [dict(zip(vary, values)) for values in itertools.product(*vary.values())]
    draws = numpy.random.default_rng(draw_seed)
    columns = {}
    for key, values in vary.items():
        parts = draws.random(count)
        if how == "latin":
            parts = (draws.permutation(count) + parts) / count
        columns[key] = [values.at(part) if isinstance(values, Range) else values[int(part * len(values))] for part in parts]
    return [{key: column[number] for key, column in columns.items()} for number in range(count)]


def points_of_list(path):
    """The rows of a CSV file whose heads are keys; empty cells leave a default. Raises UnreadableFile."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as failure:
        raise UnreadableFile(f"'{path}': cannot be read: {failure}") from None
    if not rows:
        raise UnreadableFile(f"'{path}': has no row below its heads")
    if any(None in row or None in row.values() for row in rows):
        raise UnreadableFile(f"'{path}': a row has not as many cells as there are heads")
    return [{key.strip(): value.strip() for key, value in row.items() if value.strip()} for row in rows]


class Sweep:
    """The runs of a folder. `plan` is what sweep.json holds: command, configs and common settings, and the settings of each
    run in their order."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.file = self.folder / "sweep.json"
        self.plan = None
        if self.file.is_file():
            try:
                self.plan = json.loads(self.file.read_text(encoding="utf-8"))
            except (OSError, ValueError) as failure:
                raise UnreadableFile(f"'{self.file}': cannot be read: {failure}") from None

    def extend(self, command, configs, common, points):
        """Adds the points that are not there yet. Raises UnreadableFile where the folder belongs to another sweep."""
        base = {"command": command, "configs": [str(pathlib.Path(config).resolve()) for config in configs], "common": common}
        if self.plan is None:
            self.plan = {**base, "runs": []}
        for what, value in base.items():
            if self.plan[what] != value:
                raise UnreadableFile(f"'{self.folder}': belongs to a sweep with {what} = {self.plan[what]!r}, and this one has "
                                     f"{value!r}: another folder, or the same, is accepted")
        self.plan["runs"] += [point for number, point in enumerate(points)
                              if point not in self.plan["runs"] and point not in points[:number]]
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for number, point in enumerate(self.plan["runs"]):
                self.config(number).write_text("".join(f"{key} = {value}\n" for key, value in
                                                       {**point, "output": str(self.output(number).resolve())}.items()), encoding="utf-8")
            draft = self.file.with_suffix(".new")
            draft.write_text(json.dumps(self.plan, indent=1), encoding="utf-8")
            os.replace(draft, self.file)
        except OSError as failure:
            raise UnreadableFile(f"'{self.folder}': cannot be written: {failure.strerror}") from None

    def config(self, number):
        return self.folder / f"{number:04}.cfg"

    def output(self, number):
        return self.folder / f"{number:04}.h5"

    def is_done(self, number):
        try:
            with open_gaisnet(self.output(number)) as file:
                return text(file.attrs["status"]) == "complete"
        except UnreadableFile:
            return False

    def arguments(self, number):
        """The command and its flags, without program and ranks."""
        words = [self.plan["command"]]
        for config in [*self.plan["configs"], str(self.config(number))]:
            words += ["--config", config]
        return [*words, *flags_of(self.plan["common"])]

    def run(self, number, ranks, program):
        """Runs one; returns what was wrong with it, or nothing. A run that was stopped goes on."""
        resume = ["--resume", "auto"] if self.plan["command"] in ("finetune", "infer", "serve") else ["--overwrite", "on"]
        try:
            printed = execute([*launcher(ranks), find_program(program), *self.arguments(number), "--output", str(self.output(number)),
                               "--progress", "none", *resume])
            self.output(number).with_suffix(".txt").write_text(printed, encoding="utf-8")
            return ""
        except GaisnetError as failure:
            return str(failure)

    def run_all(self, parallel=1, ranks=1, program=None, tell=print):
        """Runs what is not done, so many at a time; returns what was wrong, by number of the run."""
        open_runs = [number for number in range(len(self.plan["runs"])) if not self.is_done(number)]
        failed, ended = {}, 0
        with concurrent.futures.ThreadPoolExecutor(max(1, parallel)) as pool:
            under_way = {pool.submit(self.run, number, ranks, program): number for number in open_runs}
            try:
                for one in concurrent.futures.as_completed(under_way):
                    number, ended = under_way[one], ended + 1
                    if problem := one.result():
                        failed[number] = problem
                    tell(f"{ended}/{len(open_runs)}  run {number:04}: {', '.join(f'{key} = {value}' for key, value in self.plan['runs'][number].items())}"
                         + (f": {problem}" if problem else ""))
            except KeyboardInterrupt:
                pool.shutdown(wait=False, cancel_futures=True)
                stop_children()
                raise
        return failed

    def table(self):
        """A row a run that is done: its number, what differs from run to run, and what came out."""
        keys = list(dict.fromkeys(key for run in self.plan["runs"] for key in run))
        rows = [{"run": number, **{key: run.get(key, "") for key in keys}, **results_of(self.output(number))}
                for number, run in enumerate(self.plan["runs"]) if self.is_done(number)]
        return pandas.DataFrame(rows, columns=None if rows else ["run", *keys]), keys

    def tables(self):
        """Writes runs.csv, means.csv and sweep.h5; returns both tables."""
        runs, keys = self.table()
        means = means_of(runs, [key for key in keys if key != "seed"])
        runs.to_csv(self.folder / "runs.csv", index=False)
        means.to_csv(self.folder / "means.csv", index=False)
        with h5py.File(self.folder / "sweep.h5", "w") as file:
            for name, frame in (("runs", runs), ("means", means)):
                if len(frame):
                    file.create_dataset(name, data=records_of(frame))
        return runs, means


def results_of(path):
    """What came out of a run: quality and costs after its last round, or latencies of its requests."""
    with open_gaisnet(path) as file:
        found = {"stop_reason": text(file.attrs["stop_reason"])}
        totals, session, services = totals_of(file), session_of(file), table(file, "service")
        if len(totals):
            last = totals[-1]
            found |= {name: (int if name == "round" else float)(last[name]) for name in totals.dtype.names}
            found["best_accuracy"] = float(totals["accuracy"].max())
        elif session:
            found |= {name: value for name, value in session.items() if name != "latencies_s"}
        for policy, own in services.groupby("policy", sort=False) if len(services) else ():
            found[f"cash_{policy}"] = own["cash"].iloc[-1]
        return found


def means_of(runs, keys):
    """Means over the runs that differ in nothing but their seed, with the half width of a 95 % interval (Student's t) beside
    each: NaN of a single run."""
    if not len(runs):
        return runs
    numbers = [column for column in runs.select_dtypes("number") if column not in (*keys, "run", "seed")]
    from scipy.stats import t
    rows = []
    for where, own in runs.groupby(keys, sort=False, dropna=False) if keys else [((), runs)]:
        row = dict(zip(keys, where if isinstance(where, tuple) else (where,)))
        row["runs"] = len(own)
        for column in numbers:
            values = own[column].dropna()
            row[column] = values.mean()
            row[f"{column}_ci95"] = (t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values))
                                     if len(values) > 1 else math.nan)
        rows.append(row)
    return pandas.DataFrame(rows)


def shown(means):
    """Means with their intervals in one column; those that are nowhere known are left out."""
    out = {}
    for name, values in means.items():
        if name.endswith("_ci95") or values.dtype == float and values.isna().all():
            continue
        widths = means.get(f"{name}_ci95", [math.nan] * len(means))
        out[name] = [value if not isinstance(value, float) else f"{value:.4g}" + ("" if not width > 0 else f" +-{width:.2g}")
                     for value, width in zip(values.tolist(), widths)]
    return pandas.DataFrame(out)


def records_of(frame):
    """A DataFrame as h5py stores it: texts of variable length."""
    kinds = [(name, h5py.string_dtype() if values.dtype == object else values.dtype) for name, values in frame.items()]
    out = numpy.empty(len(frame), dtype=kinds)
    for name, values in frame.items():
        out[name] = values.fillna("") if values.dtype == object else values
    return out


def with_seeds(points, seeds):
    """Each point with seeds 1 to `seeds`."""
    return points if seeds <= 0 else [{**point, "seed": str(seed)} for point in points for seed in range(1, seeds + 1)]


def sweep(vary, *configs, folder="sweeps/sweep", command="finetune", how="grid", points=0, seeds=0, parallel=1, ranks=1,
          program=None, settings=None, **more):
    """Runs gaisnet for all these settings; returns the table of runs. What is done in `folder` already is not run again.

    \\param vary values by key: lists; with how="random" or "latin" also Range(low, high, log); or a list of dictionaries, a point each
    \\param points how many are drawn
    \\param seeds of each point, from 1; 0: seed is a setting like others
    Raises GaisnetError naming the runs that failed, after all have ended.
    """
    chosen = [{key_of(key): setting_text(value) for key, value in point.items()} for point in vary] if isinstance(vary, list) else (
        points_of(vary, how, points))
    runs = Sweep(folder)
    common = {key_of(key): setting_text(value) for key, value in {**(settings or {}), **more}.items() if value is not None}
    runs.extend(command, configs, common, with_seeds(chosen, seeds))
    failed = runs.run_all(parallel, ranks, program, tell=lambda line: None)
    found, _ = runs.tables()
    if failed:
        raise GaisnetError(f"{len(failed)} of {len(runs.plan['runs'])} runs failed: " + "; ".join(
            f"{runs.config(number)}: {problem}" for number, problem in list(failed.items())[:3]), 1)
    return found


def submit(runs, options, parallel):
    """Submits what is not done as an array job."""
    numbers = [number for number in range(len(runs.plan["runs"])) if not runs.is_done(number)]
    if not numbers:
        return
    line = ["sbatch", f"--array={spans(numbers)}%{max(1, parallel)}", *shlex.split(options), str(TREE / "slurm" / "run.sbatch"), "--configs",
            str(runs.folder.resolve()), runs.plan["command"]]
    for config in runs.plan["configs"]:
        line += ["--config", config]
    line += [*flags_of(runs.plan["common"]), "--progress", "none"]
    print(shlex.join(line))
    try:
        code = subprocess.call(line)
    except OSError as failure:
        raise UnreadableFile(f"sbatch cannot be started: {failure.strerror}") from None
    if code:
        sys.exit(code)


def spans(numbers):
    """0, 1, 2, 5 as "0-2,5"."""
    parts = []
    for number in numbers:
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def main():
    parser = parser_of("sweep", __doc__.splitlines()[0])
    parser.add_argument("folder", metavar="FOLDER", help="of the runs and their tables")
    parser.add_argument("command", nargs="?", choices=("finetune", "plan", "infer", "serve"), help="of gaisnet; none: only make the tables")
    parser.add_argument("--config", action="append", default=[], metavar="FILE", help="settings of all runs; may be repeated")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of all runs; may be repeated")
    parser.add_argument("--vary", action="append", default=[], nargs="+", metavar=("KEY", "VALUE"), help="values of a key")
    parser.add_argument("--range", action="append", default=[], nargs=3, metavar=("KEY", "LOW", "HIGH"), help="of drawn points")
    parser.add_argument("--log", action="store_true", help="draw ranges evenly in the logarithm")
    parser.add_argument("--random", type=int, default=0, metavar="N", help="draw N points")
    parser.add_argument("--latin", type=int, default=0, metavar="N", help="draw N points of a Latin hypercube")
    parser.add_argument("--draw-seed", type=int, default=1, metavar="S", help="of drawn points")
    parser.add_argument("--list", metavar="CSV", help="a file whose rows are points")
    parser.add_argument("--seeds", type=int, default=0, metavar="N", help="run each point with seeds 1 to N")
    parser.add_argument("--parallel", type=int, default=1, metavar="N", help="runs at a time")
    parser.add_argument("--ranks", type=int, default=1, metavar="N", help="MPI ranks of each run")
    parser.add_argument("--program", help="gaisnet; otherwise $GAISNET, that of the PATH, or that of the source tree")
    parser.add_argument("--slurm", metavar="OPTIONS", help="submit an array job with these options of sbatch")
    given = parser.parse_args()
    said = set()
    LOG.addFilter(lambda record: record.getMessage() not in said and not said.add(record.getMessage()))  # once, not once a run
    runs = Sweep(given.folder)
    failed = {}
    if given.command:
        if bool(given.random) + bool(given.latin) + bool(given.list) > 1:
            parser.error("one of --random, --latin and --list is accepted")
        if min(given.random, given.latin, given.seeds, given.parallel - 1, given.ranks - 1) < 0:
            parser.error("numbers of points, seeds, runs and ranks that are not negative, and at least one run and rank, are accepted")
        short = [words[0] for words in given.vary if len(words) < 2]
        if short:
            parser.error(f"--vary {short[0]}: a key and at least one value are accepted")
        common = {}
        for one in given.set:
            key, sign, value = one.partition("=")
            if not sign:
                parser.error(f"--set {one}: KEY=VALUE is accepted")
            common[key] = value
        vary = {key: values for key, *values in given.vary} | {key: Range(low, high, given.log) for key, low, high in given.range}
        how = "random" if given.random else "latin" if given.latin else "grid"
        points = points_of_list(given.list) if given.list else points_of(vary, how, given.random or given.latin, given.draw_seed)
        runs.extend(given.command, given.config, common, with_seeds(points, given.seeds))
        if given.slurm is not None:
            submit(runs, given.slurm, given.parallel)
            print(f"when they have ended, python3 -m analysis.sweep {shlex.quote(given.folder)} makes the tables")
            return
        failed = runs.run_all(given.parallel, given.ranks, given.program)
    elif runs.plan is None:
        raise UnreadableFile(f"'{given.folder}': has no sweep (no sweep.json in it); a command behind the folder begins one")
    _, means = runs.tables()
    if len(means):
        print_table(shown(means.head(SHOWN)))
    if len(means) > SHOWN:
        print(f"  ... and {len(means) - SHOWN} more rows")
    done = sum(map(runs.is_done, range(len(runs.plan["runs"]))))
    print(f"{done} of {len(runs.plan['runs'])} runs are done: {runs.folder / 'runs.csv'}, {runs.folder / 'means.csv'}, {runs.folder / 'sweep.h5'}")
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    run_tool(main)
