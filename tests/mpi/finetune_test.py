"""gaisnet finetune as a user runs it: the same result on any number of ranks, restart, and the end of a run when a rank
dies. Usage: finetune_test.py GAISNET MPIRUN_SH. Needs only the standard library; h5py lets it look into the results."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from checks import check, finish
from processes import is_alive, ranks_of

try:
    import h5py
    import numpy as np
except ImportError:
    h5py = None

PROGRAM, MPIRUN = sys.argv[1], sys.argv[2]
SMALL = ["--model.weights", "random", "--data.samples", "120", "--network.clusters", "2", "--network.clients", "3",
         "--train.rounds", "2", "--progress", "none", "--overwrite", "on"]


def command(ranks, output, *extra):
    return [MPIRUN, "-n", str(ranks), PROGRAM, "finetune", *SMALL, "--output", str(output), *extra]


def run(ranks, output, *extra, limit=100, environment=None):
    return subprocess.run(command(ranks, output, *extra), capture_output=True, text=True, timeout=limit,
                          env={**os.environ, **(environment or {})})


def start(ranks, output, *extra):
    return subprocess.Popen(command(ranks, output, *extra), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            start_new_session=True)


def wait_for_round(output, process, limit=40):
    """Until the first checkpoint is there."""
    folder = output.with_suffix(".ckpt")
    end = time.monotonic() + limit
    while time.monotonic() < end and process.poll() is None:
        if list(folder.glob("round_*/DONE")):
            return True
        time.sleep(0.05)
    return False


def tables(path):
    """All results but wall times and where nodes ran."""
    out = {}
    with h5py.File(path, "r") as file:
        for name in ("rounds", "events", "clients", "energy", "memory", "communication/links", "federations",
                     "accuracy_by_domain", "topology/samples"):
            data = file[name][:]
            keep = [column for column in data.dtype.names if column not in ("wall_s", "rank")]
            out[name] = [data[column].tolist() for column in keep]
        out["status"] = file.attrs["status"]
    return out


def same(a, b):
    tuned = [sorted(one.parent.glob(one.stem + ".*safetensors")) for one in (a, b)]
    equal = len(tuned[0]) == len(tuned[1]) > 0 and all(x.read_bytes() == y.read_bytes() for x, y in zip(*tuned))
    return equal and (h5py is None or tables(a) == tables(b))


def ranks_and_placement(folder):
    alone = folder / "alone.h5"
    result = run(1, alone)
    check("one rank", result.returncode == 0, result.stderr)
    for ranks, extra in ((2, ()), (3, ()), (7, ()), (3, ("--placement", "node")), (2, ("--runtime.active_clusters", "2"))):
        output = folder / f"ranks{ranks}{len(extra)}.h5"
        result = run(ranks, output, *extra)
        check(f"{ranks} ranks {' '.join(extra)} give the same tuned modules and tables",
              result.returncode == 0 and same(alone, output), result.stderr[-500:])


def forecast_of(text):
    """The lines of a table of results that do not depend on training."""
    lines = text.splitlines()
    return lines[lines.index("Latency") + 2:lines.index("Run")]


def plan_is_run(folder):
    """The prediction without training, and what the run then charged: the same code, so the same figures."""
    command = [PROGRAM, "plan", *SMALL, "--output", str(folder / "plan.h5"), "--link.d2d.rate", "uniform(1, 80) Mbit/s"]
    planned = subprocess.run(command, capture_output=True, text=True, timeout=60)
    result = run(2, folder / "planned.h5", "--link.d2d.rate", "uniform(1, 80) Mbit/s")
    check("plan predicts what the run charges", planned.returncode == result.returncode == 0 and
          forecast_of(planned.stdout) == forecast_of(result.stdout), planned.stdout + result.stdout)
    if h5py is not None:
        with h5py.File(folder / "plan.h5") as plan, h5py.File(folder / "planned.h5") as done:
            check("... and its file holds the same events", (plan["events"][:] == done["events"][:]).all() and
                  plan.attrs["status"] in ("complete", b"complete") and plan.attrs["command"] == "plan")
    before = set(folder.iterdir())
    subprocess.run([part for part in command if part not in ("--output", str(folder / "plan.h5"))], capture_output=True,
                   cwd=folder, timeout=60)
    check("... and without --output it writes nothing", set(folder.iterdir()) == before)


def tuned_modules(folder):
    """The safetensors file as anyone reads it: length, JSON header, values."""
    raw = (folder / "alone.safetensors").read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:8 + length])
    shapes = {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}
    expected = {f"blocks.{block}.prompts": [10, 64] for block in range(4)}
    expected |= {"head.weight": [6, 64], "head.bias": [6]}
    check("tuned modules have the model's names and shapes", shapes == expected, str(shapes))
    last = max(entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__")
    check("... and all their values", len(raw) == 8 + length + last, f"{len(raw)} bytes")


def real_data(folder):
    """Real photographs and weights, where they are: $GAISNET_DATA, else shared/data beside the project."""
    project = pathlib.Path(__file__).resolve().parents[2]
    data = pathlib.Path(os.environ.get("GAISNET_DATA", project.parent / "shared" / "data"))
    weights, images = data / "vit_tiny_patch16_224_augreg.fp16.safetensors", data / "flowers224"
    if not (weights.exists() and images.exists()):
        print(f"skipped: real photographs and weights are not in {data} (GAISNET_DATA names another folder)")
        return
    output = folder / "flowers.h5"
    command = [MPIRUN, "-n", "2", PROGRAM, "finetune", "--config", str(project / "configs" / "flowers_vit_tiny.cfg"),
               "--model.weights", str(weights), "--data.root", str(images), "--output", str(output), "--progress",
               "none", "--network.clusters", "2", "--data.per_cluster", "60", "--data.train_fraction", "0.98",
               "--train.rounds", "1", "--train.lr", "0.01"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=200)
    accuracy = re.search(r"accuracy +([0-9.]+) %", result.stdout)
    # Five classes: 62 % were measured with these weights, 30 % with random ones.
    check("120 flower photographs through a real ViT-Ti in two chains of four",
          result.returncode == 0 and accuracy is not None and float(accuracy[1]) > 50,
          (accuracy[0] if accuracy else result.stderr[-500:]))


def cloud_tier(folder):
    cloud = ("--network.edges", "2", "--cloud.period", "2", "--train.rounds", "4", "--probe.samples", "24",
             "--data.partition", "dirichlet(0.5)")
    alone, spread = folder / "cloud1.h5", folder / "cloud3.h5"
    first, second = run(1, alone, *cloud), run(3, spread, *cloud)
    check("two edges and a cloud", first.returncode == 0 and "Accuracy by domain" in first.stdout, first.stderr[-500:])
    check("... are the same on 3 ranks", second.returncode == 0 and same(alone, spread), second.stderr[-500:])
    if h5py is not None:
        with h5py.File(alone) as file:
            judged = file["accuracy_by_domain"][:]
            check("... the file has every model on every domain", len(judged) == 3 + 2 * 3 + 2 * 3 * 2 and
                  set(judged["model"]) == {b"untuned", b"cloud", b"edge0", b"edge1"}, str(judged))
            check("... and two federations", file["federations"]["round"].tolist() == [2, 4])


def cached_outputs(folder):
    """Also with BLAS kernels that round rows of a product by their place in it, as those for AVX2 do."""
    for method, environment in (("head", {}), ("head", {"OPENBLAS_CORETYPE": "Haswell"}), ("prompt_deep", {})):
        kernels = environment.get("OPENBLAS_CORETYPE", "")
        plain, kept = folder / f"{method}{kernels}_plain.h5", folder / f"{method}{kernels}_kept.h5"
        runs = ("--train.rounds", "3", "--tuning.method", method)
        first = run(2, plain, *runs, environment=environment)
        second = run(3, kept, *runs, "--cache", "on", environment=environment)
        check(f"kept outputs with {method} {kernels}", first.returncode == second.returncode == 0,
              first.stderr[-300:] + second.stderr[-300:])
        check("... change nothing, not a bit", same(plain, kept))


def restart(folder):
    long = ("--train.rounds", "12", "--train.stop", "rounds", "--data.samples", "600")
    whole = folder / "whole.h5"
    result = run(2, whole, *long)
    check("an uninterrupted run", result.returncode == 0, result.stderr[-500:])
    for name, ranks, number, again in (("SIGUSR1 to mpirun", 2, signal.SIGUSR1, 3), ("SIGTERM to one rank alone", 1,
                                                                                    signal.SIGTERM, 2)):
        output = folder / f"stopped{ranks}.h5"
        process = start(ranks, output, *long)
        began = wait_for_round(output, process)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        check(f"{name} ends with 75 after a checkpoint", began and process.returncode == 75,
              f"code {process.returncode}: {err[-500:]}")
        if h5py is not None:
            with h5py.File(output, "r") as file:
                check("... and the file does not say complete", b"complete" not in bytes(file.attrs["status"]),
                      str(file.attrs["status"]))
        result = run(again, output, *long, "--resume", "auto")
        check(f"... and goes on with {again} ranks to the same result", result.returncode == 0 and same(whole, output),
              f"code {result.returncode}: {result.stderr[-500:]}")


def signal_at_the_start(folder):
    """A job that is preempted before its ranks listen is one that can be queued again."""
    for delay in (0.05, 0.4, 1):
        output = folder / f"early{delay}.h5"
        process = start(2, output, "--train.rounds", "3000")
        time.sleep(delay)
        process.send_signal(signal.SIGUSR1)
        _, err = process.communicate(timeout=60)
        check(f"SIGUSR1 after {delay} s ends with 75", process.returncode == 75, f"{process.returncode} {err[-300:]}")


def interrupts(folder):
    """Ctrl-C at any moment, and twice."""
    for delays in ((0.2,), (0.2, 0.4), (3,), (3, 0.1)):
        process = start(2, folder / "interrupted.h5", "--train.rounds", "3000", "--overwrite", "on")
        for delay in delays:
            time.sleep(delay)
            process.send_signal(signal.SIGINT)
        begin = time.monotonic()
        _, err = process.communicate(timeout=60)
        check(f"Ctrl-C after {' s and '.join(map(str, delays))} s ends with 130 and no stack trace",
              process.returncode == 130 and "[ 0]" not in err and "***" not in err and time.monotonic() - begin < 15,
              f"{process.returncode} after {time.monotonic() - begin:.1f} s: {err[-500:]}")


def stopped_at_its_ends(folder):
    """A rank that is stopped for good while MPI starts, or when everything is written, hangs nobody."""
    environment = {**os.environ, "GAISNET_MPI_LIMIT": "5"}
    for phase, victim in (("start", 0), ("start", 1), ("end", 0), ("end", 1)):
        output = folder / f"stopped_{phase}{victim}.h5"
        process = subprocess.Popen(command(2, output, "--train.rounds", "1", "--runtime.silence", "4 s"),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
                                   env=environment)
        mark, ranks, end = output.with_suffix(".ckpt") / "run.json", [], time.monotonic() + 30
        while time.monotonic() < end and (len(ranks) < 2 or phase == "end" and '"ended": true' not in mark.read_text()):
            time.sleep(0.01)
            ranks = ranks_of(process, PROGRAM) if len(ranks) < 2 or not mark.exists() else ranks
            if phase == "end" and not mark.exists():
                ranks = []
        os.kill(ranks[victim], signal.SIGSTOP)
        try:
            _, err = process.communicate(timeout=40)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            _, err = process.communicate()
        check(f"rank {victim} stopped at the {phase} ends the run", process.returncode == 1 and "gaisnet: error:" in err or
              phase == "end" and "it is killed" in err, f"{process.returncode} {err[-500:]}")
        end = time.monotonic() + 10
        while (left := [pid for pid in ranks if is_alive(pid)]) and time.monotonic() < end:
            time.sleep(0.05)
        check("... and no process is left", not left, str(left))


def launch_that_fails(folder):
    for name, value in (("TMPDIR", "/proc"), ("OMPI_MCA_rmaps", "nothing")):
        result = run(2, folder / "launch.h5", environment={name: value})
        check(f"{name} = {value}: a launch that fails says why", result.returncode not in (0, 75) and
              ("error" in result.stderr and value in result.stderr), f"{result.returncode} {result.stderr[-500:]}")


def leftovers(folder):
    """What a run that was killed with everything leaves outside of its own folder goes with the next start."""
    where = folder / "tmp"
    host, user = socket.gethostname().split(".")[0], os.getuid()
    gone, used = (where / f"ompi.{host}.{user}" / f"pid.{pid}" for pid in (99999999, os.getpid()))
    memory = pathlib.Path("/dev/shm") / f"vader_segment.{host}.{user}.gaisnettest.0"
    for path in (gone, used):
        path.mkdir(parents=True)
    memory.write_bytes(b"x")
    os.utime(memory, (time.time() - 100, time.time() - 100))
    ended = subprocess.run([MPIRUN, "-n", "2", "true"], env={**os.environ, "TMPDIR": str(where)}, timeout=60)
    check("leftovers of killed runs go, and nothing else", ended.returncode == 0 and not gone.exists() and used.exists() and
          not memory.exists(), f"{ended.returncode} {list(where.rglob('*'))}")


def resume_without_training(folder):
    """Rounds in which nobody ended in time have no training results."""
    output = folder / "untrained.h5"
    first = run(1, output, "--round.wait", "1 us")
    output.unlink()  # it is written anew from the checkpoint
    again = run(2, output, "--round.wait", "1 us", "--resume", "auto")
    check("a run goes on after rounds without training", first.returncode == again.returncode == 0,
          first.stderr[-300:] + again.stderr[-300:])


def empty_batteries(folder):
    """A run ends when nobody can take part any more; so does one that is resumed, on all ranks, and a plan."""
    output = folder / "batteries.h5"
    more = ["--train.rounds", "500", "--device.client.battery", "uniform(1, 4) J"]
    first = run(2, output, *more)
    output.with_suffix(".safetensors").unlink()  # else nothing is left to do
    again = run(2, output, *more, "--resume", "auto")
    planned = subprocess.run([PROGRAM, "plan", *SMALL, "--output", str(folder / "planned.h5"), *more], capture_output=True, text=True,
                             timeout=60)
    rounds = [line.split()[1] for done in (first, again, planned) for line in done.stdout.splitlines()
              if line.startswith("  rounds  ")]
    check("a run whose batteries are empty ends, and is not begun again", first.returncode == again.returncode == 0 and
          "batteries are empty" in first.stdout and "batteries are empty" in again.stdout and len(rounds) == 3 and
          len(set(rounds)) == 1 and int(rounds[0]) < 500, f"{rounds} {first.stderr[-300:]} {again.stderr[-300:]}")


def begin_again(folder):
    """--resume auto where there is nothing to resume, and a run that begins anew beside older checkpoints."""
    output = folder / "again.h5"
    process = start(1, output, "--train.rounds", "3000", "--checkpoint.every", "0")
    end = time.monotonic() + 40
    while not output.exists() and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(1)
    process.kill()
    process.communicate()
    more = ["--overwrite", "off", "--train.rounds", "3000", "--checkpoint.every", "0"]
    result = run(1, output, *more)
    check("an unfinished file is not replaced unasked", result.returncode == 2 and "exists" in result.stderr, result.stderr)
    process = start(1, output, *more, "--resume", "auto")
    time.sleep(3)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    check("... but --resume auto begins anew when no checkpoint is there", process.returncode == 75, err[-500:])
    output.unlink()
    result = run(1, output)
    left = sorted(path.name for path in output.with_suffix(".ckpt").iterdir())
    check("a new run removes older checkpoints, not its own", result.returncode == 0 and
          left == ["round_000001", "round_000002", "run.json"], f"{left} {result.stderr[-300:]}")
    before = output.read_bytes()
    result = run(1, output, "--resume", "auto", "--overwrite", "off")
    check("a run that has come to its end is left as it is", result.returncode == 0 and "come to its end" in result.stderr
          and output.read_bytes() == before, result.stderr[-300:])


def damage(folder):
    """--resume auto comes back from a newest checkpoint that is damaged, a torn results file, and none."""
    output, whole = folder / "damaged.h5", folder / "undamaged.h5"
    run(1, whole)
    run(1, output)
    checkpoints = output.with_suffix(".ckpt")
    for what in ("tensors", "results", "no results", "everything"):
        output.with_suffix(".safetensors").unlink()
        if what in ("tensors", "everything"):
            for state in checkpoints.glob("round_*/state.safetensors" if what == "everything" else
                                          "round_000002/state.safetensors"):
                state.write_bytes(state.read_bytes()[:-1] + b"x")
        if what in ("results", "everything"):
            output.write_bytes(output.read_bytes()[:3000])
        if what == "no results":
            output.unlink()
        # The folder of checkpoints does as well as auto.
        result = run(2, output, "--resume", checkpoints if what == "no results" else "auto", "--overwrite", "off")
        check(f"a resumed run is the same after damage to {what}", result.returncode == 0 and same(whole, output),
              f"{result.returncode} {result.stderr[-500:]}")
        if what == "tensors":
            check("... and says which checkpoint is damaged", "round_000002" in result.stderr and
                  "the one before is taken" in result.stderr, result.stderr[-500:])
        if what == "results":
            check("... and keeps the torn file", output.with_suffix(".torn.h5").stat().st_size == 3000)


def interrupt(folder):
    """Ctrl-C: the signal goes to the whole foreground group, of which mpirun must not be one."""
    for ranks, epochs in ((1, "1"), (2, "1"), (1, "9999"), (2, "9999")):  # between rounds, and within a very long one
        output = folder / f"interrupted{ranks}_{epochs}.h5"
        process = start(ranks, output, "--train.rounds", "3000", "--train.epochs", epochs)
        began = wait_for_round(output, process, 40 if epochs == "1" else 5) or epochs != "1"
        os.killpg(process.pid, signal.SIGINT)
        begin = time.monotonic()
        out, err = process.communicate(timeout=60)
        took = time.monotonic() - begin
        check(f"Ctrl-C ends {ranks} rank(s) with 130, {epochs} epoch(s) a round", began and process.returncode == 130 and
              took < 15 and err.count("gaisnet: error:") <= 1, f"{took:.1f} s, code {process.returncode}: {err[-500:]}")
        if h5py is not None:
            with h5py.File(output, "r") as file:
                check("... and the file says aborted", file.attrs["status"] == b"aborted", str(file.attrs["status"]))


def real_clock(folder):
    """clock = real: the same results, later."""
    net = ["--link.d2d.latency", "20 ms", "--device.client.rate", "2 GFLOP/s"]  # the machine computes faster than that
    virtual = folder / "virtual.h5"
    run(2, virtual, *net)
    real = folder / "real.h5"
    done = run(2, real, *net, "--clock", "real", "--time-scale", "0.5")
    check("a run with the real clock ends well", done.returncode == 0 and "lateness" in done.stdout, done.stderr[-500:])
    same_modules = virtual.with_suffix(".safetensors").read_bytes() == real.with_suffix(".safetensors").read_bytes()
    check("... with the same modules", same_modules)
    if h5py is not None:
        with h5py.File(real) as file, h5py.File(virtual) as other:
            check("... its rounds take the emulated time", all(file["rounds"]["wall_s"] >=
                                                               0.5 * file["rounds"]["latency_s"]))
            check("... and the same emulated time", (file["rounds"]["latency_s"][:] ==
                                                     other["rounds"]["latency_s"][:]).all())
            late = file["fidelity"]
            parts = late["upstream_s"] + late["own_compute_s"] + late["neighbour_s"] + late["timer_s"]
            check("... lateness is in /fidelity, and its parts make it",
                  len(late) > 0 and (abs(parts - late["late_s"]) < 1e-9).all() and len(other["fidelity"]) == 0)
            check("... the file says which clock", file.attrs["clock"] == "real" and file.attrs["time_scale"] == 0.5)
    for name, more in (("a cloud", ("--network.edges", "2", "--cloud.period", "1")), ("turns", ("--scheme", "sl"))):
        output = folder / "clock.h5"
        done = run(2, output, *net, *more, "--clock", "real", "--time-scale", "0.5", "--overwrite", "on")
        check(f"the real clock goes with {name}", done.returncode == 0, done.stderr[-500:])
        if h5py is not None:
            with h5py.File(output) as file:
                rounds, late = file["rounds"][:], file["fidelity"][:]
                check("... rounds take their emulated time, and not much more",
                      (rounds["wall_s"] >= 0.5 * rounds["latency_s"]).all() and
                      rounds["wall_s"].max() < 0.5 * rounds["latency_s"].max() + 2, str(rounds))
                check("... and half of the messages are on time", sorted(late["late_s"])[len(late) // 2] < 0.05,
                      f"{sorted(late['late_s'])[len(late) // 2]}")
    strict = run(2, folder / "strict.h5", *net, "--clock", "real", "--time-scale", "0.001", "--strict-fidelity", "on",
                 "--fidelity.tolerance", "1 us")
    check("what cannot keep up ends with 3 when fidelity is strict", strict.returncode == 3 and
          strict.stderr.count("gaisnet: error:") == 1 and "time_scale = 0.001 cannot be kept" in strict.stderr,
          f"{strict.returncode} {strict.stderr[-500:]}")
    strict = run(2, folder / "strict.h5", *net, "--clock", "real", "--strict-fidelity", "on", "--fidelity.tolerance",
                 "1 us")  # the estimate leaves out what messages cost
    check("... or after the round in which it did not", strict.returncode == 3 and
          strict.stderr.count("gaisnet: error:") == 1 and re.search("was not kept|cannot be kept", strict.stderr),
          f"{strict.returncode} {strict.stderr[-500:]}")


def measured_compute(folder):
    """compute = measured: what was measured stays with the run."""
    long = ("--train.rounds", "12", "--data.samples", "600", "--compute", "measured", "--device.client.factor", "0.5")
    output = folder / "measured.h5"
    process = start(1, output, *long)
    began = wait_for_round(output, process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    result = run(2, output, *long, "--resume", "auto")
    check("a run by measured speeds goes on", began and process.returncode == 75 and result.returncode == 0,
          result.stderr[-500:])
    if h5py is not None:
        with h5py.File(output) as file:
            latency = file["rounds"]["latency_s"]
            check("... with the speeds that it began with", len(latency) == 12 and
                  (abs(latency[1:] - latency[1]) < 1e-9 * latency[1]).all(), str(latency))  # samples are sensed once
            stages = file["topology/stages"]
            check("... which its file holds", len(stages) > 0 and (stages["forward_flop_s"] > 0).all())
    told = subprocess.run([PROGRAM, "calibrate", "--model.weights", "random", "--data.samples", "120"],
                          capture_output=True, text=True, timeout=60)
    config = folder / "calibrated.cfg"
    config.write_text(told.stdout)
    used = subprocess.run([PROGRAM, "plan", "--config", str(config), "--data.samples", "120"], capture_output=True,
                          text=True, timeout=60)
    check("calibrate prints settings", told.returncode == 0 and "rate = " in told.stdout and used.returncode == 0,
          told.stdout + told.stderr[-300:] + used.stderr[-300:])


def network_files(folder):
    """--dry-run leaves the network, and a run reads it again."""
    first = folder / "drawn.h5"
    draw = ["--link.cs_up.rate", "uniform(20, 80) Mbit/s", "--device.client.rate", "uniform(0.2, 2) TFLOP/s"]
    dry = run(1, first, *draw, "--dry-run")
    network = folder / "drawn.network.json"
    check("a dry run writes the network", dry.returncode == 0 and network.exists(), dry.stderr[-500:])
    run(1, first, *draw)
    second = folder / "read.h5"
    read = run(2, second, *draw, "--network.file", str(network))
    check("... and a run with it is the same", read.returncode == 0 and same(first, second), read.stderr[-500:])


def samples_at_hand(folder):
    """data.available: each start point has a part of its share, drawn for it."""
    if h5py is None:
        return

    def by_cluster(name, *extra):
        output = folder / name
        done = run(1, output, "--train.rounds", "1", "--network.clusters", "6", *extra)
        check(f"{name[:-3]} runs", done.returncode == 0, done.stderr[-500:])
        with h5py.File(output) as file:
            rows = file["topology"]["samples"][:]
            return [int(rows["samples"][rows["node"] == node].sum()) for node in np.unique(rows["node"])]

    whole, some = by_cluster("whole_share.h5"), by_cluster("part.h5", "--data.available", "uniform(0.2, 0.9)")
    check("start points have parts of their shares", len(whole) == 6 and len(set(some)) > 3 and
          all(0.2 * w - 1 <= s <= 0.9 * w + 1 for s, w in zip(some, whole)), f"{some} of {whole}")


def failures(folder):
    result = run(4, folder / "diverging.h5", "--train.lr", "1e30")
    check("one message when training diverges on all ranks", result.returncode == 1 and
          result.stderr.count("gaisnet: error:") == 1 and "diverged" in result.stderr,
          f"code {result.returncode}: {result.stderr[-700:]}")
    for name, signals, victim, extra in (
            ("killed", (signal.SIGKILL,), 1, ()), ("killed", (signal.SIGKILL,), 0, ()),
            ("stopped", (signal.SIGSTOP,), 1, ()),
            # Stopped first, so that the others wait for it: for its part of an average where each rank plays clusters
            # of its own, for messages to and from it where neighbours sit on different ranks.
            ("killed during an average", (signal.SIGSTOP, signal.SIGKILL), 1, ("--network.clusters", "3")),
            ("killed during a send", (signal.SIGSTOP, signal.SIGKILL), 2,
             ("--placement", "node", "--train.batch", "64", "--data.samples", "600"))):
        output = folder / f"failure_{name.replace(' ', '_')}{victim}.h5"
        process = start(3, output, "--train.rounds", "2000", "--runtime.silence", "5 s", *extra)
        wait_for_round(output, process)
        ranks = ranks_of(process, PROGRAM)
        if len(ranks) != 3:
            process.kill()
            out, err = process.communicate()
            check(f"rank {victim} is {name}", False, f"found processes {ranks}, code {process.returncode}: {err[-500:]}")
            continue
        os.kill(ranks[victim], signals[0])
        if len(signals) > 1:
            time.sleep(1)  # shorter than the silence that would end the run by itself
            os.kill(ranks[victim], signals[1])
        ends_with_one_message(process, ranks, f"rank {victim} is {name}",
                              rf"rank {victim} on host \S+ \(nodes: .+\) " +
                              ("has given no sign of life" if name == "stopped" else "has died") + ".*operation: .+")
    process = start(3, folder / "early.h5", "--train.rounds", "2000")
    end = time.monotonic() + 20
    while len(ranks := ranks_of(process, PROGRAM)) < 3 and time.monotonic() < end:
        time.sleep(0.01)
    os.kill(ranks[1], signal.SIGKILL)
    ends_with_one_message(process, ranks, "rank 1 is killed before the first message", "signal 9 \\(KILL\\)", early=True)


def ends_with_one_message(process, ranks, what, message, early=False):
    begin = time.monotonic()
    try:
        out, err = process.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
    took = time.monotonic() - begin
    check(f"all ranks end within 15 s when {what}", took < 15 and process.returncode == 1,
          f"{took:.1f} s, code {process.returncode}")
    told = err.count("gaisnet: error:")
    check("... and one message names the cause", (told == 1 or early and told == 0) and
          re.search(message, err) is not None, err[-500:])
    while (left := [pid for pid in ranks if is_alive(pid)]) and time.monotonic() - begin < 15:
        time.sleep(0.05)  # a killed process of a loaded machine takes a moment to go
    check("... and no process is left", not left, str(left))


def main():
    if h5py is None:
        print("skipped: h5py is not installed, so only tuned modules are compared, not the tables of the HDF5 files")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        ranks_and_placement(folder)
        tuned_modules(folder)
        plan_is_run(folder)
        real_data(folder)
        cloud_tier(folder)
        cached_outputs(folder)
        restart(folder)
        signal_at_the_start(folder)
        interrupts(folder)
        stopped_at_its_ends(folder)
        launch_that_fails(folder)
        leftovers(folder)
        resume_without_training(folder)
        damage(folder)
        empty_batteries(folder)
        begin_again(folder)
        interrupt(folder)
        real_clock(folder)
        measured_compute(folder)
        network_files(folder)
        samples_at_hand(folder)
        failures(folder)
    finish()


if __name__ == "__main__":
    main()
