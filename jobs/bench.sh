#!/usr/bin/env bash
# Measures what the emulation costs, and prints ratios that were taken in one run.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: jobs/bench.sh [OPTION]...

Builds the release preset and measures on this machine:

  split    wall time of a plain LibTorch loop in one process over the unsplit model (as many threads as cores), over
           the wall time of `gaisnet finetune` with one rank a core: same samples, same evaluation, ViT-Ti/16 at 224 px
  scale    seconds a round and peak memory with 10, 100, 1,000 and 10,000 clients on one rank a core, and the ratio of
           runtime.fuse = off to auto
  fuse     seconds a round of 16 chains of four on ViT-Ti/16, 20 samples each, nothing evaluated, on one rank a core, with
           runtime.fuse = off and 8: deep prompts in batches of 2 and of 10, and the head alone with outputs kept
  pipeline wall time of a chain that trains batch by batch on one rank, over that of the same chain on two ranks: batch by
           batch, and by 1f1b with 8 micro-batches; chains of 3 and 4 clients with two blocks of width 192 each
  decode   images a second of a rank's decoding, by threads: drawn value by value on one thread, as it once was; drawn;
           with --images also photos; each decoded anew, and from memory (data.cache)
  ledger   events a second of the ledger pass alone (its share of a run stands with the other two)
  texts    a Llama of SmolLM2-135M's size on one chain of four clients, one process, one thread: wall time of a plain
           LibTorch loop over the unsplit model, over that of gaisnet, for LoRA of rank 8 (batches of 4 texts of 128
           tokens), and for 64 tokens behind prompts of 32 with a cache of keys and values

  --only NAME      one of the seven
  --images DIR     image folder for `split` and `decode` (default: procedural images; speed does not depend on it)
  --weights FILE   ViT-Ti/16 weights for `split` (default: random)
  --language DIR   a Llama for `texts`, as a folder of Hugging Face's (default: random weights)
  --steps N        batches of 10 a cluster and round in `split` (default: 20)
  --repeat N       runs to compare in `split`, `pipeline` and `texts` (default: 3)
  --skip-install   install nothing and leave the BLAS alternative alone
  --help           print this text

Nothing else should compute meanwhile. Figures of one invocation can be compared with each other, not with others.
TEXT
}

# shellcheck source=jobs/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/setup.sh"

only=all
images='' weights=random language='' steps=20 repeat=3 install=1
while [[ $# -gt 0 ]]; do
    case $1 in
        --only | --images | --weights | --language | --steps | --repeat)
            [[ -n ${2:-} ]] || { usage >&2; refuse "$1 takes a value"; }
            declare "${1#--}=$2"
            shift 2
            ;;
        --skip-install) install=0; shift ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; refuse "unknown option '$1'" ;;
    esac
done
[[ $only =~ ^(all|split|scale|fuse|pipeline|decode|ledger|texts)$ ]] || refuse "--only $only: split, scale, fuse, pipeline, decode, ledger or texts is accepted"
[[ $steps =~ ^[1-9][0-9]*$ && $repeat =~ ^[1-9][0-9]*$ ]] || refuse "--steps and --repeat take whole numbers from 1"
for path in ${images:+"$images"} ${language:+"$language"} $([[ $weights == random ]] || printf '%s' "$weights"); do
    [[ -e $path ]] || refuse "$path does not exist"
done
[[ -z $images ]] || images=$(realpath "$images")
[[ $weights == random ]] || weights=$(realpath "$weights")

if [[ $install -eq 1 ]]; then
    setup_packages "${project_packages[@]}"
fi
find_python || die "the benchmark reads HDF5 files with h5py"
build_preset release gaisnet monolithic plain_llama bench_decode
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
    jobs/mpirun.sh -n "$ranks" "$program" "$@" >"$folder/out" 2>"$log" || { cat "$log" >&2; die "a run of gaisnet failed"; }
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
        "$(median "${ratios[@]}")" "$repeat"
    printf '  ledger pass: %s\n' "$(ledger_share "$folder/split.log")"
}

