#!/usr/bin/env bash
# Runs gaisnet for many settings, here or as a Slurm array, and makes one table of the results; --help tells how.
set -euo pipefail
# shellcheck source=jobs/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/setup.sh"

find_python scipy >&2
PYTHONPATH=$project_root${PYTHONPATH:+:$PYTHONPATH} exec "$PYTHON" -m analysis.sweep "$@"
