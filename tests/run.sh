#!/usr/bin/env bash
# Installs what is missing, builds, and runs the tests; ends with CTest's closing lines.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: tests/run.sh [OPTION]...

Installs the Debian packages that are missing, builds the release preset, runs the torch-free unit tests (label
`core`) under the address and undefined-behaviour sanitizers, feeds the readers of users' files with what a fuzzer makes
(label `fuzz`, a minute each), then runs all tests of the release build.

  --libtorch NAME  debian (default), or wheel: PyTorch's from PyPI, whose build computes on GPUs too (preset cuda). It is
                   installed in a virtual environment outside of the project (2.7 GB to download, once); without what
                   knows no LibTorch and need be tested once: sanitizers, fuzzers, and the labels `cli` and `slurm`
  --debian13       instead: build and test on Debian 13 in a chroot that debootstrap makes (as root; label `system`)
  --asan           instead: build the asan preset and run all unit tests (labels `core`, `unit`) under the sanitizers
  --release        instead: all tests of the release build but those with the label `slow`
  --fast           instead: less than a minute of tests (labels `core`, `fast`), to be run first after a change
  --only NAME      instead: the tests whose names match the regular expression NAME, as `ctest -R` takes it
  --skip-install   install no packages and leave the BLAS alternative alone
  --help           print this text

Labels of the release build: ctest --preset release --print-labels. Left out unless asked for by ctest itself: `sweep` (a
run that is killed at each of its system calls, and whose disk fails at each; an hour or two) and `system`.
TEXT
}

# shellcheck source=jobs/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../jobs/lib/setup.sh"

mode=all
only=
install=1
libtorch=debian
while [[ $# -gt 0 ]]; do
    case $1 in
        --libtorch)
            libtorch=${2:-}
            [[ $libtorch =~ ^(debian|wheel)$ ]] || refuse "--libtorch takes debian or wheel, not '$libtorch'"
            shift
            ;;
        --debian13) mode=debian13 ;;
        --asan) mode=asan ;;
        --release) mode=release ;;
        --fast) mode=fast ;;
        --only)
            mode=only
            only=${2:-}
            [[ -n $only ]] || refuse "--only takes a regular expression: the names of tests"
            shift
            ;;
        --skip-install) install=0 ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; refuse "unknown option '$1'" ;;
    esac
    shift
done

# The first error ends a sanitized test; a leak is an error.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:strict_string_checks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-halt_on_error=1:print_stacktrace=1}

# run_tests PRESET [CTEST OPTION]...: fails when a test fails, or when no test matches.
run_tests() {
    local preset=$1
    shift
    say "tests: ctest --preset $preset $*"
    local code=0 # kept, because `set -e` does not hold in a function whose failure the caller takes up
    (cd "$project_root" && ctest --preset "$preset" --output-on-failure --no-tests=error --parallel "$(usable_cores)" "$@") ||
        code=$?
    # CTest keeps the reasons of what was skipped to itself; pytest tells them as `SKIPPED [TESTS] FILE:LINE: REASON`.
    sed -nE 's/^SKIPPED \[[0-9]+\] ([^:]+):[0-9]+: /skipped: \1: /; /^skipped: /p' \
        "$project_root/build/$preset/Testing/Temporary/LastTest.log" | sort -u || true
    return "$code"
}

# run_release_tests LABELS: all tests but those with such labels. What fast_model runs is there anyway, a case a test.
run_release_tests() { run_tests "$preset" --label-exclude "$1" --exclude-regex '^fast_model$'; }

if [[ $mode == debian13 ]]; then
    [[ $install -eq 0 ]] || setup_packages debootstrap
    exec "$project_root/tests/systems/fresh_debian.sh"
fi

preset=release
needed=("${project_packages[@]}" "${test_packages[@]}")
if [[ $libtorch == wheel ]]; then
    preset=cuda
    mapfile -t needed < <(printf '%s\n' "${needed[@]}" | grep -vx libtorch-dev)
fi
if [[ $install -eq 1 ]]; then
    setup_packages "${needed[@]}"
    setup_tokenizers
    setup_tensorboardx
fi
[[ $libtorch != wheel ]] || setup_wheel
find_python pytest || die "the tests of the program need Python with pytest and what analysis/ needs"

case $mode in
    asan)
        build_preset asan
        run_tests asan --label-regex '^(core|unit)$'
        ;;
    release)
        build_preset "$preset"
        run_release_tests '^(slow|system|sweep)$'
        ;;
    fast)
        build_preset "$preset"
        run_tests "$preset" --label-regex '^(core|fast)$'
        ;;
    only)
        build_preset "$preset"
        run_tests "$preset" --tests-regex "$only" --label-exclude '^(system|sweep)$'
        ;;
    all)
        build_preset "$preset"
        if [[ $libtorch == wheel ]]; then
            run_release_tests '^(system|sweep|cli|slurm)$'
            exit
        fi
        failed=()
        build_preset asan core_tests
        run_tests asan --label-regex '^core$' || failed+=("the torch-free unit tests under the sanitizers")
        build_preset fuzz fuzzers
        run_tests fuzz --label-regex '^fuzz$' || failed+=("a reader with the fuzzer's inputs")
        run_release_tests '^(system|sweep)$' || failed+=("tests of the release build")
        [[ ${#failed[@]} -eq 0 ]] || die "failed, see further up:$(printf ' %s;' "${failed[@]}")"
        ;;
esac
