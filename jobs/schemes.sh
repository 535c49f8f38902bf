#!/usr/bin/env bash
# Fine-tunes one scenario under every scheme and compares what they cost.
#
#   jobs/schemes.sh [SETTINGS OF gaisnet finetune]...
#
# SCHEMES names those to compare: values of `scheme`, or methods of the field, each with what it adds to the settings:
#
#   fedavg-lora   each start point tunes the whole model by LoRA; averaged
#   splitlora     start point and edge share the model and tune it by LoRA; averaged
#   hsplitlora    the same with ranks by memory (RANKS), averaged exactly: factors of the mean of B A
#   hfsl-lora     chains of clients that tune by LoRA; averaged over clusters
#
# The results go to results/schemes/ (RESULTS=FOLDER: elsewhere); the table also tells what each scheme cost until the mean
# accuracy of the edges was ACCURACY (0.9), or their perplexity PERPLEXITY. PROGRAM names the program.

set -euo pipefail
# shellcheck source=jobs/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/setup.sh"

program=${PROGRAM:-$project_root/build/release/gaisnet}
results=${RESULTS:-$project_root/results/schemes}
ranks=${RANKS:-choice(2, 4, 8)}
if [[ -n ${PERPLEXITY:-} ]]; then
    goal=(--perplexity "$PERPLEXITY")
else
    goal=(--accuracy "${ACCURACY:-0.9}")
fi
read -ra schemes <<<"${SCHEMES:-hfsl fl splitfed sl centralised}"

[[ -x $program ]] || refuse "$program is not there: jobs/quickstart.sh builds it, or PROGRAM names another"
find_python || exit 1
mkdir -p "$results"
files=()
for scheme in "${schemes[@]}"; do
    lora=(--tuning.method lora)
    case $scheme in
        fedavg-lora) added=(--scheme fl "${lora[@]}") ;;
        splitlora) added=(--scheme splitfed "${lora[@]}") ;;
        hsplitlora)
            added=(--scheme splitfed "${lora[@]}" --tuning.rank "$ranks" --tuning.rank_by memory --tuning.average product)
            ;;
        hfsl-lora) added=(--scheme hfsl "${lora[@]}") ;;
        *) added=(--scheme "$scheme") ;;
    esac
    say "$scheme: ${added[*]}"
    "$program" finetune "$@" "${added[@]}" --output "$results/$scheme.h5" --overwrite on --log-level warning --progress none \
        >"$results/$scheme.txt"
    files+=("$results/$scheme.h5")
done
cd "$project_root"
"$PYTHON" -m analysis.compare "${files[@]}" "${goal[@]}"
