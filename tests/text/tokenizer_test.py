"""Tokenizers against Hugging Face's library `tokenizers`: the same ids, the same texts.

The tokenizers are trained here on Debian's fortunes, one of each design that is in use. $GAISNET_TOKENIZERS may name a folder
to import the library from, and $GAISNET_TOKENIZER_FILES more files to compare, with colons between them.
"""

import itertools
import json
import os
import pathlib
import random
import subprocess
import sys

import pytest

if os.environ.get("GAISNET_TOKENIZERS"):
    sys.path.append(os.environ["GAISNET_TOKENIZERS"])
tokenizers = pytest.importorskip("tokenizers", reason="Python's tokenizers is not installed (tests/run.sh installs it)")

from designs import ADDED, DESIGNS  # noqa: E402
from texts import AWKWARD, FORTUNES, fortune_lines, fortune_texts, random_texts  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402

if not FORTUNES.is_dir():
    pytest.skip(f"Debian's fortunes are not in {FORTUNES} (tests/run.sh installs them)", allow_module_level=True)

class Ours:
    """The program tests/text/tokenize.cpp with a tokenizer."""

    def __init__(self, program, file):
        self.program, self.file = program, file

    def ask(self, questions):
        lines = "".join(json.dumps(question) + "\n" for question in questions)
        done = subprocess.run([self.program, self.file], input=lines, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.split("\n")[:-1]]


@pytest.fixture(scope="session")
def tokenize(build_folder):
    program = build_folder / "tokenize"
    assert program.exists(), f"{program} is missing: build the target tokenize"
    return program


@pytest.fixture(scope="session")
def lines():
    return fortune_lines()


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Files of trained tokenizers by name, made when they are wanted."""
    folder = tmp_path_factory.mktemp("tokenizers")
    corpus = fortune_texts()[::8]

    def file(name):
        path = folder / f"{name}.json"
        if not path.exists():
            made, trainer = DESIGNS[name.removesuffix("+added")]()
            made.train_from_iterator(corpus, trainer)
            if name.startswith("llama_2"):
                made.pre_tokenizer = None
                made.save(str(path))
                made = Tokenizer.from_file(str(path))
            if name.endswith("+added"):
                made.add_special_tokens([token for token in ADDED if token.special])
                made.add_tokens([token for token in ADDED if not token.special])
            made.save(str(path))
        return path

    return file


def more_files():
    return [pathlib.Path(name) for name in os.environ.get("GAISNET_TOKENIZER_FILES", "").split(":") if name]


def library(file):
    """The library's tokenizer, without what cuts and fills up."""
    made = Tokenizer.from_file(str(file))
    made.no_truncation()
    made.no_padding()
    return made


def compare_ids(theirs, ours, texts):
    answers = ours.ask(texts)
    assert len(answers) == len(texts)
    wrong = []
    for text, answer in zip(texts, answers):
        expected = {"ids": theirs.encode(text).ids, "plain": theirs.encode(text, add_special_tokens=False).ids}
        if answer != expected:
            wrong.append(f"{text!r}: {answer} where the library has {expected}")
    assert not wrong, f"{len(wrong)} of {len(texts)} texts, for example\n" + "\n".join(wrong[:3])


def compare_texts(theirs, ours, lists):
    answers = ours.ask(lists)
    wrong = []
    for ids, answer in zip(lists, answers, strict=True):
        expected = theirs.decode(ids, skip_special_tokens=False), theirs.decode(ids, skip_special_tokens=True)
        if (answer["text"], answer["skipped"], "".join(answer["streamed"])) != (*expected, expected[0]):
            wrong.append(f"{ids}: {answer} where the library has {expected}")
    assert not wrong, f"{len(wrong)} of {len(lists)} lists, for example\n" + "\n".join(wrong[:3])


def compare(theirs, ours, lines, seed, stride):
    tokens = [token.content for token in theirs.get_added_tokens_decoder().values()]
    texts = AWKWARD + random_texts(2000, seed, [*tokens, *AWKWARD[20:40], "the", "foo bar", "école", "é!"])
    some = lines[seed % stride::stride]
    compare_ids(theirs, ours, some + texts)
    rng = random.Random(seed)
    size = theirs.get_vocab_size()
    lists = [theirs.encode(text).ids for text in itertools.islice(some, 1500)] + [theirs.encode(text).ids for text in texts[:800]]
    lists += [[rng.randrange(size + 3) for _ in range(rng.randint(0, 12))] for _ in range(1500)]
    compare_texts(theirs, ours, lists)


@pytest.mark.parametrize("name", [*DESIGNS, "gpt_2+added", "roberta+added", "qwen_2+added", "bert+added", "bert_cased+added",
                                  "llama_2+added"])
def test_ids_and_texts_are_those_of_the_library(name, trained, tokenize, lines):
    """Some thousand lines of all languages, and as many random texts."""
    file = trained(name)
    compare(library(file), Ours(tokenize, file), lines, sum(name.encode()), 10)


@pytest.mark.parametrize("name", ["gpt_2", "llama_3", "bert"])
def test_all_lines(name, trained, tokenize, lines):
    file = trained(name)
    compare_ids(library(file), Ours(tokenize, file), lines)


def test_files_that_were_named(tokenize, lines):
    for file in more_files():
        compare(library(file), Ours(tokenize, file), lines, 1, 1)
