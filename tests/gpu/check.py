"""Checks and measures what needs a GPU; tests/gpu/run.sh calls it. Needs only the standard library.

Usage: check.py --build DIR --gpus N [--only suite|compare|measure] [--share-gpu]
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from checks import check, finish

PROJECT = pathlib.Path(__file__).resolve().parents[2]
MPIRUN = PROJECT / "jobs" / "mpirun.sh"
TEN_STEPS = ["--config", str(PROJECT / "configs" / "quickstart.cfg"), "--train.rounds", "1", "--train.steps", "10",
             "--progress", "none", "--overwrite", "on"]
PIPELINE = ["--config", str(PROJECT / "configs" / "gpu_pipeline.cfg"), "--progress", "none", "--overwrite", "on"]
TOLERANCE = 1e-3  # Relative, of losses after ten steps in float32.


class Table:
    """The lines of the closing table."""

    def __init__(self):
        self.lines = []

    def note(self, what, value, how=""):
        self.lines.append((what, value, how))
        print(f"        {what}: {value}  {how}", flush=True)


def run(command, limit=240, **environment):
    """Runs a command; a time-out counts as exit code 124."""
    try:
        return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=limit,
                              env={**os.environ, **environment})
    except subprocess.TimeoutExpired as late:
        def text(part):
            return part.decode(errors="replace") if isinstance(part, bytes) else part or ""
        return subprocess.CompletedProcess(command, 124, text(late.stdout), text(late.stderr) + "\nran too long")


def suite(build, gpus, share):
    """The tests that all transports share, over NCCL: with as many GPUs as ranks, else shared ones, in both ways."""
    program = build / "transport_nccl_test"
    for ranks in (1, 2, 4):
        ways = [("one GPU a rank", {})] if ranks <= gpus else [
            ("GPUs shared, over NCCL", {"GAISNET_NCCL_SHARE_GPU": "on"}), ("GPUs shared, over MPI", {})]
        for way, environment in ways:
            if share and "MPI" in way:
                continue
            result = run([MPIRUN, "-n", ranks, program], **environment)
            check(f"conformance on {ranks} rank(s), {way}", result.returncode == 0,
                         f"code {result.returncode}: {(result.stdout + result.stderr)[-1500:]}")
            for line in re.findall(r"^.*ranks are connected by NCCL$", result.stdout, re.MULTILINE):
                print("        " + line)


def finetune(build, folder, ranks, *arguments, limit=240):
    output = folder / "run.h5"
    return run([MPIRUN, "-n", ranks, build / "gaisnet", "finetune", *arguments, "--output", output], limit)


def losses(result):
    """Validation loss of each round, from the table of results."""
    return [float(loss) for loss in re.findall(r"^ +\d+ +[\d.]+ % +([\d.]+) ", result.stdout, re.MULTILINE)]


def moved_by(result, transport):
    found = re.search(rf"really moved:.*?{transport} (\d+) messages with ([\d.]+ \w+)", result.stderr)
    return (int(found[1]), found[2]) if found else (0, "nothing")


def wall_seconds(result):
    found = re.search(r"wall time +([\d.]+) (ms|s)", result.stdout)
    return float(found[1]) * (1e-3 if found[2] == "ms" else 1.0) if found else float("nan")


def sharing(ranks, gpus):
    return [] if ranks <= gpus else ["--nccl_share_gpu", "on"]


def compare(table, build, folder, gpus):
    """Ten steps on the CPU and on GPUs: one rank, two that pack clusters, and two whose chains go from GPU to GPU."""
    cpu = finetune(build, folder, 1, *TEN_STEPS, "--device", "cpu")
    reference = losses(cpu)
    check("ten steps on the CPU", cpu.returncode == 0 and len(reference) == 1, cpu.stderr[-800:])
    if not reference:
        return
    for name, ranks, extra in (("one rank", 1, []), ("two ranks, whole clusters", 2, []),
                               ("two ranks, placement = node", 2, ["--placement", "node"])):
        result = finetune(build, folder, ranks, *TEN_STEPS, "--device", "cuda", *extra, *sharing(ranks, gpus))
        got = losses(result)
        check(f"ten steps on GPUs, {name}: the CPU's loss within {TOLERANCE:g}",
                     result.returncode == 0 and len(got) == 1 and
                     abs(got[0] - reference[0]) <= TOLERANCE * abs(reference[0]),
                     f"{got} against {reference}, code {result.returncode}: {result.stderr[-800:]}")
        if got:
            table.note(f"loss after ten steps, {name}", f"{got[0]:.4f}", f"CPU {reference[0]:.4f}")
        if "node" in " ".join(extra):
            messages, volume = moved_by(result, "nccl")
            check("... and NCCL carried the smashed data", messages > 0, result.stderr[-800:])
            table.note("NCCL carried under placement = node", f"{messages} messages, {volume}")


def bandwidth(table, build, gpus):
    for way, options in (("NCCL", [] if gpus >= 2 else ["--share-gpu"]), ("MPI", ["--mpi"])):
        result = run([MPIRUN, "-n", 2, build / "nccl_bandwidth", *options])
        check(f"bandwidth over {way}", result.returncode == 0, (result.stdout + result.stderr)[-800:])
        for what, size, seconds, rate, formula in re.findall(
                r"^(message|sum) +(\d+) B +([\d.]+) s +([\d.]+) GB/s +(.+)$", result.stdout, re.MULTILINE):
            table.note(f"{what} of {int(size) / 1e6:g} MB, 2 ranks, {way}", f"{rate} GB/s", formula)


def images_a_second(build, folder, ranks, images_a_round, *arguments):
    """Of the second and third round: the first one pays for the start. Evaluation counts, as in the yardstick."""
    took = []
    for rounds in (1, 3):
        result = finetune(build, folder, ranks, *PIPELINE, "--train.rounds", rounds, *arguments, limit=300)
        if result.returncode != 0:
            return None, result.stderr[-800:]
        took.append(wall_seconds(result))
    return 2 * images_a_round / (took[1] - took[0]), ""


def yardstick(build, folder, precision):
    """A plain LibTorch loop over the unsplit model on one GPU: images a second of its rounds but the first, and images
    a round, evaluation included."""
    result = run([build / "monolithic", *PIPELINE, "--train.rounds", 3, "--precision", precision, "--device", "cuda",
                  "--output", folder / "unused.h5"])
    rows = [line.split() for line in result.stdout.splitlines() if re.match(r"^\d+ [\d.]+ \d+ ", line)]
    if result.returncode != 0 or len(rows) != 3:
        return None, 0, result.stderr[-800:]
    return sum(int(row[2]) for row in rows[1:]) / sum(float(row[1]) for row in rows[1:]), int(rows[0][2]), ""


def speed(table, build, folder, gpus):
    """ViT-B/16 with deep prompts, four stages, batches of 64 in 8 micro-batches."""
    for precision in ("fp32", "tf32", "bf16"):
        loop, images, problem = yardstick(build, folder, precision)
        check(f"a plain loop on one GPU, {precision}", loop is not None, problem)
        ways = [("packed on one rank", 1, []), ("pipelined over 2 ranks", 2, ["--placement", "node"]),
                ("pipelined over 4 ranks", 4, ["--placement", "node"])]
        for name, ranks, extra in ways:
            rate, problem = images_a_second(build, folder, ranks, images, "--device", "cuda", "--precision", precision, *extra,
                                            *sharing(ranks, gpus))
            check(f"ViT-B/16 {name}, {precision}", rate is not None, problem)
            if rate and loop:
                shared = "" if ranks <= gpus else f", {ranks} ranks on {gpus} GPU(s)"
                table.note(f"ViT-B/16 {precision}, {name}{shared}", f"{rate:.1f} images/s",
                            f"plain loop {loop:.1f}, ratio {rate / loop:.2f}")


def machine(table, build):
    result = run(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"])
    for line in result.stdout.strip().splitlines():
        table.note("GPU", line.strip())
    result = run([build / "gaisnet", "--version"])
    for line in result.stdout.splitlines():
        print("        " + line)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--gpus", type=int, required=True)
    parser.add_argument("--only", default="all")
    parser.add_argument("--share-gpu", action="store_true")
    given = parser.parse_args()
    table = Table()
    machine(table, given.build)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if given.only in ("all", "suite"):
            suite(given.build, given.gpus, given.share_gpu)
        if given.only in ("all", "compare"):
            compare(table, given.build, folder, given.gpus)
        if given.only in ("all", "measure"):
            bandwidth(table, given.build, given.gpus)
            speed(table, given.build, folder, given.gpus)
    print("\n| What | Measured | |\n|---|---|---|")
    for what, value, how in table.lines:
        print(f"| {what} | {value} | {how} |")
    finish()


if __name__ == "__main__":
    main()
