"""Checks and measures what needs a GPU; tests/gpu/run.sh calls it. Needs Python's standard library and h5py.

Each fact is a line of JSON in FACTS as soon as it is known, so that a visit that is cut short leaves what it has:
    {"step", "what", "value", "unit", "how", "passed", "at_s"}
The most valuable steps come first, and each command has a minute at most. tests/gpu/table.py draws the table.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

PROJECT = pathlib.Path(__file__).resolve().parents[2]
MPIRUN = PROJECT / "jobs" / "mpirun.sh"
QUICK = ["--config", str(PROJECT / "configs" / "quickstart.cfg"), "--progress", "none", "--overwrite", "on",
         "--checkpoint.every", "0"]
PIPELINE = ["--config", str(PROJECT / "configs" / "gpu_pipeline.cfg"), "--progress", "none", "--overwrite", "on",
            "--checkpoint.every", "0"]
WHOLE_BATCHES = ["--train.micro_batches", "1", "--train.schedule", "serial"]
TEN_STEPS = ["--train.rounds", "1", "--train.steps", "10"]
TOLERANCE = 1e-3  # Relative, of losses after ten steps in float32.
ROUNDS = 8
STEP_S = 60
START = time.monotonic()


class Visit:
    def __init__(self, given):
        self.programs, self.device, self.gpus = given.programs, given.device, given.gpus
        self.facts = open(given.facts, "a", buffering=1, encoding="utf-8")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="gaisnet-gpu-"))
        self.step, self.failed, self.known = "", 0, {}
        # A rehearsal on CPUs has small models in the place of those that it would take hours with.
        self.models = {"ViT-B/16": ["--model.preset", "vit_base"],
                       "ViT-Ti/16": ["--model.preset", "vit_tiny", "--data.samples", "2560"]}
        self.precisions = ["bf16", "tf32", "fp32"]
        if self.device == "cpu":
            tiny = ["--model.preset", "custom", "--model.image", "32", "--model.patch", "8", "--model.dim", "48",
                    "--model.depth", "12", "--model.heads", "3", "--data.samples", "320"]
            self.models = {name: tiny for name in self.models}
            self.precisions = ["fp32"]  # bfloat16 takes ten times as long on processors that do not have it

    def fact(self, what, value, unit="", how="", passed=True):
        line = {"step": self.step, "what": what, "value": value, "unit": unit, "how": how, "passed": bool(passed),
                "at_s": round(time.monotonic() - START, 1)}
        self.facts.write(json.dumps(line) + "\n")
        self.failed += not passed
        print(f"{line['at_s']:7.1f} s  {'' if passed else 'FAILED '}{what}: {value} {unit}  {how}", flush=True)

    def run(self, command, **environment):
        """A command's result; one that takes more than a minute counts as failed with 124."""
        begin = time.monotonic()
        words = [str(word) for word in command]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env={**os.environ, **environment}, start_new_session=True)
        try:
            out, err = process.communicate(timeout=STEP_S)
            code = process.returncode
        except subprocess.TimeoutExpired:
            end_session(process.pid)
            out, err = process.communicate()
            code, err = 124, err + "\ntook too long"
        result = subprocess.CompletedProcess(words, code, out, err)
        result.seconds = time.monotonic() - begin
        return result

    def finetune(self, ranks, *arguments, device=None, **environment):
        launcher = [MPIRUN, "-n", ranks] if ranks > 1 else []
        return self.run([*launcher, self.programs / "gaisnet", "finetune", *arguments, "--device", device or self.device,
                         "--output", self.folder / "run.h5"], **environment)

    def sharing(self, ranks):
        return ["--nccl_share_gpu", "on"] if self.device == "cuda" and ranks > self.gpus else []


