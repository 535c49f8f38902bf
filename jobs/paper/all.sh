#!/usr/bin/env bash
# Every figure and table of the paper's case study, and the virtuous circle, one after another; options as of each script (--help).
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
for experiment in fig2 fig6 fig7 table3 table4 fig8 circle; do
    "$here/$experiment.sh" "$@"
done
