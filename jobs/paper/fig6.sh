#!/usr/bin/env bash
# Fine-tuning with and without pre-training: accuracy after each epoch.
set -euo pipefail
# shellcheck source=jobs/paper/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
paper_start fig6 "$@"

for ((seed = 1; seed <= repeat; ++seed)); do
    answer untuned "$seed" --infer.requests 20 --infer.arrivals burst
    train pretrained "$seed"
    # Without pre-training: the whole backbone is trained, or it stays as it was drawn.
    weights=random train scratch_trained "$seed" --tuning.method full
    weights=random train scratch_frozen "$seed"
done
draw
