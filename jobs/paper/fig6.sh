#!/usr/bin/env bash
# Fine-tuning with and without pre-training: accuracy after each epoch.
set -euo pipefail
# shellcheck source=jobs/paper/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
paper_start fig6 "$@"

# One start point asks for as many images as validate, or a few less, so that none counts twice.
requests=$(($(training_samples) / 4 - 5))
[[ $requests -gt 0 ]] || die "there are too few images"
for ((seed = 1; seed <= repeat; ++seed)); do
    answer untuned "$seed" --network.clusters 1 --infer.requests "$requests" --infer.arrivals burst
    train pretrained "$seed"
    # Without pre-training: the whole backbone is trained, or it stays as it was drawn.
    weights=random train scratch_trained "$seed" --tuning.method full
    weights=random train scratch_frozen "$seed"
done
draw
