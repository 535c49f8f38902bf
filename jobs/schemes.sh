#!/usr/bin/env bash
# Fine-tunes one scenario under every scheme and compares what they cost.
#
#   jobs/schemes.sh [SETTINGS OF gaisnet finetune]...
#
# The results go to results/schemes/ (RESULTS=FOLDER: elsewhere); the table also tells what each scheme cost until the mean
# accuracy of the edges was ACCURACY (0.9). PROGRAM names the program, SCHEMES those to compare.

set -euo pipefail
# shellcheck source=jobs/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/setup.sh"

program=${PROGRAM:-$project_root/build/release/gaisnet}
results=${RESULTS:-$project_root/results/schemes}
accuracy=${ACCURACY:-0.9}
read -ra schemes <<<"${SCHEMES:-hfsl fl splitfed sl centralised}"

[[ -x $program ]] || refuse "$program is not there: jobs/quickstart.sh builds it, or PROGRAM names another"
find_python || exit 1
mkdir -p "$results"
files=()
for scheme in "${schemes[@]}"; do
    say "scheme = $scheme"
    "$program" finetune "$@" --scheme "$scheme" --output "$results/$scheme.h5" --overwrite on --log-level warning --progress none \
        >"$results/$scheme.txt"
    files+=("$results/$scheme.h5")
done
cd "$project_root"
"$PYTHON" -m analysis.compare "${files[@]}" --accuracy "$accuracy"
