"""gaisnet infer as a user runs it: tuned modules answer requests, the same on any number of ranks; a folder of one's own
images; what other models and no modules at all give. Usage: infer_test.py GAISNET MPIRUN_SH. h5py lets it look into the
results."""

import csv
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from checks import check, finish
from images import png

try:
    import h5py
except ImportError:
    h5py = None

PROGRAM, MPIRUN = sys.argv[1], sys.argv[2]
SMALL = ["--data.samples", "240", "--network.clusters", "2", "--network.clients", "3", "--progress", "none", "--overwrite",
         "on", "--log_level", "warning"]


def gaisnet(command, output, *extra, ranks=1):
    start = [MPIRUN, "-n", str(ranks)] if ranks > 1 else []
    return subprocess.run([*start, PROGRAM, command, *SMALL, "--output", str(output), *map(str, extra)],
                          capture_output=True, text=True, timeout=100)


def predictions(output):
    with open(output.with_suffix(".predictions.csv"), newline="") as file:
        return list(csv.DictReader(file))


def accuracy(rows):
    return sum(row["label"] == row["predicted"] for row in rows) / len(rows)


def same_on_ranks(folder, tuned):
    results = []
    for ranks, placement in ((1, "auto"), (2, "node"), (3, "node"), (2, "cluster")):
        output = folder / f"answers_{ranks}_{placement}.h5"
        done = gaisnet("infer", output, *tuned, "--infer.requests", 20, "--placement", placement, ranks=ranks)
        check(f"infer on {ranks} rank(s), placement {placement}", done.returncode == 0, done.stderr[-500:])
        results.append(output.with_suffix(".predictions.csv").read_bytes())
    check("... gives the same answers and latencies", len(set(results)) == 1)
    rows = predictions(output)
    check("... for every request", len(rows) == 40 and {row["requester"] for row in rows} == {"c0.0", "c1.0"})
    check("... most of them right", accuracy(rows) > 0.6, f"{accuracy(rows)}")
    if h5py is None:
        return
    with h5py.File(output) as file:
        table = file["inference"][:]
        parts = sum(table[name] for name in ("sensing_s", "queue_s", "delivery_s", "compute_s", "edge_s", "d2d_s",
                                             "cs_smashed_s", "result_s", "busy_s"))
        check("/inference: parts add up to latencies", abs(parts - table["latency_s"]).max() < 1e-9)
        check("... and it holds the predictions", [one.decode() for one in table["predicted"]] ==
              [row["predicted"] for row in rows] and all(abs(one["latency_s"] - float(row["latency_s"])) < 1e-8 for one, row
                                                         in zip(table, rows)))
        check("the file is complete", bytes(file.attrs["status"]) == b"complete")
        energy = file["energy"]["total_j"].sum() - file["energy"]["idle_j"].sum() - file["energy"]["base_j"].sum()
        check("energy is that of the events", abs(energy - file["events"]["energy_j"].sum()) < 1e-9 * energy)


def other_models(folder, weights, tuned):
    untuned = folder / "untuned.h5"
    done = gaisnet("infer", untuned, *weights, "--infer.requests", 50)
    check("without modules the foundation model answers", done.returncode == 0 and "untuned" in done.stdout, done.stderr)
    check("... by means of classes, far above chance", accuracy(predictions(untuned)) > 0.4,
          f"{accuracy(predictions(untuned))}")
    plain, whole, none = (gaisnet("infer", folder / f"{delivery}.h5", *tuned, "--delivery", delivery, "--infer.requests", 5)
                          for delivery in ("tunable", "full", "none"))
    check("every kind of delivery answers alike", all(one.returncode == 0 for one in (plain, whole, none)) and
          len({tuple(row["predicted"] for row in predictions(folder / f"{delivery}.h5"))
               for delivery in ("tunable", "full", "none")}) == 1)
    if h5py is not None:
        sent = []
        for delivery in ("tunable", "full", "none"):
            with h5py.File(folder / f"{delivery}.h5") as file:
                events = file["events"][:]
                sent.append(int(events["bytes"][events["kind"] == b"send_modules_down"].sum()))
        check("... and sends less the less is delivered", sent[1] > 10 * sent[0] > 0 and sent[2] == 0, str(sent))


def own_images(folder, tuned):
    """Images without labels. They are what `finetune` writes nowhere, so some PNG files of the tests' own."""
    images = folder / "images"
    images.mkdir()
    names = ["a.png", "b, with comma.png", "sub/c.png"]
    (images / "sub").mkdir()
    for number, name in enumerate(names):
        (images / name).write_bytes(png(bytes((80 * number, 200, 30)) * 40 * 40, 40))
    (images / "broken.png").write_bytes(b"no image")
    (images / "notes.txt").write_text("not an image")
    output = folder / "own.h5"
    done = gaisnet("infer", output, *tuned, "--infer.images", images)
    check("a folder of one's own is classified", done.returncode == 0 and "broken.png" in done.stderr, done.stderr[-500:])
    rows = predictions(output)
    check("... each image once", sorted(row["image"] for row in rows) == names, str(rows))
    check("... without labels, with a class of the modules", all(row["label"] == "" and row["predicted"] for row in rows))


