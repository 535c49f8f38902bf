#!/usr/bin/env bash
# Installs what is missing, builds, and runs hybrid federated split fine-tuning on the embedded images.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: jobs/quickstart.sh [OPTION]...

Installs the Debian packages that are missing, builds the release preset, pre-trains the small foundation model on
procedural images (once; the weights are kept), fine-tunes it over emulated clusters of clients
(configs/quickstart.cfg), prints the table of results, and says where the HDF5 file is.

  --ranks N        MPI ranks of the fine-tuning run (default: 2, or 1 on a machine with one core)
  --output DIR     where the weights and the results go (default: results/ of the project)
  --skip-install   install nothing and leave the BLAS alternative alone
  --help           print this text
TEXT
}

# shellcheck source=jobs/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/setup.sh"

ranks=$(($(usable_cores) >= 2 ? 2 : 1))
output=$project_root/results
install=1
while [[ $# -gt 0 ]]; do
    case $1 in
        --ranks)
            [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || { usage >&2; refuse "--ranks takes a positive number, not '${2:-}'"; }
            ranks=$2
            shift 2
            ;;
        --output)
            [[ -n ${2:-} ]] || { usage >&2; refuse "--output takes a directory"; }
            output=$2
            shift 2
            ;;
        --skip-install) install=0; shift ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; refuse "unknown option '$1'" ;;
    esac
done

mkdir -p "$output"
output="$(cd "$output" && pwd)"
weights=$output/fm_small.safetensors
results=$output/quickstart.h5
config=configs/quickstart.cfg
program=build/release/gaisnet

if [[ $install -eq 1 ]]; then
    setup_packages "${project_packages[@]}"
fi
cd "$project_root"
build_preset release gaisnet

if [[ -e $weights ]]; then
    say "foundation model: $weights is there (delete it to pre-train anew)"
else
    say "foundation model: pre-training into $weights"
    "$program" pretrain --config "$config" --output "$weights" --resume auto
fi

say "fine-tuning: $ranks MPI rank(s), $config"
jobs/mpirun.sh -n "$ranks" "$program" finetune --config "$config" --model.weights "$weights" --output "$results" \
    --overwrite on

say "results: $results"
say "look at it: python3 -m analysis.report $results (needs h5py, pandas and plotly; analysis/guide/results.md)"
say "look inside: h5dump -n $results, or h5py.File(\"$results\")[\"rounds\"][:] in Python"