def end_session(leader):
    """Ends a command and all that it has started, mpirun's ranks too: what goes on would spoil later figures."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                if int(stat.read_text().rpartition(")")[2].split()[3]) == leader:
                    os.kill(int(stat.parent.name), number)
            except (OSError, ValueError):
                pass  # it has ended meanwhile
        time.sleep(1)


def tail(result):
    return f"code {result.returncode}: {(result.stdout + result.stderr)[-1200:]}"


def loss_of(result):
    """Validation loss of the last round, from the table of results."""
    found = re.findall(r"^ +\d+ +[\d.]+ % +([\d.]+) ", result.stdout, re.MULTILINE)
    return float(found[-1]) if result.returncode == 0 and found else None


def environment(visit):
    query = "--query-gpu=name,driver_version,memory.total"
    if shutil.which("nvidia-smi"):
        for line in visit.run(["nvidia-smi", query, "--format=csv,noheader"]).stdout.strip().splitlines():
            visit.fact("GPU", line)
    visit.fact("processors", os.cpu_count(), "cores")
    cold = visit.run([visit.programs / "gaisnet", "--version"])
    visit.fact("versions", re.sub(r"\s*\n\s*", ", ", cold.stdout.strip()), passed=cold.returncode == 0,
               how="" if cold.returncode == 0 else tail(cold))
    visit.fact("start, first", round(cold.seconds, 2), "s", "gaisnet --version")
    warm = visit.run([visit.programs / "gaisnet", "--version"])
    visit.fact("start, second", round(warm.seconds, 2), "s", "gaisnet --version")
    for name in ("first", "second"):
        result = visit.finetune(1, *QUICK, *TEN_STEPS)
        visit.fact(f"ten steps of the quickstart's model, {name} run", round(result.seconds, 2), "s",
                   "whole process" if result.returncode == 0 else tail(result), result.returncode == 0)


def compare(visit, name, ranks, *arguments, **environment):
    """Ten steps in float32: the loss of the CPU on one rank."""
    if "reference" not in visit.known:
        reference = visit.finetune(1, *QUICK, *TEN_STEPS, device="cpu")
        visit.known["reference"] = loss_of(reference)
        visit.fact("loss after ten steps, CPU", visit.known["reference"], passed=visit.known["reference"] is not None,
                   how="" if visit.known["reference"] else tail(reference))
    result = visit.finetune(ranks, *QUICK, *TEN_STEPS, *arguments, **environment)
    expected, got = visit.known["reference"], loss_of(result)
    same = got is not None and expected is not None and abs(got - expected) <= TOLERANCE * abs(expected)
    visit.fact(f"loss after ten steps, {name}", got, how=f"the CPU's within {TOLERANCE:g}" if same else tail(result),
               passed=same)
    return result


def correctness(visit):
    compare(visit, "one rank", 1)


def round_seconds(output):
    import h5py
    with h5py.File(output, "r") as file:
        return [float(seconds) for seconds in file["rounds"]["wall_s"]]


def rate_of(visit, images, ranks, *arguments, rounds=ROUNDS):
    """Images a second, trained on and evaluated, by the median of the rounds but the first of one run."""
    result = visit.finetune(ranks, *PIPELINE, "--train.rounds", rounds, *arguments, *visit.sharing(ranks))
    if result.returncode != 0:
        return None, tail(result)
    return images / statistics.median(round_seconds(visit.folder / "run.h5")[1:]), ""


def plain_loop(visit, model, precision):
    """The same for a plain LibTorch loop over the unsplit model with whole batches; and images a round. Measured once."""
    if (model, precision) in visit.known:
        return visit.known[model, precision]
    visit.known[model, precision] = measure_loop(visit, *visit.models[model], *WHOLE_BATCHES, "--placement", "cluster",
                                                 "--precision", precision)
    loop, _, problem = visit.known[model, precision]
    visit.fact(f"{model} {precision}, plain loop", loop and round(loop, 1), "images/s",
               problem or f"median of rounds 2 to {ROUNDS}", loop is not None)
    return visit.known[model, precision]


def measure_loop(visit, *arguments):
    result = visit.run([visit.programs / "monolithic", *PIPELINE, "--train.rounds", ROUNDS, *arguments, "--device",
                        visit.device, "--output", visit.folder / "unused.h5"])
    rows = [line.split() for line in result.stdout.splitlines() if re.match(r"^\d+ [\d.]+ \d+ ", line)]
    if result.returncode != 0 or len(rows) != ROUNDS:
        return None, 0, tail(result)
    images = int(rows[0][2])
    return images / statistics.median(float(row[1]) for row in rows[1:]), images, ""


def one_rank(visit):
    """A plain loop against the emulator on one rank: one cluster, a chain of four, whole batches of 64."""
    for model, preset in visit.models.items():
        for precision in visit.precisions:
            options = [*preset, *WHOLE_BATCHES, "--placement", "cluster", "--precision", precision]
            loop, images, _ = plain_loop(visit, model, precision)
            if not loop:
                continue
            rate, problem = rate_of(visit, images, 1, *options)
            visit.fact(f"{model} {precision}, one rank", rate and round(rate, 1), "images/s",
                       problem or f"{rate / loop:.2f} of the plain loop", rate is not None)


def shared_by_mpi(visit):
    one = {"CUDA_VISIBLE_DEVICES": "0"}
    compare(visit, "two ranks that share a GPU, whole clusters", 2, **one)
    result = compare(visit, "two ranks that share a GPU, smashed data over MPI", 2, "--placement", "node", **one)
    moved = re.search(r"mpi (\d+) messages with ([\d.]+ \w+)", result.stderr)
    visit.fact("carried by MPI", moved[2] if moved else None, how=f"{moved[1]} messages" if moved else tail(result),
               passed=moved is not None)


def pipelines(visit, ranks):
    precision = visit.precisions[0]
    for model, preset in visit.models.items():
        loop, images, problem = plain_loop(visit, model, precision)
        rate = None
        if loop:
            # Ranks of one GPU send 2 GB a round through sockets.
            rate, problem = rate_of(visit, images, ranks, *preset, "--placement", "node", "--precision", precision,
                                    rounds=ROUNDS if ranks <= visit.gpus else 3)
        visit.fact(f"{model} {precision}, pipeline over {ranks} ranks", rate and round(rate, 1), "images/s",
                   f"8 micro-batches, 1f1b; {visit.gpus} GPU(s), {rate / loop:.2f} of the plain loop" if rate else problem,
                   rate is not None)


def shared_by_nccl(visit):
    if visit.device == "cpu":
        visit.fact("NCCL", None, how="left out: a rehearsal on CPUs")
        return
    for ranks in (2, 1):
        result = visit.run([MPIRUN, "-n", ranks, visit.programs / "transport_nccl_test"], GAISNET_NCCL_SHARE_GPU="on")
        visit.fact(f"NCCL's transport conforms on {ranks} rank(s)", result.returncode == 0,
                   how="" if result.returncode == 0 else tail(result), passed=result.returncode == 0)
    result = visit.run([MPIRUN, "-n", 2, visit.programs / "nccl_bandwidth",
                        *(["--share-gpu"] if visit.gpus < 2 else [])])
    for what, size, _, rate, formula in re.findall(
            r"^(message|sum) +(\d+) B +([\d.]+) s +([\d.]+) GB/s +(.+)$", result.stdout, re.MULTILINE):
        visit.fact(f"NCCL, {what} of {int(size) / 1e6:g} MB", float(rate), "GB/s", formula)
    visit.fact("NCCL's bandwidth was measured", result.returncode == 0, passed=result.returncode == 0,
               how="" if result.returncode == 0 else tail(result))
    result = compare(visit, "two ranks, smashed data over NCCL", 2, "--placement", "node", *visit.sharing(2))
    moved = re.search(r"nccl (\d+) messages with ([\d.]+ \w+)", result.stderr)
    visit.fact("carried by NCCL", moved[2] if moved else None, how=f"{moved[1]} messages" if moved else tail(result),
               passed=moved is not None)
    pipelines(visit, 2)


def many_clusters(visit):
    """A hundred clusters on one rank: one at a time, as the default is, and all at once."""
    clusters = 10 if visit.device == "cpu" else 100
    small = [*QUICK, "--data.samples", str(clusters * 25), "--train.rounds", "4"]
    tiny = [*PIPELINE, *visit.models["ViT-Ti/16"], *WHOLE_BATCHES, "--placement", "cluster", "--train.batch", "10",
            "--data.samples", str(clusters * 25), "--precision", visit.precisions[0], "--train.rounds", "4"]
    for name, options in (("quickstart's model", small), ("ViT-Ti/16", tiny)):
        for active in (1, clusters):
            result = visit.finetune(1, *options, "--network.clusters", clusters, "--runtime.active_clusters", active)
            rate = None
            if result.returncode == 0:
                rate = clusters * 25 / statistics.median(round_seconds(visit.folder / "run.h5")[1:])
            visit.fact(f"{clusters} clusters of the {name}, {active} at a time", rate and round(rate, 1), "images/s",
                       "trained on and evaluated; batches of 10" if rate else tail(result), rate is not None)


def four_ranks(visit):
    compare(visit, "four ranks, placement = node", 4, "--placement", "node", *visit.sharing(4))
    pipelines(visit, 4)


STEPS = {"environment": environment, "correctness": correctness, "one_rank": one_rank, "shared_mpi": shared_by_mpi,
         "nccl": shared_by_nccl, "many_clusters": many_clusters, "four_ranks": four_ranks}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="folder of gaisnet and the others")
    parser.add_argument("--facts", type=pathlib.Path, required=True, help="file that facts are appended to")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--gpus", type=int, default=1)
    parser.add_argument("--only", default=",".join(STEPS), help="steps, separated by commas")
    given = parser.parse_args()
    visit = Visit(given)
    try:
        for name in given.only.split(","):
            visit.step = name
            begin = time.monotonic()
            try:
                STEPS[name](visit)
            except Exception as problem:  # the next step may still give facts
                visit.fact(f"step {name}", None, how=f"ended by {problem!r}", passed=False)
            visit.fact(f"step {name} took", round(time.monotonic() - begin, 1), "s")
    finally:
        shutil.rmtree(visit.folder, ignore_errors=True)
    print(f"{visit.failed} failed")
    sys.exit(1 if visit.failed else 0)


if __name__ == "__main__":
    main()
