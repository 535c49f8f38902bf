"""jobs/llm.sh --small: the tables that it prints are what the results files say. It takes a minute."""

import os
import pathlib
import re
import subprocess
import sys

import numpy
import pytest
from support.results import table

PROJECT = pathlib.Path(__file__).resolve().parents[2]
EDGES = ("edge0", "edge1", "edge2")


@pytest.fixture(scope="module")
def script(gaisnet):
    """Runs jobs/llm.sh."""
    environment = os.environ | {"PROGRAM": str(gaisnet.program), "PYTHON": sys.executable}

    def script(*words):
        return subprocess.run([PROJECT / "jobs" / "llm.sh", *map(str, words)], capture_output=True, text=True, timeout=600,
                              env=environment)

    return script


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("llm")


@pytest.fixture(scope="module")
def output(script, folder):
    done = script("--small", "--out", folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def printed_rows(output, title):
    """The cells of the table under a title, the heads first."""
    lines = output[output.index(title):].splitlines()[1:]
    return [re.split(r"\s{2,}", line.strip()) for line in lines[:lines.index("")]]


@pytest.fixture(scope="module")
def perplexities(output):
    """(run, model) -> what was printed of each domain."""
    heads, untuned, *rows = printed_rows(output, "Perplexity by domain")
    assert heads == ["run", "model", "domain 3", "domain 4", "domain 5", "domain 6 (*)"]
    return {("", "untuned"): untuned[1:]} | {(run, model): cells for run, model, *cells in rows}


def of_model(results, model):
    """The rows of a model after the last round at which it was judged, by domain."""
    rows = table(results, "accuracy_by_domain")
    rows = rows[rows["model"] == model.encode()]
    return rows[rows["round"] == rows["round"].max()]


def test_the_rows_are_the_untuned_model_the_cloud_s_and_the_edges_alone(perplexities):
    assert list(perplexities) == [("", "untuned"), ("topics_cloud", "cloud"), *(("topics_alone", edge) for edge in EDGES)]


def test_perplexities_are_those_of_the_results_files(perplexities, folder):
    for (run, model), cells in perplexities.items():
        found = of_model(folder / f"{run or 'topics_cloud'}.h5", model)
        assert cells == [f"{perplexity:.2f}" for perplexity in found["perplexity"]]
        numpy.testing.assert_allclose(found["perplexity"], numpy.exp(found["loss"]), rtol=1e-12)


def test_both_runs_begin_with_the_same_model(output, folder):
    numpy.testing.assert_array_equal(*(of_model(folder / f"topics_{run}.h5", "untuned") for run in ("cloud", "alone")))


@pytest.mark.parametrize("run", ["cloud", "alone"])
def test_the_last_round_s_loss_of_an_edge_is_that_on_its_own_domain(output, folder, run):
    rounds = table(folder / f"topics_{run}.h5", "rounds")
    last = rounds[rounds["round"] == rounds["round"].max()]
    own = [of_model(folder / f"topics_{run}.h5", edge)["loss"][place] for place, edge in enumerate(EDGES)]
    numpy.testing.assert_allclose(last["loss"], own, rtol=1e-12)


def test_an_edge_alone_learns_its_own_grammar_and_the_cloud_s_model_all_three(output, folder):
    untuned = of_model(folder / "topics_cloud.h5", "untuned")["perplexity"]
    cloud = of_model(folder / "topics_cloud.h5", "cloud")["perplexity"]
    assert (cloud[:3] < untuned[:3] / 4).all()
    for place, edge in enumerate(EDGES):
        alone = of_model(folder / "topics_alone.h5", edge)["perplexity"]
        assert alone[place] < untuned[place] / 10
        assert all(alone[other] > cloud[other] for other in range(3) if other != place)


def test_accuracies_of_classifiers_are_those_of_the_last_rounds(output, folder):
    rows = printed_rows(output, "Runs, all rounds")
    assert rows[0][:3] == ["run", "rounds", "accuracy"]
    assert [row[0] for row in rows[1:]] == ["languages_probe", "languages_full"]
    for name, rounds, accuracy, *_ in rows[1:]:
        last = table(folder / f"{name}.h5", "rounds")[-1]
        assert (int(rounds), accuracy) == (last["round"], f"{100 * last['accuracy']:.2f} %")


def test_a_second_call_repeats_nothing_and_prints_the_same(script, output, folder):
    def left():
        return {file.name: file.stat().st_mtime_ns for ending in ("h5", "txt") for file in folder.glob(f"*.{ending}")}

    before = left()
    assert len(before) == 10
    done = script("--small", "--out", folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == output
    assert before == left()


@pytest.mark.parametrize("words, message", [(["--ranks", "0"], "positive number"), (["--out"], "folder"), (["--fast"], "unknown option")],
                         ids=" ".join)
def test_options_that_are_refused(script, words, message):
    done = script(*words)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr


def test_runs_without_perplexities_are_refused(output, folder):
    done = subprocess.run([sys.executable, "-m", "analysis.perplexity", folder / "languages_full.h5"], capture_output=True, text=True,
                          cwd=PROJECT, timeout=100)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "no perplexity by domain" in done.stderr


def test_texts_are_written_and_their_figures_printed(output, folder):
    tokens, requests = table(folder / "topics_texts.h5", "tokens"), table(folder / "topics_texts.h5", "inference")
    assert len(requests) == 12 and sum(row["tokens"] for row in requests) == len(tokens)
    assert re.search(rf"^  generated +{len(tokens)} ", output, re.MULTILINE)
    texts = re.findall(r"^  e[0-2]\.c[01]\.0: .* \.\.\. ", output, re.MULTILINE)
    assert len(texts) == 6
