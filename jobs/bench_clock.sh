#!/usr/bin/env bash
# How exactly clock = real keeps time on an idle machine.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: jobs/bench_clock.sh [PROGRAM]

Two clients on two ranks send smashed data to each other over links on which a message takes more than 100 ms, while
nothing else may run on the machine; the computations are far shorter. Prints how late messages were, and by how much
the throughput of a transfer was off (its lateness over its duration). PROGRAM is build/release/gaisnet unless given.
TEXT
}

# shellcheck source=jobs/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/setup.sh"
case ${1:-} in
    -h | --help) usage; exit 0 ;;
esac
program=${1:-$project_root/build/release/gaisnet}
[[ -x $program ]] || refuse "$program is not there; build it first"
find_python || die "the results are read with Python"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"$project_root/jobs/mpirun.sh" -n 2 "$program" finetune --model.weights random --network.clusters 1 --network.clients 2 \
    --placement node --split.blocks 2,2 --train.rounds 2 --train.steps 40 --train.batch 10 --data.samples 200 \
    --sense.time 0 --link.d2d.rate "2 Mbit/s" --link.d2d.latency "5 ms" --clock real --progress none --log-level error \
    --output "$folder/clock.h5" >"$folder/report"
grep -E 'lateness|clock ' "$folder/report"

"$PYTHON" - "$folder/clock.h5" <<'PY'
import sys

import h5py
import numpy

with h5py.File(sys.argv[1]) as file:
    events, late = file["events"][:], file["fidelity"][:]
    start = {int(row["round"]): row["end_s"] - row["latency_s"] for row in file["rounds"][:]}
transfers = {}
for event in events:
    if event["receivers"] > 0:
        due = event["arrival_s"] - start[int(event["round"])]
        transfers[int(event["round"]), int(event["node"]), int(event["peer"]), round(due, 9)] = event["end_s"] - event["start_s"]
errors = []
for row in late:
    duration = transfers.get((int(row["round"]), int(row["from"]), int(row["to"]), round(row["due_s"], 9)), 0.0)
    if duration >= 0.1:
        errors.append(row["late_s"] / duration)
print(f"{'part of lateness':<24}{'p50':>12}{'p90':>12}{'p99':>12}{'largest':>12}")
for name in ("late_s", "upstream_s", "own_compute_s", "neighbour_s", "timer_s"):
    values = numpy.percentile(late[name], [50, 90, 99, 100], method="inverted_cdf") * 1e6
    print(f"{name:<24}" + "".join(f"{value:9.1f} us" for value in values))
print(f"throughput of {len(errors)} transfers of 100 ms and more: off by at most {100 * max(errors):.3f} %, "
      f"half of them by {100 * numpy.median(errors):.4f} %")
PY
