"""gaisnet pretrain as a user runs it: the same model on any number of ranks, with and without labels, and stopped runs that
go on. Usage: pretrain_test.py GAISNET MPIRUN_SH. Needs only the standard library."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from checks import check, finish
from images import png
from processes import ranks_of

PROGRAM, MPIRUN = sys.argv[1], sys.argv[2]


def on_ranks(folder):
    small = ["--pretrain.samples", "64", "--pretrain.domains", "1", "--pretrain.epochs", "1", "--progress", "none"]
    for ranks in (1, 3):
        command = [MPIRUN, "-n", str(ranks), PROGRAM, "pretrain", *small, "--output", str(folder / f"fm{ranks}.safetensors")]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60)
        check(f"pretrain on {ranks} rank(s)", result.returncode == 0, result.stderr[-500:])
    check("... gives the same model", (folder / "fm1.safetensors").read_bytes() == (folder / "fm3.safetensors").read_bytes())
    result = subprocess.run(command, capture_output=True, text=True, timeout=30)
    check("... and refuses an output that exists, without a hang", result.returncode == 2 and
          result.stderr.count("gaisnet: error:") == 1 and "exists" in result.stderr, result.stderr[-500:])
    fresh = folder / "diverged.safetensors"
    command[command.index("--output") + 1] = str(fresh)
    result = subprocess.run([*command, "--pretrain.lr", "1e30", "--pretrain.epochs", "9"], capture_output=True, text=True, timeout=60)
    check("... and writes nothing when it diverges", result.returncode == 1 and "diverged" in result.stderr and
          result.stderr.count("gaisnet: error:") == 1 and not fresh.exists(),
          f"code {result.returncode}: {result.stderr[-500:]}")
    too_many = subprocess.run([*command, "--pretrain.shards", "2"], capture_output=True, text=True, timeout=30)
    check("... and refuses more ranks than parts of a batch", too_many.returncode == 2 and
          "pretrain.shards = 2" in too_many.stderr, too_many.stderr[-300:])


def without_labels(folder):
    """Masked image modelling: on a folder that knows no classes, and better than no training."""
    photos = folder / "unsorted"
    (photos / "more").mkdir(parents=True)
    for number in range(80):
        pixels = bytes((40 * (number % 6) + 3 * ((x // 4 + y // 4) % 2) * 20) % 256 for y in range(40) for x in range(40)
                       for _ in range(3))
        (photos / ("more" if number % 2 else ".") / f"{number:02}.png").write_bytes(png(pixels, 40))
    settings = ["--pretrain.objective", "masked", "--pretrain.root", str(photos), "--pretrain.batch", "16",
                "--pretrain.epochs", "6", "--model.image", "32", "--progress", "none"]
    files = [folder / f"masked{ranks}.safetensors" for ranks in (1, 2)]
    for ranks, output in zip((1, 2), files):
        done = subprocess.run([MPIRUN, "-n", str(ranks), PROGRAM, "pretrain", *settings, "--output", str(output)],
                              capture_output=True, text=True, timeout=100)
        errors = [float(line.split()[-1]) for line in done.stderr.splitlines() if "error of masked pixels" in line]
        check(f"masked pre-training on {ranks} rank(s)", done.returncode == 0 and len(errors) == 6 and
              errors[-1] < 0.8 * errors[0], f"{errors} {done.stderr[-500:]}")
    check("... gives the same model, and no head", files[0].read_bytes() == files[1].read_bytes() and
          b'"head.' not in files[0].read_bytes()[:20000] and b'"masked"' in files[0].read_bytes()[:20000])
    none = subprocess.run([PROGRAM, "pretrain", "--pretrain.root", str(photos), "--output", str(folder / "none.safetensors")],
                          capture_output=True, text=True, timeout=30)
    check("... and classes are asked for where they are needed", none.returncode == 2 and
          f"pretrain.root = {photos}" in none.stderr, none.stderr[-300:])


def inputs_are_kept(folder):
    """What a run reads is never what it writes."""
    config, photos = folder / "own.cfg", folder / "kept"
    config.write_text("[pretrain]\nbatch = 2\n")
    photos.mkdir()
    for number in range(4):
        (photos / f"{number}.png").write_bytes(png(bytes([50 * number, 9, 200]) * 1600, 40))
    for output, culprit in ((config, "--config"), (photos / "1.png", "pretrain.root")):
        before = output.read_bytes()
        done = subprocess.run([PROGRAM, "pretrain", "--config", str(config), "--pretrain.root", str(photos),
                               "--pretrain.objective", "masked", "--pretrain.shards", "1", "--output", str(output),
                               "--overwrite", "on"], capture_output=True, text=True, timeout=30)
        check(f"an output that is {culprit} is refused", done.returncode == 2 and culprit in done.stderr and
              output.read_bytes() == before, done.stderr[-300:])
    nowhere = folder / "nowhere" / "fm.safetensors"
    done = subprocess.run([PROGRAM, "pretrain", "--output", str(nowhere)], capture_output=True, text=True, timeout=30)
    check("a folder that does not exist is refused before the training", done.returncode == 2 and
          str(nowhere) in done.stderr and "pre-training" not in done.stderr, done.stderr[-300:])


def goes_on_from_an_older_one(folder):
    """Later checkpoints are of a run that then never was."""
    def epochs(output):
        return sorted(path.parent.name for path in pathlib.Path(f"{output}.ckpt").glob("*/DONE"))

    output = folder / "older.safetensors"

    def stop_when(reached, *extra):
        process = subprocess.Popen([PROGRAM, "pretrain", "--pretrain.samples", "64", "--pretrain.domains", "1",
                                    "--pretrain.epochs", "2000", "--checkpoint.keep", "2000", "--progress", "none", "--output",
                                    str(output), *extra], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + 60
        while time.monotonic() < end and process.poll() is None and not reached(epochs(output)):
            time.sleep(0.005)
        process.send_signal(signal.SIGTERM)
        return process.communicate(timeout=60)[1]

    errors = stop_when(lambda found: len(found) > 5)
    before = epochs(output)
    # No other checkpoint before the end: all but the last are left from before, and there is no last one when the signal
    # came before the first epoch.
    again = stop_when(lambda found: len(found) < 3, "--resume", f"{output}.ckpt/round_000002", "--checkpoint.every", "0")
    after = epochs(output)
    check("a run that goes on from an older checkpoint removes later ones", len(before) > 5 and len(after) in (2, 3) and
          after[:2] == before[:2] and "resuming after epoch 2" in again, f"{before} {after} {errors[-300:]} {again[-300:]}")


def is_done(folder):
    """--resume auto on a model that is there ends well; with other settings it is not that model. It may lie among images."""
    photos = folder / "own"
    photos.mkdir()
    for number in range(8):
        (photos / f"{number}.png").write_bytes(png(bytes([30 * number, 9, 200]) * 1600, 40))
    output = photos / "fm.safetensors"
    command = [MPIRUN, "-n", "2", PROGRAM, "pretrain", "--pretrain.root", str(photos), "--pretrain.objective", "masked",
               "--pretrain.batch", "4", "--pretrain.epochs", "1", "--progress", "none", "--output", str(output),
               "--resume", "auto"]
    first = subprocess.run(command, capture_output=True, text=True, timeout=60)
    bytes_of_first = output.read_bytes() if output.exists() else b""
    again = subprocess.run(command, capture_output=True, text=True, timeout=60)
    check("resume = auto has nothing to do when the model is there", first.returncode == again.returncode == 0 and
          "is there" in again.stderr and output.read_bytes() == bytes_of_first, first.stderr[-300:] + again.stderr[-300:])
    other = subprocess.run([*command, "--pretrain.lr", "0.1"], capture_output=True, text=True, timeout=60)
    check("... but not for another one", other.returncode == 2 and "exists" in other.stderr, other.stderr[-300:])


def same_checkpoint(folder):
    """Ranks on computers that do not share the folder would go on from different states."""
    for rank in "01":
        (folder / "apart" / rank).mkdir(parents=True)
    program = [PROGRAM, "pretrain", "--pretrain.samples", "64", "--pretrain.domains", "1", "--pretrain.epochs", "400",
               "--progress", "none", "--output", "fm.safetensors"]
    process = subprocess.Popen(program, cwd=folder / "apart" / "0", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    end = time.monotonic() + 60
    while time.monotonic() < end and not list((folder / "apart" / "0").glob("*/*/DONE")):
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    done = subprocess.run([MPIRUN, "-n", "2", "sh", "-c", 'cd "$OMPI_COMM_WORLD_RANK" && exec "$@"', "sh", *program,
                           "--resume", "auto"], cwd=folder / "apart", capture_output=True, text=True, timeout=60)
    check("ranks that find different checkpoints are told", done.returncode == 1 and "rank 1 found another" in done.stderr and
          done.stderr.count("gaisnet: error:") == 1, f"code {done.returncode}: {done.stderr[-500:]}")


def goes_on(folder):
    """SIGTERM ends an epoch with a checkpoint; a kill leaves the last one; another number of ranks goes on."""
    def command(output, ranks, *extra):
        return [MPIRUN, "-n", str(ranks), PROGRAM, "pretrain", "--pretrain.samples", "128", "--pretrain.domains", "2",
                "--pretrain.epochs", "25", "--pretrain.objective", "masked", "--progress", "none", "--output", str(output), *extra]

    def stopped_by(which, output, ranks):
        process = subprocess.Popen(command(output, ranks), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   start_new_session=True)
        checkpoints = pathlib.Path(f"{output}.ckpt")
        end = time.monotonic() + 60
        while time.monotonic() < end and process.poll() is None and not list(checkpoints.glob("*/DONE")):
            time.sleep(0.005)
        if which == signal.SIGKILL:
            for rank in ranks_of(process, PROGRAM):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(rank, which)
        else:
            process.send_signal(which)
        _, errors = process.communicate(timeout=60)
        return process.returncode, errors, checkpoints

    whole = folder / "whole.safetensors"
    done = subprocess.run(command(whole, 1), capture_output=True, text=True, timeout=100)
    check("pre-training leaves no checkpoints behind its model", done.returncode == 0 and
          not pathlib.Path(f"{whole}.ckpt").exists(), done.stderr[-500:])
    for which, code in ((signal.SIGTERM, 75), (signal.SIGKILL, None)):
        name = which.name.lower()
        output = folder / f"{name}.safetensors"
        ended, errors, checkpoints = stopped_by(which, output, 2)
        check(f"{name} leaves a checkpoint and no model", (ended == code if code else ended != 0) and not output.exists() and
              list(checkpoints.glob("*/DONE")), f"code {ended}: {errors[-500:]}")
        again = subprocess.run(command(output, 2), capture_output=True, text=True, timeout=60)
        check("... which a new run does not write over", again.returncode == 2 and
              "resume = auto" in again.stderr, again.stderr[-300:])
        other = subprocess.run(command(output, 2, "--resume", "auto", "--pretrain.lr", "0.1"), capture_output=True,
                               text=True, timeout=60)
        check("... nor goes on with other settings", other.returncode == 2 and "pretrain.lr" in other.stderr,
              other.stderr[-300:])
        newest = sorted(checkpoints.glob("*/DONE"))[-1].parent / "state.safetensors"
        good = newest.read_bytes()
        newest.write_bytes(good[:-3] + bytes([good[-3] ^ 1]) + good[-2:])
        damaged = subprocess.run(command(output, 2, "--resume", str(newest.parent)), capture_output=True, text=True,
                                 timeout=60)
        check("... nor from a checkpoint with another bit", damaged.returncode == 2 and "state.safetensors is damaged" in
              damaged.stderr, damaged.stderr[-300:])
        if which == signal.SIGTERM:  # else it is passed over, for the one before or a new beginning
            newest.write_bytes(good)
        done = subprocess.run(command(output, 3, "--resume", "auto"), capture_output=True, text=True, timeout=100)
        check("... and goes on to the same model on another number of ranks", done.returncode == 0 and
              ("resuming after epoch" in done.stderr or "is damaged" in done.stderr) and output.read_bytes() == whole.read_bytes() and
              not checkpoints.exists(), done.stderr[-500:])


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        on_ranks(folder)
        without_labels(folder)
        inputs_are_kept(folder)
        goes_on_from_an_older_one(folder)
        is_done(folder)
        same_checkpoint(folder)
        goes_on(folder)
    finish()


if __name__ == "__main__":
    main()
