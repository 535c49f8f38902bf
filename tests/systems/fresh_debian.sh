#!/usr/bin/env bash
# Builds and tests the project on a Debian that has nothing installed, in a chroot.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: tests/systems/fresh_debian.sh [OPTION]... [COMMAND...]

Makes a minimal Debian with debootstrap and runs a command there in a copy of the committed tree (default:
`tests/run.sh --release`, which installs what it needs). Needs root and debootstrap; says so and ends with 77 where one of
them is missing.

  --suite NAME     trixie (Debian 13: GCC 14, its own LibTorch 2; the default), bookworm (Debian 12), or a later one
  --folder DIR     keeps the system there (default: a temporary folder, which is removed); one that is there is used again
  --take FILE      puts a file beside the tree's; may be repeated
  --help           print this text

DEBIAN_MIRROR names another mirror than debootstrap's default.
TEXT
}

# shellcheck source=jobs/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../jobs/lib/setup.sh"

folder=''
suite=trixie
taken=()
while [[ $# -gt 0 ]]; do
    case $1 in
        --folder)
            [[ -n ${2:-} ]] || { usage >&2; refuse "--folder takes a directory"; }
            folder=$2
            shift 2
            ;;
        --suite)
            [[ ${2:-} =~ ^[a-z]+$ ]] || { usage >&2; refuse "--suite takes the name of a Debian release"; }
            suite=$2
            shift 2
            ;;
        --take)
            [[ -r ${2:-} ]] || { usage >&2; refuse "--take takes a file that can be read"; }
            taken+=("$(realpath "$2")")
            shift 2
            ;;
        -h | --help) usage; exit 0 ;;
        [!-]*) break ;;
        *) usage >&2; refuse "unknown option '$1'" ;;
    esac
done
command="tests/run.sh --release"
[[ $# -eq 0 ]] || command=$*
skip() {
    printf 'skipped: %s\n' "$*"
    exit 77
}
[[ $(id -u) -eq 0 ]] || skip "a chroot needs root"
command -v debootstrap >/dev/null || skip "debootstrap is not installed (tests/run.sh --debian13 installs it)"

temporary=''
if [[ -z $folder ]]; then
    folder=$(mktemp -d)
    temporary=$folder
fi
mkdir -p "$folder"
folder=$(realpath "$folder")
leave() {
    ! mountpoint -q "$folder" || umount -R -l "$folder"
    [[ -z $temporary ]] || rm -rf --one-file-system "$temporary"
}
trap leave EXIT

if [[ ! -e $folder/.complete ]]; then
    say "debootstrap: $suite in $folder"
    debootstrap --variant=minbase --include=ca-certificates,git "$suite" "$folder" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} >/dev/null
    touch "$folder/.complete"
fi
# How this machine reaches its packages: proxies, certificates and mirrors are the user's.
for file in /etc/resolv.conf /etc/hosts /etc/apt/apt.conf.d /etc/ssl/certs /usr/local/share/ca-certificates; do
    [[ ! -e $file ]] || { mkdir -p "$folder$(dirname "$file")"; cp -rLn "$file" "$folder$(dirname "$file")/" 2>/dev/null || true; }
done
chroot "$folder" update-ca-certificates >/dev/null 2>&1 || true
mount --bind "$folder" "$folder" # so that the root there is a mount point, as tests that change theirs need it
mount --make-private "$folder"
for place in proc dev sys; do
    mount --rbind "/$place" "$folder/$place"
    mount --make-rslave "$folder/$place" # taking it away must not take the machine's own away
done
rm -rf "$folder/gaisnet"
git -c safe.directory='*' clone -q "$project_root" "$folder/gaisnet"
[[ ${#taken[@]} -eq 0 ]] || cp "${taken[@]}" "$folder/gaisnet"
say "$command on $(grep ^PRETTY_NAME "$folder/etc/os-release")"
mapfile -t proxies < <(env | grep -iE '^(http|https|no)_proxy=' || true)
for name in PIP_CERT SSL_CERT_FILE; do
    [[ -z ${!name:-} || ! -e $folder${!name} ]] || proxies+=("$name=${!name}")
done
chroot "$folder" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
    ${proxies[@]+"${proxies[@]}"} bash -c "cd /gaisnet && $command"
