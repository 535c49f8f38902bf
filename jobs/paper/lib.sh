# shellcheck shell=bash
# What the scripts of the paper's experiments share. To be sourced by a script under `set -euo pipefail`.
#
#   paper_start NAME "$@"           reads options, finds data and weights; sets profile, repeat, results, ranks, epochs
#                                   (empty: the profile's) and weights. What may stand before it:
#                                   small_only=1   the experiment has only the profile small
#                                   no_epochs=1    --epochs changes nothing
#                                   own_weights=1  the script pre-trains a model of its own
#   train RUN SEED [SETTING]...     gaisnet finetune; its file is $results/NAME.RUN.seedSEED.h5
#   answer RUN SEED [SETTING]...    gaisnet infer, likewise
#   decide RUN SEED [SETTING]...    gaisnet serve, likewise
#   pretrain FILE [SETTING]...      gaisnet pretrain, to $results/FILE, once; sets weights
#   draw                            picture and table from these files alone, by analysis/paper.py
#
# A run that has ended is not repeated unless its settings have changed: FILE.done holds them.

# shellcheck source=jobs/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/setup.sh"

paper_usage() {
    cat <<TEXT
Usage: jobs/paper/$experiment.sh [OPTION]...

  --profile P    small: procedural images, minutes on two cores (default)
                 tiny: ViT-Ti/16 and the flower photos, hours on two cores
                 paper: ViT-Base/16, for GPUs
  --epochs N     instead of the profile's
  --repeat N     seeds; with several, means with 95 % intervals (default: 1)
  --ranks N      MPI ranks (default: 2, or 1 on a machine with one core)
  --output DIR   where results, pictures and tables go (default: results/paper/PROFILE)
  --help         print this text

tiny and paper need WEIGHTS, a safetensors file with timm's or Hugging Face's names, and PHOTOS, a folder with one folder a
class. Without these variables tiny looks into the folder GAISNET_DATA for vit_tiny_patch16_224_augreg.fp16.safetensors
and flowers224. PROGRAM names another gaisnet.
TEXT
}

paper_start() {
    experiment=$1
    shift
    profile=small
    repeat=1
    results=
    epochs=
    ranks=$(($(usable_cores) >= 2 ? 2 : 1))
    while [[ $# -gt 0 ]]; do
        case $1 in
            --profile)
                [[ ${2:-} =~ ^(small|tiny|paper)$ ]] || refuse "--profile takes small, tiny or paper, not '${2:-}'"
                profile=$2
                shift 2
                ;;
            --repeat | --ranks | --epochs)
                [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || refuse "$1 takes a positive number, not '${2:-}'"
                # shellcheck disable=SC2034 # repeat is for the scripts
                case $1 in
                    --repeat) repeat=$2 ;;
                    --ranks) ranks=$2 ;;
                    --epochs) epochs=$2 ;;
                esac
                shift 2
                ;;
            --output)
                [[ -n ${2:-} ]] || refuse "--output takes a folder"
                results=$2
                shift 2
                ;;
            -h | --help)
                paper_usage
                exit 0
                ;;
            *)
                paper_usage >&2
                refuse "unknown option '$1'"
                ;;
        esac
    done
    if [[ -n ${small_only:-} && $profile != small ]]; then
        say "$experiment: domains of procedural images and their small model, as in the profile small"
        results=${results:-$project_root/results/paper/$profile}
        profile=small
    fi
    if [[ -n ${no_epochs:-} && -n $epochs ]]; then
        say "$experiment: --epochs changes nothing here"
    fi
    program=${PROGRAM:-$project_root/build/release/gaisnet}
    [[ -x $program ]] || refuse "$program is not there: jobs/quickstart.sh builds it, or PROGRAM names another"
    find_python || exit 1
    results=${results:-$project_root/results/paper/$profile}
    mkdir -p "$results"
    results="$(cd "$results" && pwd)"
    settings=(--config "$project_root/configs/paper/common.cfg" --config "$project_root/configs/paper/$profile.cfg")
    find_inputs
}

