"""The programs of analysis/ on files that gaisnet makes here. Usage: analysis_test.py GAISNET. Needs h5py; pictures need
matplotlib, and are left out where it is not installed."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from checks import check, finish, skip

try:
    import h5py
except ImportError:
    skip("h5py is not installed")
try:
    import matplotlib
except ImportError:
    matplotlib = None

PROGRAM = str(pathlib.Path(sys.argv[1]).resolve())
SMALL = ["--data.samples", "60", "--network.clients", "3", "--train.rounds", "2", "--overwrite", "on", "--progress", "none"]


def gaisnet(command, output, *extra):
    done = subprocess.run([PROGRAM, command, *SMALL, *extra, "--output", str(output)], capture_output=True, text=True,
                          timeout=100)
    check(f"gaisnet {command} {' '.join(extra)}", done.returncode == 0, done.stderr[-500:])
    output.with_suffix(".txt").write_text(done.stdout)
    return output


def tool(name, *arguments):
    return subprocess.run([sys.executable, "-m", f"analysis.{name}", *map(str, arguments)], capture_output=True, text=True,
                          cwd=ROOT, timeout=100)


def is_png(path):
    return path.is_file() and path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and path.stat().st_size > 5000


def timeline(folder, results):
    trace = folder / "trace.json"
    done = tool("timeline", results, "--output", trace)
    check("timeline writes a trace", done.returncode == 0, done.stderr)
    events = json.loads(trace.read_text())["traceEvents"]
    with h5py.File(results) as file:
        rows, names = file["events"][:], [name.decode() for name in file["topology/nodes"]["name"]]
    spans = [one for one in events if one["ph"] == "X"]
    check("... with every event of the file", len(spans) == len(rows))
    check("... at its time", all(abs(span["ts"] - 1e6 * row["start_s"]) < 1e-3 and
                                 abs(span["dur"] - 1e6 * (row["end_s"] - row["start_s"])) < 1e-3 and
                                 span["name"] == row["kind"].decode() for span, row in zip(spans, rows)))
    named = {one["pid"]: one["args"]["name"] for one in events if one["name"] == "process_name"}
    check("... and a process a node", [named[i] for i in range(len(names))] == names)
    threads = {(one["pid"], one["tid"]): one["args"]["name"] for one in events if one["name"] == "thread_name"}
    check("... whose tracks have names", all((span["pid"], span["tid"]) in threads for span in spans))
    for track in {(span["pid"], span["tid"]) for span in spans}:
        own = sorted((span["ts"], span["ts"] + span["dur"]) for span in spans if (span["pid"], span["tid"]) == track)
        if any(a[1] > b[0] + 1e-3 for a, b in zip(own, own[1:])):
            check(f"nothing overlaps on track {threads[track]}", False)


def compare(folder, files):
    done = tool("compare", *files, "--accuracy", "0")
    lines = done.stdout.splitlines()
    check("compare prints a line for each run, twice", done.returncode == 0 and
          all(sum(path.stem == line.split()[0] for line in lines if line.split()) == 2 for path in files), done.stdout)
    with h5py.File(files[0]) as file:
        energy = file["energy"]["total_j"].sum()
    import importlib
    sys.path.insert(0, str(ROOT))
    module = importlib.import_module("analysis.compare")
    with h5py.File(files[0]) as file:
        totals = module.totals_of(file)
        check("... whose sums are those of the tables", abs(totals["energy_j"][-1] - energy) < 1e-9 * energy and
              totals["bytes"][-1] == file["communication/links"]["bytes"].sum() and
              abs(totals["spectrum_hz_s"][-1] / file["communication/links"]["airtime_hz_s"].sum() - 1) < 1e-12)
    never = module.rows_until({"a": totals}, 2.0)
    check("... and an accuracy that was never reached is said to be so", never[0][1] == "never")


def pictures(folder, results):
    if matplotlib is None:
        print("skipped: matplotlib is not installed, so no picture is drawn")
        return
    for name, arguments in (("plot", ("--output",)), ("timeline", ("--picture",)), ("compare", ("--picture",))):
        path = folder / f"{name}.png"
        done = tool(name, results, *arguments, path)
        check(f"{name} draws a picture", done.returncode == 0 and is_png(path), done.stderr[-500:])
    done = tool("timeline", results, "--picture", folder / "none.png", "--cluster", "9")
    check("a cluster that is not there is refused", done.returncode == 1 and "cluster 9" in done.stderr, done.stderr)


def bad_files(folder):
    wrong = folder / "text.h5"
    wrong.write_text("no HDF5")
    other = folder / "other.h5"
    with h5py.File(other, "w") as file:
        file["x"] = 1
    for name in ("summary", "plot", "compare", "timeline"):
        for path, words in ((folder / "missing.h5", "no such file"), (wrong, "not an HDF5 file"), (other, "not one of")):
            done = tool(name, path)
            check(f"{name} {path.name}", done.returncode == 1 and words in done.stderr and "Traceback" not in done.stderr,
                  done.stderr[-300:])


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        trained = gaisnet("finetune", folder / "trained.h5", "--model.weights", "random")
        planned = gaisnet("plan", folder / "planned.h5", "--network.edges", "2", "--cloud.period", "1")
        done = tool("summary", trained)
        check("summary", done.returncode == 0 and "Rounds (2)" in done.stdout, done.stderr)
        served = gaisnet("infer", folder / "served.h5", "--model.weights", "random", "--infer.requests", "5")
        done = tool("summary", served)
        check("summary of requests", done.returncode == 0 and "Requests (20)" in done.stdout, done.stderr)
        printed = re.search(r"p50 (.*), p90 (.*), p99 (.*), largest", served.with_suffix(".txt").read_text())
        check("... with the percentiles that gaisnet printed", printed is not None and
              "  ".join(printed.groups()) in re.sub(r" {2,}", "  ", done.stdout), f"{printed} {done.stdout}")
        services = gaisnet("serve", folder / "services.h5", "--serve.mode", "table", "--serve.policy", "all",
                           "--serve.profit", "5,6,7; 4,5,7; 3,7,12", "--serve.cost", "3,3; 3,3; 2,2")
        done = tool("summary", services)
        line = next((line.split() for line in done.stdout.splitlines() if line.split()[:1] == ["mlcp"]), [])
        check("summary of services", line == ["mlcp", "10", "89", "4", "85", "a", "+c", "+c", *["c"] * 7], f"{line} {done.stderr}")
        clouded = gaisnet("finetune", folder / "clouded.h5", "--model.weights", "random", "--network.edges", "2",
                          "--cloud.period", "1")
        done = tool("summary", clouded)
        with h5py.File(clouded) as file:
            rows = file["accuracy_by_domain"][:]
        last = [row["accuracy"] for row in rows[rows["round"] == rows["round"].max()]
                if row["model"] == b"cloud" and row["method"] == b"class means"]
        wanted = "cloud  " + "  ".join(f"{100 * value:.2f} %" for value in last)
        check("summary of a cloud's models by domain", len(last) == 3 and
              wanted in re.sub(r" {2,}", "  ", done.stdout), f"{wanted} {done.stdout[:2000]} {done.stderr}")
        timeline(folder, trained)
        timeline(folder, served)
        timeline(folder, planned)
        compare(folder, [trained, planned])
        pictures(folder, trained)
        if matplotlib is not None:
            done = tool("plot", served, "--output", folder / "served.png")
            check("plot draws requests", done.returncode == 0 and is_png(folder / "served.png"), done.stderr[-500:])
            done = tool("plot", services)
            check("plot draws services", done.returncode == 0 and is_png(folder / "services.png"), done.stderr[-500:])
        bad_files(folder)
    finish()


if __name__ == "__main__":
    main()
