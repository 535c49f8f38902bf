"""The programs of analysis/ on files that gaisnet makes here."""

import importlib
import json
import re

import pytest
from support.results import table
from support.tools import tool

h5py = pytest.importorskip("h5py")

SMALL = ("--data.samples", 60, "--network.clients", 3, "--train.rounds", 2, "--overwrite", "on", "--progress", "none")


def summary(results):
    done = tool("summary", results)
    assert done.returncode == 0, done.stderr
    return done.stdout


def single_spaced(text):
    """Columns two blanks apart, however wide they are."""
    return re.sub(r" {2,}", "  ", text)


@pytest.fixture(scope="module")
def make(gaisnet, tmp_path_factory):
    """Makes a results file; what gaisnet prints lies beside it."""
    folder = tmp_path_factory.mktemp("results")

    def make(command, name, *settings):
        output = folder / f"{name}.h5"
        done = gaisnet(command, *SMALL, *settings, "--output", output)
        assert done.returncode == 0, done.stderr
        output.with_suffix(".txt").write_text(done.stdout)
        return output

    return make


@pytest.fixture(scope="module")
def trained(make):
    return make("finetune", "trained", "--model.weights", "random")


@pytest.fixture(scope="module")
def clouded(make):
    return make("finetune", "clouded", "--model.weights", "random", "--network.edges", 2, "--cloud.period", 1)


@pytest.fixture(scope="module")
def planned(make):
    return make("plan", "planned", "--network.edges", 2, "--cloud.period", 1)


@pytest.fixture(scope="module")
def served(make):
    return make("infer", "served", "--model.weights", "random", "--infer.requests", 5)


@pytest.fixture(scope="module")
def services(make):
    return make("serve", "services", "--serve.mode", "table", "--serve.policy", "all",
                "--serve.profit", "5,6,7; 4,5,7; 3,7,12", "--serve.cost", "3,3; 3,3; 2,2")


class TestSummary:
    def test_of_rounds(self, trained):
        assert "Rounds (2)" in summary(trained)

    def test_of_requests_has_the_percentiles_that_gaisnet_printed(self, served):
        text = summary(served)
        assert "Requests (20)" in text
        printed = re.search(r"p50 (.*), p90 (.*), p95 .*, p99 (.*), largest", served.with_suffix(".txt").read_text())
        assert "  ".join(printed.groups()) in single_spaced(text)

    def test_of_services(self, services):
        rows = [line.split() for line in summary(services).splitlines()]
        assert ["mlcp", "10", "89", "4", "85", "a", "+c", "+c", *["c"] * 7] in rows

    def test_of_the_models_of_a_cloud_by_domain(self, clouded):
        rows = table(clouded, "accuracy_by_domain")
        rows = rows[(rows["round"] == rows["round"].max()) & (rows["model"] == b"cloud") & (rows["method"] == b"class means")]
        assert len(rows) == 3
        line = "  ".join(["cloud", *(f"{100 * value:.2f} %" for value in rows["accuracy"])])
        assert line in single_spaced(summary(clouded))


class TestTimeline:
    @pytest.fixture(scope="class", params=["trained", "served", "planned"])
    def results(self, request):
        return request.getfixturevalue(request.param)

    @pytest.fixture(scope="class")
    def events(self, results, tmp_path_factory):
        """The trace that is made of a results file."""
        trace = tmp_path_factory.mktemp("timeline") / "trace.json"
        done = tool("timeline", results, "--output", trace)
        assert done.returncode == 0, done.stderr
        return json.loads(trace.read_text())["traceEvents"]

    @pytest.fixture(scope="class")
    def spans(self, events):
        return [event for event in events if event["ph"] == "X"]

    @pytest.fixture(scope="class")
    def tracks(self, events):
        """Names of tracks by process and thread."""
        return {(event["pid"], event["tid"]): event["args"]["name"] for event in events if event["name"] == "thread_name"}

    def test_every_event_of_the_file_is_there_at_its_time(self, results, spans):
        rows = table(results, "events")
        assert len(spans) == len(rows)
        for span, row in zip(spans, rows):
            assert span["name"] == row["kind"].decode()
            assert abs(span["ts"] - 1e6 * row["start_s"]) < 1e-3
            assert abs(span["dur"] - 1e6 * (row["end_s"] - row["start_s"])) < 1e-3

    def test_every_node_is_a_process(self, results, events):
        nodes = [name.decode() for name in table(results, "topology/nodes")["name"]]
        processes = {event["pid"]: event["args"]["name"] for event in events if event["name"] == "process_name"}
        assert [processes[number] for number in range(len(nodes))] == nodes

    def test_tracks_have_names(self, spans, tracks):
        assert all((span["pid"], span["tid"]) in tracks for span in spans)

    def test_nothing_overlaps_on_a_track(self, spans, tracks):
        for track, name in tracks.items():
            busy = sorted((span["ts"], span["ts"] + span["dur"]) for span in spans if (span["pid"], span["tid"]) == track)
            assert all(before[1] <= after[0] + 1e-3 for before, after in zip(busy, busy[1:])), name