def tables(output):
    with h5py.File(output) as file:
        return {name: [file[name][:][column].tolist() for column in file[name].dtype.names if column != "rank"]
                for name in ("inference", "events", "energy", "communication/links")}


def goes_on(folder, tuned):
    """Asked to stop, it keeps what has been answered, and goes on with it on other ranks to the same bits."""
    many = [*tuned, "--infer.requests", 400, "--infer.batch", 4, "--checkpoint.part", "0.1 s"]
    whole, output = folder / "whole.h5", folder / "stopped.h5"
    gaisnet("infer", whole, *many)
    process = subprocess.Popen([MPIRUN, "-n", "2", PROGRAM, "infer", *SMALL, "--output", str(output), *map(str, many)],
                               stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 60
    while not list(output.with_suffix(".ckpt").glob("round_*/DONE")) and time.monotonic() < end and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[1]
    answered = re.search("after ([0-9]+) of [0-9]+ batches; resumable", said)
    check("infer that is asked to stop ends with 75", process.returncode == 75 and answered, f"{process.returncode} {said}")
    refused = gaisnet("infer", output, *many, "--seed", 2, "--resume", "auto", "--overwrite", "off")
    check("... another run does not take its place", refused.returncode == 2 and "seed" in refused.stderr, refused.stderr)
    for ranks in (3, 1):
        done = gaisnet("infer", output, *many, "--resume", "auto", "--overwrite", "off", "--log_level", "info", ranks=ranks)
        said = "after batch" if ranks == 3 else "nothing is left"
        check(f"... and goes on ({said})", done.returncode == 0 and said in done.stderr, done.stderr[-500:])
    csvs = [one.with_suffix(".predictions.csv").read_bytes() for one in (whole, output)]
    check("... to the same answers", csvs[0] == csvs[1])
    if h5py is not None:
        check("... and tables", tables(whole) == tables(output))


def real_clock(folder, tuned):
    slow = [*tuned, "--infer.requests", 12, "--infer.rate", 8, "--link.d2d.latency", "20 ms"]
    virtual, real = folder / "virtual.h5", folder / "real.h5"
    gaisnet("infer", virtual, *slow)
    begin = time.monotonic()
    done = gaisnet("infer", real, *slow, "--clock", "real", ranks=2)
    took = time.monotonic() - begin
    check("infer with the real clock", done.returncode == 0 and "lateness" in done.stdout, done.stderr[-500:])
    rows = predictions(real)
    check("... gives the same answers", rows == predictions(virtual))
    last = max(float(row["arrival_s"]) + float(row["latency_s"]) for row in rows)
    check("... not before their time", took > last > 1, f"{took} s, and the last answer is at {last} s")
    if h5py is not None:
        with h5py.File(real) as file:
            late = file["fidelity"][:]
            check("... with a lateness of every message", len(late) == (file["events"]["receivers"] > 0).sum() and
                  (late["late_s"] >= 0).all() and file.attrs["clock"] == "real", f"{len(late)}")
    strict = gaisnet("infer", folder / "strict.h5", *slow, "--clock", "real", "--time_scale", 1e-4, "--strict_fidelity", "on",
                     ranks=2)
    check("what cannot keep up ends with 3", strict.returncode == 3 and
          re.search("was not kept|cannot be kept", strict.stderr), f"{strict.returncode} {strict.stderr}")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model = folder / "model.safetensors"
        done = gaisnet("pretrain", model, "--pretrain.samples", "400", "--pretrain.epochs", "5")
        check("pretrain", done.returncode == 0, done.stderr[-500:])
        weights = ["--model.weights", model]
        done = gaisnet("finetune", folder / "run.h5", *weights, "--train.rounds", "3", "--tuning.method", "lora")
        check("finetune", done.returncode == 0, done.stderr[-500:])
        tuned = [*weights, "--infer.modules", folder / "run.safetensors"]
        same_on_ranks(folder, tuned)
        other_models(folder, weights, tuned)
        own_images(folder, tuned)
        goes_on(folder, tuned)
        real_clock(folder, tuned)
        done = gaisnet("infer", folder / "x.h5", *tuned, "--tuning.method", "prefix")
        check("settings that the modules were not tuned with are refused", done.returncode == 2 and
              "tuning.method = lora" in done.stderr and not (folder / "x.h5").exists(), done.stderr)
        done = gaisnet("infer", folder / "x.h5", *tuned, "--dry-run")
        check("a dry run predicts and writes nothing", done.returncode == 0 and "Prediction" in done.stdout and
              not (folder / "x.h5").exists(), done.stderr)
    finish()


if __name__ == "__main__":
    main()
