#!/usr/bin/env bash
# Installs the package of Debian that cpack makes on a Debian that has nothing installed, and uses it.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: tests/systems/fresh_package.sh [OPTION]... [BUILD FOLDER]

Makes gaisnet's .deb of a build folder (default: build/release), installs it with apt-get in a chroot that
tests/systems/fresh_debian.sh makes, and there runs what it brings: a plan, a run on two ranks, the manual page's file and the
completion of bash. Needs root and debootstrap; ends with 77 where one of them is missing.

  --suite NAME     the release of Debian (default: this machine's, else bookworm); for another than this machine's, as trixie
                   (Debian 13), the committed tree is built there first, in a chroot of its own, and no folder is named
  --help           print this text
TEXT
}

# shellcheck source=jobs/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../jobs/lib/setup.sh"

here=none
if grep -qx 'ID=debian' /etc/os-release; then
    here=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
fi
suite=$([[ -n $here && $here != none ]] && echo "$here" || echo bookworm)
build=''
while [[ $# -gt 0 ]]; do
    case $1 in
        --suite)
            [[ ${2:-} =~ ^[a-z]+$ ]] || { usage >&2; refuse "--suite takes the name of a Debian release"; }
            suite=$2
            shift 2
            ;;
        -h | --help) usage; exit 0 ;;
        -*) usage >&2; refuse "unknown option '$1'" ;;
        *)
            [[ -z $build ]] || refuse "one build folder is accepted, not $build and $1"
            build=$1
            shift
            ;;
    esac
done
fresh_debian=$project_root/tests/systems/fresh_debian.sh
folder=$(mktemp -d)
trap 'rm -rf --one-file-system "$folder"' EXIT
if [[ $suite == "$here" ]]; then
    build=${build:-$project_root/build/release}
    [[ -r $build/CPackConfig.cmake ]] ||
        refuse "$build: no CPackConfig.cmake is in it: build the project, or name another folder"
    say "cpack: the package of $build"
    cpack -G DEB --config "$build/CPackConfig.cmake" -B "$folder" >"$folder/log" || { cat "$folder/log" >&2; die "cpack failed"; }
else
    [[ -z $build ]] || refuse "a build folder of this machine makes no package for $suite"
    # shellcheck disable=SC2016 # the shell of the chroot expands these
    "$fresh_debian" --suite "$suite" --folder "$folder/system" '
        set -euo pipefail
        source jobs/lib/setup.sh
        setup_packages "${project_packages[@]}" dpkg-dev file
        build_preset release gaisnet
        cpack -G DEB --config build/release/CPackConfig.cmake -B package >/dev/null'
    mv "$folder"/system/gaisnet/package/gaisnet_*.deb "$folder"
fi
packages=("$folder"/gaisnet_*.deb)
say "the package: $(dpkg-deb -f "${packages[0]}" Package Version Depends | tr '\n' ' ')"

"$fresh_debian" --suite "$suite" --take "${packages[0]}" "
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
say "the package was installed, used and removed on $suite"
