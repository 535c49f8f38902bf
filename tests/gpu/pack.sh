#!/usr/bin/env bash
# Packs the programs of the GPU build, with what they need beside PyTorch, for a machine with a GPU and without apt.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: tests/gpu/pack.sh [OPTION]... ARCHIVE.tar.xz

Builds the preset `cuda` against PyTorch's wheel and packs its programs, stripped, with the shared libraries, the
launcher and the plugins of Open MPI that a machine may lack: all but the C and C++ libraries, PyTorch's and NVIDIA's.
The other machine needs the same version of PyTorch, and Debian 12 or a system with a newer C library:

  tests/gpu/run.sh --archive ARCHIVE.tar.xz

  --skip-build     pack the programs that are there
  --help           print this text
TEXT
}

# shellcheck source=jobs/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../jobs/lib/setup.sh"

build=1 archive=''
while [[ $# -gt 0 ]]; do
    case $1 in
        --skip-build) build=0 ;;
        -h | --help) usage; exit 0 ;;
        -*) usage >&2; refuse "unknown option '$1'" ;;
        *) archive=$1 ;;
    esac
    shift
done
[[ $archive == *.tar.xz ]] || { usage >&2; refuse "a name that ends in .tar.xz is accepted, not '$archive'"; }
archive=$(realpath -m -- "$archive")
mkdir -p "$(dirname "$archive")"

programs=(gaisnet monolithic nccl_bandwidth transport_nccl_test)
setup_wheel
[[ $build -eq 0 ]] || build_preset cuda "${programs[@]}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/gaisnet-gpu
triplet=$(gcc -print-multiarch)
mkdir -p "$root/bin" "$root/lib"
for program in "${programs[@]}"; do
    strip -o "$root/bin/$program" "$project_root/build/cuda/$program"
done

# Open MPI with its plugins for one machine; those for networks need libraries of their own.
for file in /usr/bin/orterun /usr/bin/orted; do
    install -D "$file" "$root$file"
done
ln -s orterun "$root/usr/bin/mpirun"
for folder in "/usr/lib/$triplet/openmpi/lib" "/usr/lib/$triplet/pmix2/lib" /usr/share/openmpi; do
    mkdir -p "$root$folder"
    cp -a "$folder/." "$root$folder/"
done
find "$root/usr/lib" \( -name '*.a' -o -name '*.la' -o -name '*.mod' -o -name '*.jar' \) -delete
find "$root/usr/lib/$triplet/openmpi/lib" -name 'mca_*' -regextype posix-extended \
    -regex '.*(ucx|ofi|psm|openib|usnic|portals|oshmem|rdma|cuda).*' -delete
# Links that lead out of these folders.
find "$root/usr" -xtype l -delete

# What all of it needs.
known='^(ld-linux.*|lib(c|m|dl|pthread|rt|util|resolv|stdc\+\+|gcc_s|anl|nsl))\.so'
find "$root" -type f | while read -r file; do
    ldd "$file" 2>/dev/null | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' || true
done | sort -u | grep -vE '/(torch|nvidia)/|cuda|/pmix2/' | while read -r library; do
    [[ $(basename "$library") =~ $known ]] || cp -L "$library" "$root/lib/"
done
strip --strip-unneeded "$root"/lib/*.so* 2>/dev/null || true

printf '%s\n' "$wheel_version" >"$root/torch-version"
XZ_OPT='-6 -T2' tar -C "$work" -cJf "$archive" gaisnet-gpu
say "$(du -k "$archive" | cut -f1) kB in $archive ($(du -sk "$root" | cut -f1) kB unpacked)"
