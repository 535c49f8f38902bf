#!/usr/bin/env bash
# Events a second of the ledger alone, over the number of nodes and the ways to share a medium.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: jobs/bench_ledger.sh [PROGRAM]

Plays one round of two batches a cluster with about 100, 1,000 and 10,000 nodes under one edge, without training. The
D2D links and those to the edge share their media as each row says (reuse: D2D by radio, the edge's links by airtime; near:
the same with link.d2d.interference_range = 500 m; both in a cell of 5 km).
PROGRAM is build/release/gaisnet unless given. A case that takes longer than a minute is reported as such.
TEXT
}

# shellcheck source=jobs/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/setup.sh"
case ${1:-} in
    -h | --help) usage; exit 0 ;;
esac
program=${1:-$project_root/build/release/gaisnet}
[[ -x $program ]] || refuse "$program is not there; build it first"

printf '%-10s %8s %10s %10s %12s\n' share nodes events seconds events/s
for share in private equal maxmin airtime reuse near; do
    for clusters in 25 250 2500; do
        options=(--network.clusters "$clusters" --network.clients 4 --data.samples "$((clusters * 10))" --train.rounds 1
            --train.steps 2 --sense.time 0 --link.cs_up.rate "uniform(50, 150) Mbit/s"
            --link.cs_down.rate "uniform(50, 150) Mbit/s" --overwrite on)
        if [[ $share == reuse || $share == near ]]; then
            options+=(--network.radius "5 km" --link.d2d.path_loss umi_los --link.d2d.min_rate 0 --link.d2d.share reuse
                --link.cs_up.share airtime --link.cs_down.share airtime)
            [[ $share == reuse ]] || options+=(--link.d2d.interference_range "500 m")
        else
            options+=(--link.d2d.rate "uniform(20, 80) Mbit/s" --link.d2d.share "$share" --link.cs_up.share "$share"
                --link.cs_down.share "$share")
        fi
        # The dry run of finetune plays the round once; plan would play it again for what halving changes.
        folder=$(mktemp -d)
        line=$(timeout 60 "$program" finetune --dry-run --model.weights random --progress none \
            --output "$folder/bench.h5" "${options[@]}" 2>&1 | grep -o 'ledger: .*' || true)
        rm -rf "$folder"
        if [[ $line =~ ([0-9]+)\ events\ in\ ([0-9.]+)\ s\ \(([0-9]+) ]]; then
            printf '%-10s %8d %10d %10s %12d\n' "$share" "$((clusters * 4 + 1))" "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" \
                "${BASH_REMATCH[3]}"
        else
            printf '%-10s %8d %34s\n' "$share" "$((clusters * 4 + 1))" "not within a minute"
        fi
    done
done
