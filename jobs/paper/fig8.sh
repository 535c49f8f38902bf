#!/usr/bin/env bash
# Service decisions: cash over rounds with each policy, over a table of given numbers and over real services.
set -euo pipefail
# shellcheck source=jobs/paper/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
small_only=1 no_epochs=1 paper_start fig8 "$@"

for ((seed = 1; seed <= repeat; ++seed)); do
    decide table "$seed" --serve.mode table --serve.policy "mlcp, msip, random" --serve.rounds 10 \
        --serve.profit "5,6,7; 4,5,7; 3,7,12" --serve.cost "3,3; 3,3; 2,2"
    for policy in mlcp msip random; do
        # Three domains: equipment a, b and c.
        decide "$policy" "$seed" --network.edges 3 --network.clusters 2 --data.samples 400 --tuning.method head \
            --serve.policy "$policy" --serve.rounds 10 --serve.demand 20,15,25 --infer.arrivals burst \
            --serve.price.energy 0.1 --serve.cash 5
    done
done
draw
