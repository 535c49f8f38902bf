#!/usr/bin/env bash
# Time of an epoch and accuracy: full fine-tuning, deep prompts and head, head only. Nothing is cached.
set -euo pipefail
# shellcheck source=jobs/paper/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
paper_start fig7 "$@"

for ((seed = 1; seed <= repeat; ++seed)); do
    for method in full prompt_deep head; do
        train "$method" "$seed" --tuning.method "$method" --cache off
    done
done
draw
