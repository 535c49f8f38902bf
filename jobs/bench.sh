#!/usr/bin/env bash
# Measures what the emulation costs, and prints ratios that were taken in one run.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: jobs/bench.sh [OPTION]...

Builds the release preset and measures on this machine:

  split    wall time of a plain LibTorch loop in one process over the unsplit model (as many threads as cores), over
           the wall time of `gaisnet finetune` with one rank a core: same samples, same evaluation, ViT-Ti/16 at 224 px
  scale    seconds a round and peak memory with 10, 100 and 1,000 clients on one rank a core
  decode   images a second of a rank's decoding, by threads: drawn value by value on one thread, as it once was; drawn;
           with --images also photos; each decoded anew, and from memory (data.cache)
  ledger   events a second of the ledger pass alone (its share of a run stands with the other two)

  --only NAME      one of the four
  --images DIR     image folder for `split` and `decode` (default: procedural images; speed does not depend on it)
  --weights FILE   ViT-Ti/16 weights for `split` (default: random)
  --steps N        batches of 10 a cluster and round in `split` (default: 20)
  --repeat N       pairs of runs in `split` (default: 3)
  --skip-install   install nothing and leave the BLAS alternative alone
  --help           print this text

Nothing else should compute meanwhile. Figures of one invocation can be compared with each other, not with others.
TEXT
}

# shellcheck source=jobs/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/setup.sh"

only=all
images='' weights=random steps=20 repeat=3 install=1
while [[ $# -gt 0 ]]; do
    case $1 in
        --only | --images | --weights | --steps | --repeat)
            [[ -n ${2:-} ]] || { usage >&2; refuse "$1 takes a value"; }
            declare "${1#--}=$2"
            shift 2
            ;;
        --skip-install) install=0; shift ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; refuse "unknown option '$1'" ;;
    esac
done
[[ $only =~ ^(all|split|scale|decode|ledger)$ ]] || refuse "--only $only: split, scale, decode or ledger is accepted"
[[ $steps =~ ^[1-9][0-9]*$ && $repeat =~ ^[1-9][0-9]*$ ]] || refuse "--steps and --repeat take whole numbers from 1"
for path in ${images:+"$images"} $([[ $weights == random ]] || printf '%s' "$weights"); do
    [[ -e $path ]] || refuse "$path does not exist"
done
[[ -z $images ]] || images=$(realpath "$images")
[[ $weights == random ]] || weights=$(realpath "$weights")

if [[ $install -eq 1 ]]; then
    setup_packages "${project_packages[@]}"
fi
find_python || die "the benchmark reads HDF5 files with h5py"
build_preset release gaisnet monolithic bench_decode
cd "$project_root"
program=$project_root/build/release/gaisnet
cores=$(usable_cores)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# round_seconds FILE: wall time (s) of every round of a results file, one line each.
round_seconds() {
    "$PYTHON" - "$1" <<'PYTHON'
import sys, h5py
with h5py.File(sys.argv[1], "r") as file:
    for seconds in file["rounds"][:]["wall_s"]:
        print(f"{seconds:.4f}")
PYTHON
}

# "0.05 % of the rounds' wall time", from a run's log.
ledger_share() { sed -n 's/.*ledger: .*(\(.*\))$/\1/p' "$1"; }

# run_gaisnet LOG NODES ARGUMENT...: one rank a core, but no more than the scenario has nodes.
run_gaisnet() {
    local log=$1 ranks=$(($2 < cores ? $2 : cores))
    shift 2
    jobs/mpirun.sh -n "$ranks" "$program" "$@" >/dev/null 2>"$log" || { cat "$log" >&2; die "a run of gaisnet failed"; }
}

# compute EXPRESSION FORMAT: arithmetic with decimals.
compute() { awk "BEGIN { printf \"$2\", $1 }"; }