class TestCompare:
    @pytest.fixture(scope="class")
    def module(self):
        return importlib.import_module("analysis.compare")

    def test_each_run_has_a_line_in_both_tables(self, trained, planned):
        done = tool("compare", trained, planned, "--accuracy", 0)
        assert done.returncode == 0, done.stderr
        first_words = [line.split()[0] for line in done.stdout.splitlines() if line.split()]
        assert first_words.count("trained") == 2
        assert first_words.count("planned") == 2

    def test_sessions_of_inference_have_a_table_of_their_own(self, trained, served):
        done = tool("compare", trained, served)
        assert done.returncode == 0, done.stderr
        rows, latencies = done.stdout.split("Sessions of inference"), table(served, "inference")["latency_s"]
        assert "trained" in rows[0] and "trained" not in rows[1]
        cells = re.split(r" {2,}", rows[1].strip().splitlines()[1].strip())
        assert cells[:2] == ["served", str(len(latencies))]
        assert cells[3] == f"{1000 * latencies.mean():.4g} ms"

    def test_runs_are_told_apart_by_a_setting(self, trained, clouded, tmp_path):
        picture = tmp_path / "families.svg"
        done = tool("compare", trained, clouded, "--by", "network.edges", "--over", "bytes", "--quality", "loss", "--picture", picture)
        assert done.returncode == 0, done.stderr
        shown = {line.split()[0]: line.split()[1] for line in done.stdout.splitlines()[2:4]}
        assert shown == {"trained": "1", "clouded": "2"}
        assert picture.read_text().count("<svg") == 1

    def test_a_setting_that_is_none_is_refused_with_those_like_it(self, trained):
        done = tool("compare", trained, "--by", "edges")
        assert done.returncode == 1
        assert "network.edges" in done.stderr

    def test_sums_are_those_of_the_tables(self, module, trained):
        energy = table(trained, "energy")["total_j"].sum()
        links = table(trained, "communication/links")
        with h5py.File(trained) as file:
            totals = module.totals_of(file)
        assert abs(totals["energy_j"][-1] - energy) < 1e-9 * energy
        assert totals["bytes"][-1] == links["bytes"].sum()
        assert abs(totals["spectrum_hz_s"][-1] / links["airtime_hz_s"].sum() - 1) < 1e-12

    def test_an_accuracy_that_was_never_reached_is_said_to_be_so(self, module, trained):
        with h5py.File(trained) as file:
            totals = module.totals_of(file)
        assert module.rows_until({"a": totals}, lambda all_rounds: all_rounds["accuracy"] >= 2)[0][1] == "never"


class TestPictures:
    @pytest.fixture(autouse=True)
    def matplotlib(self):
        pytest.importorskip("matplotlib")

    @pytest.mark.parametrize("name, results, option", [
        ("plot", "trained", "--output"),
        ("timeline", "trained", "--picture"),
        ("compare", "trained", "--picture"),
        ("plot", "served", "--output"),
        ("compare", "served", "--picture"),
    ])
    def test_a_picture_is_drawn(self, request, tmp_path, name, results, option):
        picture = tmp_path / "picture.png"
        done = tool(name, request.getfixturevalue(results), option, picture)
        assert done.returncode == 0, done.stderr
        assert_is_picture(picture)

    def test_a_picture_lies_beside_its_file_unless_told_otherwise(self, services):
        done = tool("plot", services)
        assert done.returncode == 0, done.stderr
        assert_is_picture(services.with_suffix(".png"))

    def test_a_cluster_that_is_not_there_is_refused(self, trained, tmp_path):
        done = tool("timeline", trained, "--picture", tmp_path / "none.png", "--cluster", 9)
        assert done.returncode == 1
        assert "cluster 9" in done.stderr


def assert_is_picture(path):
    assert path.is_file()
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert path.stat().st_size > 5000


class TestFilesThatCannotBeRead:
    @pytest.fixture(scope="class")
    def folder(self, tmp_path_factory):
        folder = tmp_path_factory.mktemp("bad")
        (folder / "text.h5").write_text("no HDF5")
        with h5py.File(folder / "other.h5", "w") as file:
            file["x"] = 1
        return folder

    @pytest.mark.parametrize("file, message", [
        ("missing.h5", "no such file"), ("text.h5", "not an HDF5 file"), ("other.h5", "not one of")])
    @pytest.mark.parametrize("name", ["summary", "plot", "compare", "timeline", "report"])
    def test_they_are_refused(self, folder, name, file, message):
        done = tool(name, folder / file)
        assert done.returncode == 1
        assert message in done.stderr
        assert "Traceback" not in done.stderr