measure_scale() {
    local clients clusters chain samples seconds alone memory first='' each fuse
    say "scale: the quickstart's model, 20 samples a cluster, 3 rounds; the first round is not counted"
    for clients in 10 100 1000 10000; do
        case $clients in
            10) clusters=3 chain=4,4,2 ;;
            *) clusters=$((clients / 4)) chain=4 ;;
        esac
        for fuse in off auto; do
            run_gaisnet "$folder/scale.log" "$clients" finetune --config configs/quickstart.cfg --train.rounds 3 \
                --network.clusters "$clusters" --network.clients "$chain" --data.samples $((clusters * 26)) \
                --data.per_cluster 20 --runtime.fuse "$fuse" --output "$folder/scale.h5" --overwrite on --progress none
            alone=${seconds:-}
            seconds=$(round_seconds "$folder/scale.h5" | awk 'NR > 1 { sum += $1; ++n } END { print sum / n }')
        done
        samples=$((clusters * 20 + $(sed -n 's/.* training and \([0-9]*\) validation samples.*/\1/p' "$folder/scale.log")))
        memory=$(sed -n 's/.*peak resident memory of the processes: \(.*\) in all.*/\1/p' "$folder/scale.log")
        each=$(compute "1000 * $seconds / $samples" %.3f)
        first=${first:-$each}
        printf '  %5d clients: %.3f s a round, %d samples trained and evaluated, %s ms a sample (%s of that of 10 clients), peak memory %s, %s\n' \
            "$clients" "$seconds" "$samples" "$each" "$(compute "$each / $first" %.2f)" "$memory" \
            "ledger pass $(ledger_share "$folder/scale.log"), fuse off / auto = $(compute "$alone / $seconds" %.2f)"
    done
}

# pipeline_seconds RANKS CLIENTS SCHEDULE MICRO_BATCHES: the fastest of three rounds.
pipeline_seconds() {
    local blocks=2,2,2
    [[ $2 -eq 3 ]] || blocks+=,2
    jobs/mpirun.sh -n "$1" "$program" finetune --model.weights random --model.preset custom --model.image 64 \
        --model.patch 8 --model.dim 192 --model.depth $((2 * $2)) --model.heads 3 --network.edges 1 --network.clusters 1 \
        --network.clients "$2" --split.blocks "$blocks" --tuning.method prompt_deep --tuning.prompts 10 \
        --data.samples 170 --data.train_fraction 0.95 --data.per_cluster 160 --train.batch 32 --train.rounds 3 \
        --train.schedule "$3" --train.micro_batches "$4" --placement node --checkpoint.every 0 --events off \
        --output "$folder/pipeline.h5" --overwrite on --progress none >"$folder/out" 2>"$folder/log" ||
        { cat "$folder/log" >&2; die "a run of gaisnet failed"; }
    round_seconds "$folder/pipeline.h5" | sort -n | head -n 1
}

measure_fuse() {
    local case fuse seconds=() method=()
    say "fuse: 16 chains of four clients on ViT-Ti/16, 20 samples each, 3 rounds; the first round and the last are not counted"
    for case in 'batches of 2' 'batches of 10' 'head alone, batches of 10'; do
        method=(--train.batch 10)
        [[ $case == *10 ]] || method=(--train.batch 2)
        [[ $case != head* ]] || method+=(--tuning.method head --cache on)
        seconds=()
        for fuse in off 8; do
            run_gaisnet "$folder/fuse.log" 64 finetune --config configs/flowers_vit_tiny.cfg --model.weights random \
                --data.source procedural --data.samples 400 --data.per_cluster 20 --network.clusters 16 --train.rounds 3 \
                --train.evaluate_every 3 --events off --checkpoint.every 0 --runtime.fuse "$fuse" "${method[@]}" \
                --output "$folder/fuse.h5" --overwrite on --progress none
            seconds+=("$(round_seconds "$folder/fuse.h5" | sed -n 2p)")
        done
        printf '  %s: %.2f s off, %.2f s with 8 together: %s\n' "$case" "${seconds[@]}" \
            "$(compute "${seconds[0]} / ${seconds[1]}" %.2f)"
    done
}

