#!/usr/bin/env bash
# Installs the package of Debian that cpack makes on a Debian 12 that has nothing installed, and uses it.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: tests/systems/fresh_package.sh [BUILD FOLDER]

Makes gaisnet's .deb of a build folder (default: build/release), installs it with apt-get in a chroot that
tests/systems/fresh_debian.sh makes, and there runs what it brings: a plan, a run on two ranks, the manual page's file and the
completion of bash. Needs root and debootstrap; ends with 77 where one of them is missing.
TEXT
}

# shellcheck source=jobs/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../jobs/lib/setup.sh"

case ${1:-} in
    -h | --help) usage; exit 0 ;;
    -*) usage >&2; refuse "unknown option '$1'" ;;
esac
build=${1:-$project_root/build/release}
[[ -r $build/CPackConfig.cmake ]] || refuse "$build: no CPackConfig.cmake is in it: build the project, or name another folder"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
say "cpack: the package of $build"
cpack -G DEB --config "$build/CPackConfig.cmake" -B "$folder" >"$folder/log" || { cat "$folder/log" >&2; die "cpack failed"; }
packages=("$folder"/gaisnet_*.deb)

"$project_root/tests/systems/fresh_debian.sh" --suite bookworm --take "${packages[0]}" "
    set -e
    apt-get -qq update
    apt-get -qq install -y --no-install-recommends ./$(basename "${packages[0]}") >/dev/null
    cd /root
    gaisnet plan --config /usr/share/gaisnet/configs/quickstart.cfg | grep -A1 ^Bottleneck
    gaisnet-mpirun -n 2 gaisnet finetune --config /usr/share/gaisnet/configs/quickstart.cfg --data.samples 120 --train.rounds 1 \
        --progress none --output run.h5 | grep 'ended by'
    gaisnet watch run.h5 | tail -1
    test -s /usr/share/man/man1/gaisnet.1 -o -s /usr/share/man/man1/gaisnet.1.gz
    bash -c 'source /usr/share/bash-completion/completions/gaisnet && complete -p gaisnet'
    apt-get -qq remove -y gaisnet >/dev/null
    ! command -v gaisnet"
say "the package was installed, used and removed"