measure_split() {
    local -a settings=(--config configs/flowers_vit_tiny.cfg --train.steps "$steps" --train.rounds 1 --events off
        --checkpoint.every 0 --model.weights "$weights" --overwrite on --progress none)
    if [[ -n $images ]]; then
        settings+=(--data.source folder --data.root "$images")
    else
        settings+=(--data.source procedural --data.samples 2400)
    fi
    say "split: $((steps * 60)) training samples and the validation images in $repeat pairs of runs"
    local pair whole split ratios=()
    for ((pair = 1; pair <= repeat; ++pair)); do
        whole=$(build/release/monolithic "${settings[@]}" --runtime.threads "$cores" 2>"$folder/log" |
            awk '{ print $2 }') || { cat "$folder/log" >&2; die "the plain loop failed"; }
        run_gaisnet "$folder/split.log" 25 finetune "${settings[@]}" --output "$folder/split.h5"
        split=$(round_seconds "$folder/split.h5" | tail -n 1)
        ratios+=("$(compute "$whole / $split" %.3f)")
        printf '  pair %d: plain loop, %d threads: %.2f s; gaisnet, a rank a core: %.2f s; ratio %s\n' \
            "$pair" "$cores" "$whole" "$split" "${ratios[-1]}"
    done
    printf '  split: plain loop / gaisnet = %s (median of %d)\n' \
        "$(printf '%s\n' "${ratios[@]}" | sort -n | sed -n "$(((repeat + 1) / 2))p")" "$repeat"
    printf '  ledger pass: %s\n' "$(ledger_share "$folder/split.log")"
}

measure_scale() {
    local clients clusters chain samples seconds memory first='' each
    say "scale: the quickstart's model, 20 samples a cluster, 3 rounds; the first round is not counted"
    for clients in 10 100 1000; do
        case $clients in
            10) clusters=3 chain=4,4,2 ;;
            *) clusters=$((clients / 4)) chain=4 ;;
        esac
        run_gaisnet "$folder/scale.log" "$clients" finetune --config configs/quickstart.cfg --train.rounds 3 \
            --network.clusters "$clusters" --network.clients "$chain" --data.samples $((clusters * 26)) --data.per_cluster 20 \
            --output "$folder/scale.h5" --overwrite on --progress none
        seconds=$(round_seconds "$folder/scale.h5" | awk 'NR > 1 { sum += $1; ++n } END { print sum / n }')
        samples=$((clusters * 20 + $(sed -n 's/.* training and \([0-9]*\) validation samples.*/\1/p' "$folder/scale.log")))
        memory=$(sed -n 's/.*peak resident memory of the processes: \(.*\) in all.*/\1/p' "$folder/scale.log")
        each=$(compute "1000 * $seconds / $samples" %.3f)
        first=${first:-$each}
        printf '  %4d clients: %.3f s a round, %d samples trained and evaluated, %s ms a sample (%s of that of 10 clients), peak memory %s, %s\n' \
            "$clients" "$seconds" "$samples" "$each" "$(compute "$each / $first" %.2f)" "$memory" \
            "ledger pass $(ledger_share "$folder/scale.log")"
    done
}

measure_decode() {
    say "decode: batches of 64 through the loader, transformed"
    build/release/bench_decode ${images:+"$images"}
}

measure_ledger() {
    say "ledger: gaisnet plan, one thread"
    local name
    local -a settings
    for name in "6 clusters of 4, ViT-Ti" "250 clusters of 4"; do
        settings=(--config configs/flowers_vit_tiny.cfg --data.source procedural --data.samples 3670)
        if [[ $name == 250* ]]; then
            settings+=(--network.clusters 250 --data.samples 6250 --train.rounds 20)
        fi
        "$program" plan "${settings[@]}" 2>"$folder/plan.log" >/dev/null
        printf '  %s: %s\n' "$name" "$(sed -n 's/.*ledger: //p' "$folder/plan.log")"
    done
}

say "$(usable_cores) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | sort -u | head -n 1), $("$program" --version | tr -s ' \n' ' ')"
case $only in
    all) measure_split; measure_scale; measure_decode; measure_ledger ;;
    *) "measure_$only" ;;
esac
