"""The paper's experiments in their small profile: every script runs, draws, and finds the shapes that must be there whatever
the machine. It takes minutes."""

import os
import pathlib
import subprocess
import sys

import pytest
from support.results import table

PROJECT = pathlib.Path(__file__).resolve().parents[2]
EXPERIMENTS = ("fig2", "fig6", "fig7", "table3", "table4", "fig8", "circle")


@pytest.fixture(scope="module")
def script(gaisnet):
    """Runs a script of jobs/paper."""
    environment = os.environ | {"PROGRAM": str(gaisnet.program), "PYTHON": sys.executable}
    environment.pop("GAISNET_DATA", None)

    def script(name, *words):
        return subprocess.run([PROJECT / "jobs" / "paper" / f"{name}.sh", *map(str, words)], capture_output=True, text=True,
                              timeout=600, env=environment)

    return script


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where all results go: experiments share what they pre-train."""
    return tmp_path_factory.mktemp("paper")


class Experiment:
    """The results of a script."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name

    def table(self, run, name):
        return table(self.folder / f"{self.name}.{run}.seed1.h5", name)

    def accuracy(self, run):
        return self.table(run, "rounds")["accuracy"]


def experiment(name):
    """A fixture that runs a script once."""

    @pytest.fixture(scope="module", name=name)
    def run(script, folder):
        done = script(name, "--output", folder)
        assert done.returncode == 0, done.stderr
        return Experiment(folder, name)

    return run


fig2, fig6, fig7, table3, table4, fig8, circle = map(experiment, EXPERIMENTS)


@pytest.mark.parametrize("words, message", [
    (["--profile", "huge"], "small, tiny or paper"), (["--repeat", "0"], "positive number"), (["--fast"], "unknown option"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_options_that_are_refused(script, words, message):
    done = script("fig6", *words)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr


def test_the_profile_tiny_says_what_it_lacks(script, tmp_path):
    done = script("fig6", "--profile", "tiny", "--output", tmp_path / "tiny")
    assert done.returncode == 2, done.stderr
    assert "WEIGHTS" in done.stderr


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_script_writes_its_table(request, folder, name):
    request.getfixturevalue(name)
    assert (folder / f"{name}.md").is_file()


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_script_draws_its_picture(request, folder, name):
    pytest.importorskip("matplotlib")
    request.getfixturevalue(name)
    picture = folder / f"{name}.png"
    assert picture.is_file()
    assert picture.stat().st_size > 5000


@pytest.mark.parametrize("receivers", [1, 6])
def test_fig2_whole_stages_weigh_far_more_than_tuned_modules(fig2, receivers):
    def delivered_bytes(kind):
        events = fig2.table(f"{kind}.{receivers}", "events")
        return int(events["bytes"][events["kind"] == b"send_modules_down"].sum())

    assert delivered_bytes("full") > 20 * delivered_bytes("tunable") > 0


def test_fig6_the_pre_trained_model_is_far_above_both_others_from_the_first_epoch(fig6):
    trained, scratch, frozen = map(fig6.accuracy, ("pretrained", "scratch_trained", "scratch_frozen"))
    assert trained[0] > 0.8
    assert trained[0] > scratch.max() + 0.3
    assert trained[0] > frozen.max() + 0.3


class TestFig7:
    METHODS = ("full", "prompt_deep", "head")

    def test_less_is_computed_the_less_is_tuned(self, fig7):
        full, prompt, head = (fig7.table(method, "rounds")["client_flops"].sum() for method in self.METHODS)
        assert full > 1.2 * prompt
        assert prompt > 1.5 * head

    def test_no_frozen_method_has_longer_epochs_than_full_and_head_only_the_shortest(self, fig7):
        full, prompt, head = (fig7.table(method, "rounds")["latency_s"].mean() for method in self.METHODS)
        assert head < prompt <= full


class TestTable3:
    def final_accuracies(self, table3, whose):
        return [table3.accuracy(f"{whose}.{classes}")[-1] for classes in range(1, 6)]

    def test_k_classes_of_all_bound_the_accuracy_by_about_k_fifths(self, table3):
        union = self.final_accuracies(table3, "union")
        assert all(accuracy < classes / 5 + 0.25 for classes, accuracy in enumerate(union, start=1)), union
        assert union[4] > union[1] + 0.3

    def test_k_classes_of_each_start_point_do_not(self, table3):
        assert min(self.final_accuracies(table3, "client")[1:]) > 0.8


class TestTable4:
    CLUSTERS = range(1, 7)

    def test_every_number_of_clusters_learns(self, table4):
        assert min(table4.accuracy(clusters)[-1] for clusters in self.CLUSTERS) > 0.8

    def test_each_cluster_has_a_sixth_of_the_images(self, table4):
        samples = [table4.table(clusters, "rounds")["samples"][0] for clusters in self.CLUSTERS]
        assert samples == [clusters * samples[0] for clusters in self.CLUSTERS]


def test_fig8_mlcp_ends_highest(fig8):
    mlcp, *others = (fig8.table(policy, "service")["cash"][-1] for policy in ("mlcp", "msip", "random"))
    assert mlcp > max(others)


class TestCircle:
    """A foundation model that edges give back what they have learnt to."""

    @staticmethod
    def unseen(circle, run, model, number):
        """Accuracy in the domain where no edge is, mean over models whose names begin so."""
        rows = circle.table(run, "accuracy_by_domain")
        mine = [name.startswith(model) for name in rows["model"]]
        chosen = (rows["seen"] == 0) & (rows["method"] == b"class means") & (rows["round"] == number) & mine
        return float(rows["accuracy"][chosen].mean())

    @pytest.fixture(scope="class")
    def after(self, circle):
        return self.unseen(circle, "period1", b"cloud", 15)

    def test_what_edges_learn_makes_it_far_better_where_none_of_them_is(self, circle, after):
        assert after > self.unseen(circle, "period1", b"untuned", 0) + 0.25

    def test_it_is_not_worse_than_an_edge_s_own_model(self, circle, after):
        assert after > self.unseen(circle, "period0", b"edge", 15) - 0.03

    def test_pre_training_without_labels_is_what_lets_it(self, circle, after):
        assert after > self.unseen(circle, "random", b"cloud", 15) + 0.2

    def test_edges_do_not_lose_by_it(self, circle):
        alone, together = (circle.accuracy(f"period{period}")[-3:].mean() for period in (0, 1))
        assert together > alone - 0.03


# These change the results of circle, and so come last.
class TestRepeats:
    """A run that has ended is repeated when its settings have changed, and only then."""

    @pytest.fixture
    def again(self, script, folder):
        def again(name, *words):
            done = script(name, "--output", folder, *words)
            assert done.returncode == 0, done.stderr
            return done.stdout

        return again

    RUN = ", seed 1: "

    def test_nothing_is_done_twice(self, circle, again):
        assert self.RUN not in again("circle")

    def test_what_changes_is_done_anew(self, circle, again):
        assert again("circle", "--epochs", 1).count(self.RUN) == 3
        assert len(circle.accuracy("period1")) == 3

    def test_fig8_says_that_it_has_no_epochs(self, fig8, again):
        printed = again("fig8", "--epochs", 1)
        assert "--epochs changes nothing" in printed
        assert self.RUN not in printed
