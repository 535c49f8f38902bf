#!/usr/bin/env bash
# Unpacks the libraries that the GPU build needs beside PyTorch and CUDA into a folder, for a machine without apt.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: tests/gpu/fetch.sh DIR

Downloads Debian packages (as the current user, with apt-get download) and unpacks them into DIR: Open MPI, HDF5,
Boost.Program_options, libjpeg-turbo, libpng, nlohmann-json, spdlog, fmt, GoogleTest. Take DIR to a machine of the same
Debian release or a newer one, and name it there: tests/gpu/run.sh --libraries DIR.
TEXT
}

# shellcheck source=jobs/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../jobs/lib/setup.sh"
[[ $# -eq 1 && $1 != --help && $1 != -h ]] || { usage; exit $(($# == 1 ? 0 : 2)); }

packages=(
    libopenmpi-dev libopenmpi3 openmpi-bin openmpi-common libpmix2 libevent-core-2.1-7 libevent-pthreads-2.1-7
    libhwloc15 libhwloc-plugins libltdl7 libibverbs1 libnl-3-200 libnl-route-3-200 librdmacm1 libfabric1 libucx0
    libpsm-infinipath1 libpsm2-2 libnuma1 libmunge2 libxnvctrl0 ocl-icd-libopencl1
    libhdf5-dev libhdf5-103-1 libhdf5-cpp-103-1 libhdf5-hl-100 libhdf5-hl-cpp-100 libaec0 libaec-dev libsz2
    libboost1.74-dev libboost-program-options1.74-dev libboost-program-options1.74.0
    libjpeg62-turbo libjpeg62-turbo-dev libpng16-16 libpng-dev
    nlohmann-json3-dev libspdlog-dev libspdlog1.10 libfmt-dev libfmt9
    libgtest-dev libgmock-dev googletest zlib1g-dev
)
mkdir -p "$1"
target=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
for package in "${packages[@]}"; do
    apt-get -q download "$package" 2>/dev/null || warn "no package $package; going on without it"
done
for file in ./*.deb; do
    dpkg -x "$file" "$target"
done
# The names that Debian's alternatives would make.
for tool in mpirun mpiexec mpicc; do
    ln -sfn "$tool.openmpi" "$target/usr/bin/$tool"
done
# What no build reads. Boost's headers are 160 MB; those that are used are 2 MB.
rm -rf "$target"/usr/share/{doc,man,lintian} "$target"/usr/src "$target"/usr/lib/*/hdf5/serial/*.a
printf '#include <boost/%s.hpp>\n' program_options version |
    g++ -std=c++20 -M -I "$target/usr/include" -x c++ - | tr ' ' '\n' | grep -F "$target/usr/include/boost/" |
    sort -u >"$work/used"
find "$target/usr/include/boost" -type f | sort | comm -23 - "$work/used" | xargs -d '\n' rm -f
find "$target/usr/include/boost" -type d -empty -delete
say "$(du -sh "$target" | cut -f1) in $target"