measure_pipeline() {
    local clients turn alone serial piped serials pipeds
    say "pipeline: one chain, 160 samples a round in batches of 32, on one rank and on two"
    for clients in 3 4; do
        serials=() pipeds=()
        for ((turn = 1; turn <= repeat; ++turn)); do
            alone=$(pipeline_seconds 1 "$clients" serial 1)
            serial=$(pipeline_seconds 2 "$clients" serial 1)
            piped=$(pipeline_seconds 2 "$clients" 1f1b 8)
            serials+=("$(compute "$alone / $serial" %.3f)") pipeds+=("$(compute "$alone / $piped" %.3f)")
            printf '  %d clients: one rank %.2f s a round; two ranks, batch by batch: %.2f s; 1f1b: %.2f s; ratios %s, %s\n' \
                "$clients" "$alone" "$serial" "$piped" "${serials[-1]}" "${pipeds[-1]}"
        done
        printf '  pipeline of %d: one rank / two ranks = %s batch by batch, %s by 1f1b (medians of %d)\n' "$clients" \
            "$(median "${serials[@]}")" "$(median "${pipeds[@]}")" "$repeat"
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

# median NUMBER...
median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }

measure_texts() {
    local -a model=(--model.weights "${language:-random}" --data.source procedural --network.clusters 1 --network.clients 4
        --runtime.threads 1 --overwrite on --progress none --output "$folder/texts.h5")
    if [[ -z $language ]]; then
        model+=(--model.family llama --model.task next_token --model.vocabulary 49152 --model.positions 2048 --model.dim 576
            --model.depth 30 --model.heads 9 --model.kv_heads 3 --model.hidden 1536 --model.tied on --split.blocks "10,10,10,0")
    fi
    local -a training=("${model[@]}" --model.tokens 128 --tuning.method lora --tuning.rank 8 --train.batch 4 --train.rounds 1
        --train.epochs 1 --data.samples 240 --data.per_cluster 16 --checkpoint.every 0 --events off)
    local -a writing=("${model[@]}" --data.samples 240 --tuning.method none --infer.requests 2 --infer.prompt_tokens 32
        --infer.generate 64 --infer.until length --infer.temperature 0)
    say "texts: $repeat pairs of runs of each kind"
    local pair whole split trained=() written=()
    for ((pair = 1; pair <= repeat; ++pair)); do
        build/release/monolithic "${training[@]}" >"$folder/whole" 2>"$folder/log" ||
            { cat "$folder/log" >&2; die "the plain loop failed"; }
        run_gaisnet "$folder/log" 1 finetune "${training[@]}"
        whole=$(awk '{ print $2 }' "$folder/whole") split=$(round_seconds "$folder/texts.h5")
        trained+=("$(compute "$whole / $split" %.3f)")
        printf '  pair %d, training: plain loop %.2f s; gaisnet %.2f s; ratio %s\n' "$pair" "$whole" "$split" "${trained[-1]}"

        build/release/plain_llama "${writing[@]}" >"$folder/whole" 2>"$folder/log" ||
            { cat "$folder/log" >&2; die "the plain loop failed"; }
        run_gaisnet "$folder/log" 1 infer "${writing[@]}"
        whole=$(awk '{ sum += $1 } END { print sum }' "$folder/whole")
        split=$(sed -n 's/^  wall time *\([0-9.]*\) s$/\1/p' "$folder/out")
        written+=("$(compute "$whole / $split" %.3f)")
        printf '  pair %d, writing: plain loop %.2f s; gaisnet %.2f s; ratio %s; %s\n' "$pair" "$whole" "$split" \
            "${written[-1]}" "$(same_tokens "$folder/whole" "$folder/texts.h5")"
    done
    printf '  texts: plain loop / gaisnet = %s in training and %s in writing (medians of %d)\n' "$(median "${trained[@]}")" \
        "$(median "${written[@]}")" "$repeat"
}

# same_tokens TEXTS FILE: whether a session of one start point told what plain_llama has told.
same_tokens() {
    "$PYTHON" - "$1" "$2" <<'PYTHON'
import sys, h5py
plain = [[int(word) for word in line.split()[1:]] for line in open(sys.argv[1])]
with h5py.File(sys.argv[2], "r") as file:
    rows = sorted((row["request"], row["token"], row["id"]) for row in file["tokens"][:])
told = [[id for request, _, id in rows if request == number] for number in range(len(plain))]
print("the same tokens" if told == plain else "OTHER TOKENS")
PYTHON
}

say "$(usable_cores) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | sort -u | head -n 1), $("$program" --version | tr -s ' \n' ' ')"
case $only in
    all) measure_split; measure_scale; measure_fuse; measure_pipeline; measure_decode; measure_ledger; measure_texts ;;
    *) "measure_$only" ;;
esac
