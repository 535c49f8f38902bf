#!/usr/bin/env bash
# Checks and measures everything that needs a GPU.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: tests/gpu/run.sh [OPTION]...

Checks what needs a GPU and measures it, the most valuable first: start, losses as on the CPU, images a second against a
plain loop, ranks that share the GPU over MPI and over NCCL, a hundred clusters, four ranks. Every fact is appended to a
file as it is known, each command has a minute at most, and a table is printed at the end. No apt and no root is needed:
PyTorch with CUDA, and Python's h5py.

  --archive FILE   programs that tests/gpu/pack.sh has packed (default: build them here, which needs the libraries of
                   analysis/guide/running.md, "Building by hand")
  --out DIR        where facts.json and table.md go (default: results/gpu)
  --only STEPS     of environment, correctness, one_rank, shared_mpi, nccl, many_clusters, four_ranks, by commas
  --rehearse       on CPUs, with small models in place of large ones: does every step do what it should?
  --help           print this text

Ends with 0 when all checks pass, 1 when one fails, 77 where there is no GPU.
TEXT
}

# shellcheck source=jobs/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../jobs/lib/setup.sh"

archive='' out=$project_root/results/gpu only=() device=cuda
while [[ $# -gt 0 ]]; do
    case $1 in
        --archive | --out)
            [[ -n ${2:-} ]] || { usage >&2; refuse "$1 takes a value"; }
            declare "${1#--}=$2"
            shift 2
            ;;
        --only)
            [[ -n ${2:-} ]] || { usage >&2; refuse "--only takes names of steps"; }
            only=(--only "$2")
            shift 2
            ;;
        --rehearse) device=cpu; shift ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; refuse "unknown option '$1'" ;;
    esac
done

# Looks, without importing it, where torch is.
torch=''
for python in ${PYTHON:-python3 python}; do
    torch=$("$python" -c 'import importlib.util as find; print(*find.find_spec("torch").submodule_search_locations)' \
        2>/dev/null || true)
    [[ -z $torch ]] || break
done
[[ -n $torch ]] || refuse "no PyTorch: none of ${PYTHON:-python3 python} has torch; \$PYTHON names another interpreter"
version=$("$python" -c 'import importlib.metadata as packages; print(packages.version("torch"))')
say "PyTorch: $version in $torch"
"$python" -c 'import h5py' 2>/dev/null || refuse "$python has no h5py, which reads the times of rounds"

gpus=0
if [[ $device == cuda ]]; then
    gpus=$(nvidia-smi --list-gpus 2>/dev/null | grep -c '^GPU ' || true)
    if [[ $gpus -eq 0 ]]; then
        printf 'skipped: nvidia-smi lists no GPU, so nothing that needs one was checked (--rehearse uses CPUs)\n'
        exit 77
    fi
fi

paths=("$torch/lib")
for folder in "$(dirname "$torch")"/nvidia/*/lib; do
    [[ -d $folder ]] && paths+=("$folder")
done
if [[ -n $archive ]]; then
    [[ -r $archive ]] || refuse "--archive $archive cannot be read"
    unpacked=$(mktemp -d)
    trap 'rm -rf "$unpacked"' EXIT
    tar -C "$unpacked" -xJf "$archive"
    root=$unpacked/gaisnet-gpu
    [[ $version == "$(cat "$root/torch-version")"* ]] ||
        refuse "the archive was built for PyTorch $(cat "$root/torch-version"), and here is $version"
    programs=$root/bin
    libraries=$(echo "$root"/usr/lib/*-linux-gnu)
    paths+=("$root/lib" "$libraries/openmpi/lib" "$libraries/pmix2/lib")
    export PATH=$root/usr/bin:$PATH OPAL_PREFIX=$root/usr PMIX_INSTALL_PREFIX=$libraries/pmix2
    # What would look for networks that plugins left behind know.
    export OMPI_MCA_pml=ob1 OMPI_MCA_btl=self,vader,tcp OMPI_MCA_btl_tcp_if_include=lo
else
    programs=$project_root/build/cuda
    export CMAKE_PREFIX_PATH
    CMAKE_PREFIX_PATH=$torch:$(IFS=:; echo "${paths[*]%/lib}")${CMAKE_PREFIX_PATH:+:$CMAKE_PREFIX_PATH}
    build_preset cuda gaisnet monolithic nccl_bandwidth transport_nccl_test
fi
export LD_LIBRARY_PATH
LD_LIBRARY_PATH=$(IFS=:; echo "${paths[*]}")${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}

mkdir -p "$out"
rm -f "$out/facts.json"
code=0
"$python" "$project_root/tests/gpu/check.py" --programs "$programs" --facts "$out/facts.json" --device "$device" \
    --gpus "$gpus" ${only[@]+"${only[@]}"} || code=$?
"$python" "$project_root/tests/gpu/table.py" "$out/facts.json" | tee "$out/table.md"
exit "$code"
