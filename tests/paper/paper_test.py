"""The paper's experiments in their small profile: every script runs, draws, and finds the shapes that must be there whatever
the machine. Usage: paper_test.py GAISNET. Needs h5py; pictures need matplotlib. It takes a few minutes."""

import os
import pathlib
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


def script(name, *arguments):
    environment = os.environ | {"PROGRAM": PROGRAM, "PYTHON": sys.executable}
    return subprocess.run([str(ROOT / "jobs" / "paper" / f"{name}.sh"), *map(str, arguments)], capture_output=True, text=True,
                          timeout=600, env=environment)


def run(name, folder):
    done = script(name, "--output", folder)
    page = folder / f"{name}.md"
    check(f"{name} runs and writes its table", done.returncode == 0 and page.is_file(), done.stderr[-800:])
    if matplotlib is not None:
        check("... and its picture", (folder / f"{name}.png").is_file() and (folder / f"{name}.png").stat().st_size > 5000)


def accuracy(folder, run):
    with h5py.File(folder / f"{run}.seed1.h5") as file:
        return file["rounds"]["accuracy"][:]


def table(folder, run, name):
    with h5py.File(folder / f"{run}.seed1.h5") as file:
        return file[name][:]


def delivered(folder, run):
    events = table(folder, run, "events")
    return int(events["bytes"][events["kind"] == b"send_modules_down"].sum())


def shapes(folder):
    run("fig2", folder)
    for n in (1, 6):
        check(f"fig2: whole stages weigh far more than tuned modules, {n} receivers",
              delivered(folder, f"fig2.full.{n}") > 20 * delivered(folder, f"fig2.tunable.{n}") > 0)
    run("fig6", folder)
    trained, scratch = accuracy(folder, "fig6.pretrained"), accuracy(folder, "fig6.scratch_trained")
    frozen = accuracy(folder, "fig6.scratch_frozen")
    check("fig6: pre-trained is far above both without pre-training from the first epoch",
          trained[0] > 0.8 and trained[0] > scratch.max() + 0.3 and trained[0] > frozen.max() + 0.3,
          f"{trained} {scratch} {frozen}")
    run("fig7", folder)
    flops = {method: table(folder, f"fig7.{method}", "rounds")["client_flops"].sum()
             for method in ("full", "prompt_deep", "head")}
    check("fig7: less is computed the less is tuned", flops["full"] > 1.2 * flops["prompt_deep"] and
          flops["prompt_deep"] > 1.5 * flops["head"], str(flops))
    emulated = {method: table(folder, f"fig7.{method}", "rounds")["latency_s"].mean() for method in flops}
    check("... and no frozen method has longer epochs than full, head only the shortest",
          emulated["head"] < emulated["prompt_deep"] <= emulated["full"], str(emulated))
    run("table3", folder)
    union = [accuracy(folder, f"table3.union.{k}")[-1] for k in range(1, 6)]
    client = [accuracy(folder, f"table3.client.{k}")[-1] for k in range(1, 6)]
    check("table3: k classes of all bound the accuracy by about k / 5", all(union[k] < (k + 1) / 5 + 0.25 for k in range(5)) and
          union[4] > union[1] + 0.3, str(union))
    check("... and k classes of each start point do not", min(client[1:]) > 0.8, str(client))
    run("table4", folder)
    check("table4: every number of clusters learns", min(accuracy(folder, f"table4.{n}")[-1] for n in range(1, 7)) > 0.8)
    samples = [table(folder, f"table4.{n}", "rounds")["samples"][0] for n in range(1, 7)]
    check("... each with a sixth of the images", all(samples[n] == (n + 1) * samples[0] for n in range(6)), str(samples))
    run("fig8", folder)
    cash = {policy: table(folder, f"fig8.{policy}", "service")["cash"][-1] for policy in ("mlcp", "msip", "random")}
    check("fig8: MLCP ends highest", cash["mlcp"] > cash["msip"] and cash["mlcp"] > cash["random"], str(cash))
    run("circle", folder)
    judged = {period: table(folder, f"circle.period{period}", "accuracy_by_domain") for period in (0, 1)}

    def unseen(period, model, number):
        rows = judged[period]
        here = (rows["seen"] == 0) & (rows["method"] == b"class means") & (rows["round"] == number)
        return float(rows["accuracy"][here & [name.startswith(model) for name in rows["model"]]].mean())

    before, after, alone = unseen(1, b"untuned", 0), unseen(1, b"cloud", 15), unseen(0, b"edge", 15)
    check("circle: what edges learn makes the foundation model far better where none of them is", after > before + 0.25,
          f"{before} {after}")
    check("... and not worse than an edge's own model", after > alone - 0.03, f"{after} {alone}")
    scratch = table(folder, "circle.random", "accuracy_by_domain")
    scratch = scratch["accuracy"][(scratch["model"] == b"cloud") & (scratch["seen"] == 0) & (scratch["round"] == 15) &
                                  (scratch["method"] == b"class means")][0]
    check("... and pre-training without labels is what lets it", after > scratch + 0.2, f"{after} {scratch}")
    ends = [float(accuracy(folder, f"circle.period{period}")[-3:].mean()) for period in (0, 1)]
    check("... and edges do not lose by it", ends[1] > ends[0] - 0.03, str(ends))


def repeats(folder):
    """A run that has ended is repeated when its settings have changed, and only then."""
    def ran(*arguments):
        done = script("circle", "--output", folder, *arguments)
        check(f"circle {' '.join(arguments)} runs again", done.returncode == 0, done.stderr[-800:])
        return done.stdout.count(", seed 1: ")

    check("... without doing anything twice", ran() == 0)
    check("... but what changes is done anew", ran("--epochs", "1") == 3 and len(accuracy(folder, "circle.period1")) == 3)
    done = script("fig8", "--output", folder, "--epochs", "1")
    check("fig8 says that it has no epochs", done.returncode == 0 and "--epochs changes nothing" in done.stdout and
          ", seed 1: " not in done.stdout, done.stdout[:300] + done.stderr[-300:])


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for words, arguments in (("small, tiny or paper", ["--profile", "huge"]), ("positive number", ["--repeat", "0"]),
                                 ("unknown option", ["--fast"])):
            done = script("fig6", *arguments)
            check(f"refused: {arguments[0]}", done.returncode == 2 and words in done.stderr, done.stderr)
        os.environ.pop("GAISNET_DATA", None)
        done = script("fig6", "--profile", "tiny", "--output", folder / "tiny")
        check("the profile tiny says what it lacks", done.returncode == 2 and "WEIGHTS" in done.stderr, done.stderr)
        shapes(folder)
        repeats(folder)
    finish()


if __name__ == "__main__":
    main()
