#!/usr/bin/env bash
# Number of classes in the fine-tuning data: of all clusters together (union), or of each start point (client).
set -euo pipefail
# shellcheck source=jobs/paper/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
paper_start table3 "$@"

for ((seed = 1; seed <= repeat; ++seed)); do
    for scope in union client; do
        for classes in 1 2 3 4 5; do
            train "$scope.$classes" "$seed" --data.partition "classes($classes)" --classes.scope "$scope"
        done
    done
done
draw
