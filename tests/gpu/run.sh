#!/usr/bin/env bash
# Builds with the PyTorch that is here and checks and measures everything that needs a GPU.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: tests/gpu/run.sh [OPTION]...

Builds the program against the LibTorch inside the PyTorch of $PYTHON (default: the first of python3 and python that has
torch), runs the tests with the label `gpu` on 1, 2 and 4 ranks, compares training on GPUs with training on the CPU,
measures bandwidths and images a second, and prints one table. Nothing is installed, so no apt and no root is needed.

  --libraries DIR   folder with unpacked Debian packages (tests/gpu/fetch.sh makes one), used where the machine has none
  --build DIR       build folder (default: build/gpu)
  --only STEP       build, suite, compare or measure
  --share-gpu       let ranks on one GPU talk over NCCL, each as a host of its own (default: on machines with fewer GPUs
                    than ranks both ways are tried)
  --help            print this text

Ends with 0 when all checks pass, 1 when one fails, 77 where there is no GPU (the reason is printed; the build is made
and its other tests run all the same).
TEXT
}

# shellcheck source=jobs/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../jobs/lib/setup.sh"

libraries='' build=$project_root/build/gpu only=all share=()
while [[ $# -gt 0 ]]; do
    case $1 in
        --libraries | --build | --only)
            [[ -n ${2:-} ]] || { usage >&2; refuse "$1 takes a value"; }
            declare "${1#--}=$2"
            shift 2
            ;;
        --share-gpu) share=(--share-gpu); shift ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; refuse "unknown option '$1'" ;;
    esac
done
[[ $only =~ ^(all|build|suite|compare|measure)$ ]] || refuse "--only $only: build, suite, compare or measure is accepted"

# Looks, without importing it, where torch is.
torch=''
for python in ${PYTHON:-python3 python}; do
    torch=$("$python" -c 'import importlib.util as find; print(*find.find_spec("torch").submodule_search_locations)' \
        2>/dev/null || true)
    [[ -z $torch ]] || break
done
[[ -n $torch ]] || refuse "no PyTorch: none of ${PYTHON:-python3 python} has torch; \$PYTHON names another interpreter"
say "PyTorch: $("$python" -c 'import importlib.metadata as packages; print(packages.version("torch"))') in $torch"

# The wheel's own CUDA libraries lie beside it, and the unpacked packages beside nothing.
prefixes=("$torch")
paths=("$torch/lib")
cuda=${CUDA_HOME:-/usr/local/cuda}
for folder in "$(dirname "$torch")"/nvidia/*; do
    [[ -d $folder/lib ]] && paths+=("$folder/lib")
    [[ -d $folder ]] && prefixes+=("$folder")
done
if [[ -n $libraries ]]; then
    [[ -d $libraries/usr ]] || refuse "--libraries $libraries: there is no folder usr in it"
    libraries=$(realpath "$libraries")
    triplet=$(gcc -print-multiarch)
    prefixes+=("$libraries/usr" "$libraries/usr/lib/$triplet/openmpi")
    paths+=("$libraries/usr/lib/$triplet" "$libraries/lib/$triplet" "$libraries/usr/lib/$triplet/openmpi/lib"
        "$libraries/usr/lib/$triplet/hdf5/serial")
    export PATH=$libraries/usr/bin:$PATH
    export OPAL_PREFIX=$libraries/usr
    export CPATH=$libraries/usr/include:$libraries/usr/include/$triplet${CPATH:+:$CPATH}
    export LIBRARY_PATH=$libraries/usr/lib/$triplet${LIBRARY_PATH:+:$LIBRARY_PATH}
fi
paths+=("$cuda/lib64")
export CMAKE_PREFIX_PATH
CMAKE_PREFIX_PATH=$(IFS=:; echo "${prefixes[*]}${CMAKE_PREFIX_PATH:+:$CMAKE_PREFIX_PATH}")
export LD_LIBRARY_PATH
LD_LIBRARY_PATH=$(IFS=:; echo "${paths[*]}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}")

if [[ $only == all || $only == build ]]; then
    start=$SECONDS
    cmake -S "$project_root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DGAISNET_CUDA=ON
    cmake --build "$build" --parallel "$(build_jobs)"
    say "built in $((SECONDS - start)) s; $(du -sh "$build" | cut -f1) in $build"
    [[ $only == all ]] || exit 0
fi

gpus=$(nvidia-smi --list-gpus 2>/dev/null | grep -c '^GPU ' || true)
if [[ $gpus -eq 0 ]]; then
    ctest --test-dir "$build" --output-on-failure --label-regex '^unit$'
    printf 'skipped: nvidia-smi lists no GPU, so nothing that needs one was checked\n'
    exit 77
fi
say "GPUs: $gpus"
exec "$python" "$project_root/tests/gpu/check.py" --build "$build" --gpus "$gpus" --only "$only" ${share[@]+"${share[@]}"}
