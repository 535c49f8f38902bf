"""The picture and the table of plans, on a table in the shape of those that gaisnet writes."""

import json

import pytest
from support.results import h5py
from support.tools import assert_refused, tool

pytest.importorskip("matplotlib")

from analysis import pareto  # noqa: E402
from analysis.results import numpy  # noqa: E402

COLUMNS = (  # name, type, unit, description
    ("label", h5py.string_dtype("utf-8", 24), "", "What the plan does"),
    ("latency_s", "<f8", "s", "Latency of a round"),
    ("energy_j", "<f8", "J", "Energy of all nodes in a round"),
    ("spectrum_hz_s", "<f8", "Hz s", "Spectrum use of a round"),
    ("memory_bytes", "<f8", "B", "Largest peak memory of a client"),
    ("on_front", "<u1", "1", "1: no other plan is as good in every figure and better in one"),
)
PLANS = (
    ("as given", 1.2, 90.0, 4e7, 5e6, 0),
    ("fast", 0.4, 80.0, 3e7, 4e6, 1),
    ("frugal", 1.0, 20.0, 2e7, 4e6, 1),
    ("between", 0.6, 45.0, 3e7, 4e6, 1),
    ("small", 1.1, 60.0, 3e7, 1e6, 1),  # by memory
    ("worse", 0.7, 85.0, 4e7, 4e6, 0),
)


@pytest.fixture
def make(tmp_path):
    """Makes a results file that has a table of plans."""
    def make(plans=PLANS, name="plans.h5"):
        path = tmp_path / name
        rows = numpy.array([tuple(plan) for plan in plans], dtype=[column[:2] for column in COLUMNS])
        with h5py.File(path, "w") as file:
            file.attrs["schema"] = "gaisnet"
            made = file.create_dataset("plan/front", data=rows, chunks=(64,), maxshape=(None,))
            made.attrs["description"] = "One row per plan that was tried."
            made.attrs["columns"] = json.dumps([{"name": column, "unit": unit, "description": text}
                                                for column, _, unit, text in COLUMNS])
            for column, _, unit, text in COLUMNS:
                if unit:
                    made.attrs[f"unit:{column}"] = unit
                made.attrs[f"description:{column}"] = text
        return path

    return make


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    pareto.pyplot().close("all")


def axes_of(path, x="latency_s", y="energy_j"):
    with h5py.File(path) as file:
        return pareto.draw(pareto.plans_of(file), x, y).axes[0]


def points(axes, kind):
    return [tuple(point) for line in axes.lines if line.get_gid() == kind for point in line.get_xydata()]


def labels(axes):
    return {text.get_text() for text in axes.texts if (text.get_gid() or "").startswith("label")}


class TestPicture:
    def test_the_front_is_a_line(self, make):
        axes = axes_of(make())
        assert points(axes, "front") == [(0.4, 80), (0.6, 45), (1.0, 20)]
        assert next(line for line in axes.lines if line.get_gid() == "front").get_linestyle() == "-"
        assert labels(axes) == {"fast", "between", "frugal"}

    def test_dominated_plans_are_grey(self, make):
        axes = axes_of(make())
        assert points(axes, "dominated") == [(1.2, 90), (0.7, 85)]
        assert {line.get_color() for line in axes.lines if line.get_gid() == "dominated"} == {"#bbbbbb"}

    def test_plans_on_the_front_by_other_columns_are_off_the_line(self, make):
        assert points(axes_of(make()), "other columns") == [(1.1, 60)]

    def test_other_columns_are_drawn_with_their_units(self, make):
        axes = axes_of(make(), "memory_bytes", "spectrum_hz_s")
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("memory", "spectrum")
        assert axes.xaxis.get_major_formatter()(4e6) == "4 MB"
        assert axes.yaxis.get_major_formatter()(2e7) == "20 MHz s"
        assert points(axes, "front") == [(1e6, 3e7), (4e6, 2e7)]

    def test_a_plan_without_a_value_is_left_out_and_told(self, make):
        axes = axes_of(make((*PLANS, ("unknown", float("nan"), 10.0, 1e7, 1e6, 1))))
        assert "1 without a value left out" in axes.get_title()
        assert "unknown" not in labels(axes)

    def test_a_long_front_has_no_labels(self, make):
        axes = axes_of(make([(f"plan {i}", 1.0 + i, 100.0 - i, 1e7, 1e6, 1) for i in range(13)]))
        assert len(points(axes, "front")) == 13
        assert not labels(axes)


class TestProgram:
    def test_it_prints_the_plans_with_the_front_first(self, make):
        results = make()
        done = tool("pareto", results)
        assert done.returncode == 0, done.stderr
        rows = [line.split("  ") for line in done.stdout.splitlines()]
        rows = [[cell.strip() for cell in row if cell.strip()] for row in rows]
        assert rows[1] == ["label", "front", "latency", "energy", "spectrum", "memory"]
        assert rows[2] == ["fast", "*", "400.0 ms", "80.00 J", "30.00 MHz s", "4.000 MB"]
        assert [row[0] for row in rows[2:8]] == ["fast", "between", "frugal", "small", "worse", "as given"]
        assert [row[1] == "*" for row in rows[2:8]] == [True] * 4 + [False] * 2
        assert results.with_suffix(".pareto.png").read_bytes().startswith(b"\x89PNG")

    def test_what_cannot_be_drawn_is_refused_in_one_line(self, make, tmp_path):
        assert_refused(tool("pareto", tmp_path / "missing.h5"), "no such file")
        assert_refused(tool("pareto", make(), "--x", "speed"), "--x speed", "latency_s, energy_j, spectrum_hz_s, memory_bytes")
        assert_refused(tool("pareto", make(), "--y", "label"), "--y label")
        assert_refused(tool("pareto", make(), "-o", tmp_path / "front.gif"), "front.gif", ".png, .svg, .pdf")
        assert_refused(tool("pareto", make((), "none.h5")), "no plans")

    def test_a_run_without_plans_is_refused(self, plan, tmp_path):
        done = plan("--output", tmp_path / "run.h5")
        assert done.returncode == 0, done.stderr
        assert_refused(tool("pareto", tmp_path / "run.h5"), "/plan/front")
