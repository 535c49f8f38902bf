#!/usr/bin/env bash
# Number of fine-tuning clusters, each of which owns a sixth of the training images.
set -euo pipefail
# shellcheck source=jobs/paper/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
paper_start table4 "$@"

share=$(($(training_samples) / 6))
[[ $share -gt 0 ]] || die "the number of training images is not known"
for ((seed = 1; seed <= repeat; ++seed)); do
    for clusters in 1 2 3 4 5 6; do
        train "$clusters" "$seed" --network.clusters "$clusters" --data.per_cluster "$share"
    done
done
draw
