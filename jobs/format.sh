#!/usr/bin/env bash
# Formats the C++ files of the project, or checks that they are formatted.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: jobs/format.sh [--check]

Formats every C++ file under src, jobs and tests with the project's .clang-format.

  --check   change nothing; name what is not formatted, and fail

The program is $CLANG_FORMAT, else clang-format-14 (Debian 12's), else clang-format. Other versions may disagree.
TEXT
}

# shellcheck source=jobs/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/setup.sh"

action=(-i)
case ${1:-} in
    '') ;;
    --check) action=(--dry-run --Werror) ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; refuse "unknown option '$1'" ;;
esac

formatter=${CLANG_FORMAT:-}
if [[ -z $formatter ]]; then
    formatter="$(command -v clang-format-14 || command -v clang-format || true)"
fi
[[ -n $formatter ]] || die "clang-format is not on PATH; the Debian package is clang-format"
version="$("$formatter" --version)" || die "$formatter cannot be run"
[[ $version == *"version 14."* ]] || warn "the project is formatted with clang-format 14; this is: $version"

cd "$project_root"
mapfile -d '' -t files < <(find src jobs tests -type f \( -name '*.cpp' -o -name '*.hpp' -o -name '*.cu' \) -print0)
[[ ${#files[@]} -gt 0 ]] || die "no C++ files under src, jobs and tests"
"$formatter" --style=file "${action[@]}" "${files[@]}" ||
    die "not formatted, or not readable by $formatter; jobs/format.sh formats ${#files[@]} files"
say "format: ${#files[@]} files"
