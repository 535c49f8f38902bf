#!/usr/bin/env bash
# Delivery of whole stages against tuned modules only, to one to six receivers: what one request costs.
set -euo pipefail
# shellcheck source=jobs/paper/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
no_epochs=1 paper_start fig2 "$@"

for ((seed = 1; seed <= repeat; ++seed)); do
    train modules "$seed" --train.rounds 1 --train.steps 1 # any modules have the size that counts here
    for receivers in 1 2 3 4 5 6; do
        for delivery in full tunable; do
            answer "$delivery.$receivers" "$seed" --delivery "$delivery" --network.clusters 1 \
                --network.clients "$receivers" --infer.requests 1 --infer.arrivals burst --tuning.method prompt_deep \
                --infer.modules "$results/fig2.modules.seed$seed.safetensors"
        done
    done
done
draw
