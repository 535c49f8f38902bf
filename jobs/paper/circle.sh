#!/usr/bin/env bash
# The virtuous circle of cloud and edges. A foundation model is pre-trained without labels; three edges have few samples of a
# domain each, and tune all of it; the cloud averages their models after each round, or not. How good are the edges' models,
# and how good is the foundation model on a domain that nobody has?
set -euo pipefail
# shellcheck source=jobs/paper/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
small_only=1 own_weights=1 paper_start circle "$@"

pretrain masked.safetensors --pretrain.objective masked --pretrain.epochs 10
edges=(--network.edges 3 --network.clusters 2 --data.per_cluster 60 --tuning.method full --train.rounds "${epochs:-15}"
    --probe.samples 300)
for ((seed = 1; seed <= repeat; ++seed)); do
    for period in 1 0; do
        train "period$period" "$seed" "${edges[@]}" --cloud.period "$period"
    done
    weights=random train random "$seed" "${edges[@]}" --cloud.period 1 # what pre-training is good for
done
draw