# Sets weights, and adds the photos to the settings.
find_inputs() {
    if [[ $profile == small ]]; then
        [[ -n ${own_weights:-} ]] || pretrain fm.safetensors
        return
    fi
    weights=${WEIGHTS:-}
    local photos=${PHOTOS:-}
    if [[ $profile == tiny && -n ${GAISNET_DATA:-} ]]; then
        weights=${weights:-$GAISNET_DATA/vit_tiny_patch16_224_augreg.fp16.safetensors}
        photos=${photos:-$GAISNET_DATA/flowers224}
    fi
    [[ -n $weights && -n $photos ]] || refuse "profile $profile needs WEIGHTS, a safetensors file, and PHOTOS, a folder" \
        "with one folder a class$([[ $profile == tiny ]] && echo ', or GAISNET_DATA, which holds both')"
    [[ -f $weights ]] || refuse "profile $profile: the weights '$weights' are not there; WEIGHTS names a safetensors file"
    [[ -d $photos ]] || refuse "profile $profile: the photos '$photos' are not there; PHOTOS names a folder"
    settings+=(--data.root "$photos")
}

# The settings of a run as the program understands them, but for what does not change its results.
effective() {
    "$program" "$@" --print-config | sed -E '/^(#|output|overwrite|resume)|^$/d'
}

# Whether a file is there, with all that it was made with as it is now. Sets made_with.
is_made() {
    local file=$1
    shift
    made_with=$(effective "$@")
    [[ -e $file && -e $file.done && $(<"$file.done") == "$made_with" && ! $weights -nt $file.done ]]
}

# Three edges at most have domains of their own, which no foundation model has seen.
pretrain() {
    local file=$results/$1 shards=4
    shift
    local -a words=(pretrain "${settings[@]}" --network.edges 3 --pretrain.shards "$shards" "$@")
    if ! weights=$file is_made "$file" "${words[@]}"; then
        say "pre-training a small foundation model, $(basename "$file")"
        rm -f "$file.done"
        "$project_root/jobs/mpirun.sh" -n "$((ranks < shards ? ranks : shards))" "$program" "${words[@]}" \
            --output "$file" --overwrite on --resume auto --log-level warning --progress none >"${file%.safetensors}.txt"
        echo "$made_with" >"$file.done"
    fi
    weights=$file
}

# How many training images the data of the profile have, by a dry look at the plan.
training_samples() {
    "$program" plan "${settings[@]}" --network.clusters 1 --network.clients 1 --train.rounds 1 --log-level error |
        sed -n 's/^ *samples *\([0-9]*\).*/\1/p'
}

gaisnet_run() {
    local command=$1 run=$2 seed=$3
    shift 3
    local file=$results/$experiment.$run.seed$seed.h5
    local -a words=("$command" "${settings[@]}" --model.weights "$weights" --seed "$seed" "$@")
    if is_made "$file" "${words[@]}"; then
        return
    fi
    say "$experiment: $run, seed $seed"
    rm -f "$file.done"
    local start=$SECONDS
    "$project_root/jobs/mpirun.sh" -n "$ranks" "$program" "${words[@]}" --output "$file" --overwrite on \
        --log-level warning --progress none >"${file%.h5}.txt"
    say "$experiment: $run, seed $seed: $((SECONDS - start)) s"
    echo "$made_with" >"$file.done"
}
train() {
    local run=$1 seed=$2
    shift 2
    gaisnet_run finetune "$run" "$seed" ${epochs:+--train.rounds "$epochs"} "$@"
}
answer() { gaisnet_run infer "$@"; }
decide() { gaisnet_run serve "$@"; }

draw() {
    (cd "$project_root" && "$PYTHON" -m analysis.paper "$experiment" "$results" --profile "$profile")
}
