"""The pictures of networks and of critical paths, on files that gaisnet makes here: what is drawn is what the tables say."""

import json
import shutil

import pytest
from support.results import h5py, table
from support.tools import assert_refused, tool

matplotlib = pytest.importorskip("matplotlib")

from analysis import network  # noqa: E402
from analysis.critical_path import draw_critical_path, latency_of  # noqa: E402
from analysis.results import quantity  # noqa: E402
from analysis.topology import Network, changed_settings, changes  # noqa: E402

SMALL = ("--data.samples", 60, "--train.rounds", 2, "--overwrite", "on", "--progress", "none")
NINE = ("--network.clusters", 2, "--network.clients", 4)
SIGNATURES = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}
PLACES = {"a0": (-40, 30), "a1": (-25, 5), "a2": (-38, -20), "a3": (-10, -35),
          "b0": (10, 32), "b1": (35, 20), "b2": (22, -3), "b3": (40, -30)}  # m, all far from each other


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("networks")


@pytest.fixture(scope="module")
def make(gaisnet, folder):
    """Makes a results file."""
    def make(name, *settings, command="plan"):
        output = folder / f"{name}.h5"
        done = gaisnet(command, *SMALL, *settings, "--output", output)
        assert done.returncode == 0, done.stderr
        return output

    return make


@pytest.fixture(scope="module")
def make_placed(make, folder):
    """Makes one of clients at PLACES, in these clusters; each hop has a rate of its own."""
    def make_placed(name, clusters, *settings):
        file = folder / f"{name}.json"
        file.write_text(json.dumps({
            "clusters": [{"edge": "edge0", "clients": list(clients)} for clients in clusters],
            "nodes": [{"name": client, "position": [f"{x} m", f"{y} m"]} for client, (x, y) in PLACES.items()]}))
        return make(name, "--network.file", file, "--network.layout", "list",
                    "--link.d2d.rate", "uniform(10, 100) Mbit/s", *settings)

    return make_placed


@pytest.fixture(scope="module")
def placed(make_placed):
    return make_placed("placed", (("a0", "a1", "a2", "a3"), ("b0", "b1", "b2", "b3")))


@pytest.fixture(scope="module")
def replanned(make_placed):
    """b3 and a3 have changed places, a0 and a1 their order; so have the clusters, which nobody calls a change."""
    return make_placed("replanned", (("b0", "b1", "b2", "a3"), ("a1", "a0", "a2", "b3")), "--split.blocks", "1,1,1,1")


@pytest.fixture(scope="module")
def clouded(make):
    return make("clouded", *NINE, "--network.edges", 2, "--cloud.period", 1)


def drawn(*paths, **options):
    """The figure of one file or two."""
    files = [h5py.File(path) for path in paths]
    figure = network.draw([Network(file) for file in files], [latency_of(file) for file in files], **options)
    for file in files:
        file.close()
    return figure


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    network.pyplot().close("all")


def opened(path):
    with h5py.File(path) as file:
        return Network(file)


def artists(figure, kind, panel=0):
    """What a panel has of a kind, by the words behind it: {"a0 a1": arrow}."""
    found = (artist for artist in figure.axes[panel].findobj() if (artist.get_gid() or "").startswith(kind))
    return {artist.get_gid()[len(kind):].strip(): artist for artist in found}


def texts(figure, kind, panel=0):
    return {name: artist.get_text() for name, artist in artists(figure, kind, panel).items()}


def legend(figure, panel=0):
    return [entry.get_text().strip() for entry in figure.axes[panel].get_legend().get_texts()]


def hops_in(path):
    """Pairs of neighbours by the table of nodes: chains in which only clients have stages."""
    nodes = [row for row in table(path, "topology/nodes") if row["position"] >= 0]
    return {f"{one['name'].decode()} {other['name'].decode()}" for one in nodes for other in nodes
            if (one["edge"], one["cluster"], one["position"] + 1) == (other["edge"], other["cluster"], other["position"])}


def rates_in(path):
    """Rates in Mbit/s by pair of names."""
    return {f"{row['from_name'].decode()} {row['to_name'].decode()}": row["rate_bit_s"] / 1e6
            for row in table(path, "topology/links")}


class TestMap:
    @pytest.fixture(scope="class", params=["placed", "clouded"])
    def results(self, request):
        return request.getfixturevalue(request.param)

    def test_every_hop_of_a_chain_is_an_arrow(self, results):
        hops = hops_in(results)
        assert len(hops) in (6, 12)
        assert set(artists(drawn(results), "hop")) == hops

    def test_every_client_has_its_name_and_its_number_of_blocks(self, results):
        nodes = table(results, "topology/nodes")
        figure = drawn(results)
        assert set(texts(figure, "name").values()) == {row["name"].decode() for row in nodes}
        blocks = {row["name"].decode(): str(row["blocks"]) for row in nodes if row["role"] == b"client"}
        found = texts(figure, "blocks")
        assert {name: found[name] for name in blocks} == blocks

    def test_a_client_has_one_line_to_its_edge(self, results):
        clients = (table(results, "topology/nodes")["role"] == b"client").sum()
        assert len(artists(drawn(results), "cs")[""].get_segments()) == clients

    def test_chains_are_drawn_at_their_places(self, placed):
        lines = artists(drawn(placed), "chain")
        assert len(lines) == 6
        for names, line in lines.items():
            start, *_, end = line.get_path().vertices
            for point, name in zip((start, end), names.split()):
                assert tuple(point) == PLACES[name]

    def test_the_colour_of_an_arrow_is_its_rate(self, placed):
        rates, arrows = rates_in(placed), artists(drawn(placed), "hop")
        by_rate = sorted(arrows, key=rates.get)
        scale = network.rate_scale([opened(placed)])
        assert scale.get_clim() == (rates[by_rate[0]], rates[by_rate[-1]])
        for names, arrow in arrows.items():
            assert arrow.get_edgecolor() == pytest.approx(scale.to_rgba(rates[names]))
        assert len({arrow.get_edgecolor() for arrow in arrows.values()}) == 6

    def test_the_colour_bar_goes_from_the_slowest_hop_to_the_fastest(self, placed):
        rates = [rates_in(placed)[names] for names in hops_in(placed)]
        bar = drawn(placed).axes[1]
        assert bar.get_xscale() == "log"
        assert "Mbit/s" in bar.get_xlabel()
        assert bar.get_xlim() == pytest.approx((min(rates), max(rates)))

    def test_clusters_have_colours(self, placed):
        figure = drawn(placed)
        first, second = ({artist.get_edgecolor() for names, artist in artists(figure, "chain").items() if names[0] == group}
                         for group in "ab")
        assert len(first) == len(second) == 1
        assert first != second
        assert {"cluster 0", "cluster 1"} <= set(legend(figure))

    def test_start_and_end_points_have_shapes_of_their_own(self, placed):
        found = opened(placed)
        held = {found.nodes["name"][node]: parts for node, parts in found.parts().items()}
        assert [name for name, parts in held.items() if parts == (True, False)] == ["a0", "b0"]
        assert [name for name, parts in held.items() if parts == (False, True)] == ["a3", "b3"]
        figure = drawn(placed)
        assert {"start point: holds the embedding", "end point: holds the head"} <= set(legend(figure))
        sizes = sorted(len(group.get_offsets()) for group in figure.axes[0].collections if group.get_gid() == "clients")
        assert sizes == [2, 2, 4]

    def test_a_cell_is_a_circle(self, clouded):
        cells = [patch for patch in drawn(clouded).axes[0].patches if patch.get_gid() == "cell"]
        assert [(cell.center[0], cell.center[1], cell.radius) for cell in cells] == [(0, 0, 100), (200, 0, 100)]

    @pytest.fixture(scope="class")
    def by_radio(self, make, folder):
        def by_radio(name, least):
            file = folder / f"{name}.json"
            file.write_text(json.dumps({
                "clusters": [{"edge": "edge0", "clients": [who for who in PLACES if who[0] == letter]} for letter in "ab"],
                "nodes": [{"name": who, "position": [f"{8 * x} m", f"{8 * y} m"]} for who, (x, y) in PLACES.items()]}))
            words = [word for link in ("d2d", "cs_up")
                     for word in (f"--link.{link}.path_loss", "umi_los", f"--link.{link}.shadowing", 0)]
            return make(name, "--network.file", file, "--network.layout", "list", *words, "--link.d2d.min_rate", "4.9 Mbit/s",
                        "--link.cs_up.min_rate", least)

        return by_radio

    def test_reaches_are_circles(self, by_radio):
        path = by_radio("reach", "100 Mbit/s")
        names = dict(table(path, "topology/nodes")[["node", "name"]].tolist())
        links = [row for row in table(path, "topology/links") if row["spare"] == 0]
        figure = drawn(path)
        circles = artists(figure, "reach")
        assert circles["edge0"].radius == min(row["reach_m"] for row in links if row["link"] == b"cs_up")
        for name in ("a1", "b2"):
            assert circles[name].radius == min(row["reach_m"] for row in links
                                               if row["link"] == b"d2d" and names[row["from"]].decode() == name)
        for row in links:  # without shadowing every link that is there reaches
            assert row["link"] == b"cs_down" or row["distance_m"] <= row["reach_m"]
        assert "reach of a client over D2D" in legend(figure)

    def test_a_reach_beyond_the_picture_is_a_number(self, by_radio):
        figure = drawn(by_radio("far", "30 Mbit/s"))
        assert "edge0" not in artists(figure, "reach")
        assert "links of edges reach 864.6 m or more" in figure.axes[0].get_xlabel()

    def test_a_file_with_places_of_its_own_has_no_cells(self, placed):
        assert not artists(drawn(placed), "cell")

    def test_the_cloud_does_not_hide_an_edge(self, clouded):
        figure = drawn(clouded)
        groups = {group.get_gid(): group.get_offsets() for group in figure.axes[0].collections}
        assert groups["cloud"][0][1] > groups["edge"][:, 1].max()
        assert "cloud, not at its place" in legend(figure)

    def test_clients_that_would_hide_each_other_are_moved_apart(self, make_placed):
        close = {"a0": (0, 30), "a1": (0.1, 30), "a2": (0, 30.1), "a3": (0.1, 30.1)}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(f"{__name__}.PLACES", PLACES | close)
            figure = drawn(make_placed("close", (("a0", "a1", "a2", "a3"), ("b0", "b1", "b2", "b3"))))
        places = artists(figure, "place")
        assert set(places) == {"a0", "a1", "a2", "a3"}
        for name, line in places.items():
            assert tuple(line.get_xydata()[1]) == pytest.approx(close[name])
        ends = [line.get_xydata()[0] for line in places.values()]
        nearest = min(abs(one - other).max() for one in ends for other in ends if one is not other)
        assert nearest > 1


class TestChainsOfOtherKinds:
    def test_clients_with_no_part_are_grey(self, make):
        figure = drawn(make("alone", *NINE, "--scheme", "fl"))
        grey = matplotlib.colors.to_rgba(network.SPARE)
        groups = [group for group in figure.axes[0].collections if group.get_gid() == "clients"]
        counts = {len(group.get_offsets()): [tuple(colour) == grey for colour in group.get_facecolors()] for group in groups}
        assert {count: set(are_grey) for count, are_grey in counts.items()} == {2: {False}, 6: {True}}
        assert not artists(figure, "hop")
        assert "client with no part" in legend(figure)
        assert texts(figure, "blocks")["c0.1"] == ""

    def test_a_chain_goes_by_way_of_an_edge_that_holds_a_stage(self, make):
        figure = drawn(make("by_edge", *NINE, "--cluster.edge_stage", 2))
        hops = artists(figure, "hop")
        assert {"c0.0 edge0", "edge0 c0.1", "c0.1 c0.2", "c0.2 c0.3"} <= set(hops)
        assert len(hops) == 8
        assert hops["c0.0 edge0"].get_linestyle() != hops["c0.1 c0.2"].get_linestyle()
        assert texts(figure, "blocks")["edge0"] == "2"

    def test_a_chain_ends_at_an_edge_that_holds_the_last_stage(self, make):
        assert set(artists(drawn(make("split", *NINE, "--scheme", "splitfed")), "hop")) == {"c0.0 edge0", "c1.0 edge0"}

    def test_a_chain_with_local_labels_goes_back_to_its_start_point(self, make):
        results = make("local", *NINE, "--train.labels", "local")
        assert {"c0.3 c0.0", "c1.3 c1.0"} <= set(artists(drawn(results), "hop"))
        assert "holds embedding and head" in legend(drawn(results))

    def test_a_session_of_inference_has_a_map(self, make):
        results = make("served", *NINE, "--model.weights", "random", "--infer.requests", 3, command="infer")
        figure = drawn(results)
        assert set(artists(figure, "hop")) == hops_in(results)
        assert "latency of a request, mean of 6" in figure.axes[0].get_title()


class TestManyNodes:
    def test_above_60_nodes_there_are_no_names(self, make):
        figure = drawn(make("many", "--network.clusters", 15, "--data.samples", 400))
        assert set(texts(figure, "name")) == {"edge0"}
        assert len(texts(figure, "blocks")) == 61
        assert "more than 60 nodes" in figure.axes[0].get_xlabel()

    def test_above_200_nodes_there_are_no_numbers(self, make):
        results = make("crowd", "--network.clusters", 50, "--data.samples", 1200)
        figure = drawn(results)
        assert not texts(figure, "blocks")
        assert set(artists(figure, "hop")) == hops_in(results)
        assert "more than 200 nodes" in figure.axes[0].get_xlabel()
        assert "by cluster (colours repeat)" in legend(figure)


class TestSchematicLayout:
    def test_it_is_taken_when_there_are_no_places(self, placed, tmp_path):
        copy = tmp_path / "copy.h5"
        shutil.copy(placed, copy)
        with h5py.File(copy, "r+") as file:
            rows = file["topology/nodes"][:]
            rows["x_m"] = float("nan")
            file["topology/nodes"][:] = rows
        figure = drawn(copy)
        assert "schematic" in figure.axes[0].get_xlabel()
        assert set(artists(figure, "hop")) == hops_in(placed)

    @pytest.mark.parametrize("clusters", [2, 13])
    def test_no_two_nodes_have_the_same_place(self, make, clusters):
        found = opened(make(f"rows{clusters}", "--network.clusters", clusters, "--network.edges", 2, "--data.samples", 400))
        places = found.schematic_places()
        assert set(places) == set(found.nodes.index)
        assert len({tuple(place.round(3)) for place in places.values()}) == len(found.nodes)

    def test_neighbours_of_a_chain_stand_side_by_side(self, clouded):
        found = opened(clouded)
        places = found.schematic_places()
        for hop in found.hops:
            assert ((places[hop.source] - places[hop.target]) ** 2).sum() == pytest.approx(1)


class TestTwoFiles:
    def test_both_panels_have_the_same_scales(self, placed, replanned):
        figure = drawn(placed, replanned)
        assert len(figure.axes) == 3  # and one colour bar
        assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()
        assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
        for panel, path in enumerate((placed, replanned)):
            assert set(artists(figure, "hop", panel)) == hops_in(path)

    def test_the_title_says_what_has_changed(self, placed, replanned):
        title = drawn(placed, replanned)._suptitle.get_text()
        for said in ("of 8 clients: 2 in another cluster", "3 at another place of their chain",
                     "8 with another number of blocks", "split.blocks = even, now 1,1,1,1", "another network.file"):
            assert said in title
        before, now = (table(path, "rounds")["latency_s"].mean() for path in (placed, replanned))
        assert f"latency of a round, mean of 2: {quantity(before, 's')}, now {quantity(now, 's')}" in title

    def test_a_cluster_keeps_its_colour_under_another_number(self, placed, replanned):
        figure = drawn(placed, replanned)
        before, now = (artists(figure, "chain", panel)["b0 b1"].get_edgecolor() for panel in (0, 1))
        assert before == now

    def test_nothing_has_changed_when_clusters_have_other_numbers(self, placed, make_placed):
        other = make_placed("renumbered", (("b0", "b1", "b2", "b3"), ("a0", "a1", "a2", "a3")))
        assert changes(opened(placed), opened(other)) == ""
        assert changed_settings(opened(placed), opened(other)) == "another network.file"

    def test_a_client_that_loses_its_part_is_counted(self, placed, make_placed):
        other = make_placed("fewer", (("a0", "a1", "a2", "a3"), ("b0", "b1", "b2", "b3")), "--scheme", "fl")
        assert "6 with no part any more" in changes(opened(placed), opened(other))
        assert "6 with a part now" in changes(opened(other), opened(placed))


class TestCriticalPath:
    def test_bars_are_the_mean_parts_of_the_slowest_edge(self, placed, clouded):
        with h5py.File(placed) as first, h5py.File(clouded) as second:
            figure = draw_critical_path([first, second])
        widths = {name: bar.get_width() for name, bar in artists(figure, "part").items()}
        for row, path in enumerate((placed, clouded)):
            rounds = table(path, "rounds")
            slowest = [max(rounds[rounds["round"] == number], key=lambda one: one["latency_s"]) for number in (1, 2)]
            own = {name.split()[1]: width for name, width in widths.items() if name.startswith(f"{row} ")}
            for part, width in own.items():
                assert width == pytest.approx(sum(one[part] for one in slowest) / 2)
            assert sum(own.values()) == pytest.approx(sum(one["latency_s"] for one in slowest) / 2)

    def test_the_table_has_seconds_and_per_cent(self, placed):
        with h5py.File(placed) as file:
            latency = latency_of(file)
            words = [text.get_text() for text in draw_critical_path([file]).axes[1].texts]
        assert quantity(latency.parts["d2d_s"], "s") in words
        assert f"{100 * latency.parts['d2d_s'] / latency.seconds:.1f} %" in words
        assert "d2d: smashed data from client to client" in words

    def test_any_number_of_files_is_taken(self, placed, replanned, clouded, tmp_path):
        done = tool("network", placed, replanned, clouded, "--critical-path", "-o", tmp_path / "bars.svg")
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "bars.svg").read_bytes().startswith(SIGNATURES[".svg"])


class TestProgram:
    @pytest.mark.parametrize("ending", SIGNATURES)
    def test_a_picture_is_written(self, placed, tmp_path, ending):
        picture = tmp_path / f"map{ending}"
        done = tool("network", placed, "-o", picture)
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == [str(picture)]
        assert picture.read_bytes().startswith(SIGNATURES[ending])

    def test_a_picture_lies_beside_the_first_file_unless_told_otherwise(self, placed, replanned):
        done = tool("network", placed, replanned)
        assert done.returncode == 0, done.stderr
        assert placed.with_suffix(".network.png").is_file()

    def test_help_says_by_which_rule_labels_are_left_out(self):
        done = tool("network", "--help")
        assert done.returncode == 0
        assert "60 nodes" in done.stdout

    def test_files_that_cannot_be_drawn_are_refused_in_one_line(self, placed, tmp_path):
        (tmp_path / "text.h5").write_text("no HDF5")
        for name, schema in (("other.h5", "another"), ("empty.h5", "gaisnet")):
            with h5py.File(tmp_path / name, "w") as file:
                file.attrs["schema"] = schema
        for file, message in (("missing.h5", "no such file"), ("text.h5", "not an HDF5 file"), ("other.h5", "not one of"),
                              ("empty.h5", "/topology/nodes")):
            assert_refused(tool("network", tmp_path / file), file, message)
        assert_refused(tool("network", placed, placed, placed), "3 files", "--critical-path")
        assert_refused(tool("network", placed, "-o", tmp_path / "map.jpg"), "map.jpg", ".png, .svg, .pdf")
        assert_refused(tool("network", placed, "-o", tmp_path / "none" / "map.png"), "no folder")
        assert_refused(tool("network", tmp_path / "empty.h5", "--critical-path"), "/rounds")

    def test_a_run_without_a_network_is_refused(self, make):
        services = make("services", "--serve.mode", "table", "--serve.profit", "5,6; 4,5",
                        "--serve.cost", "3; 2", command="serve")
        assert_refused(tool("network", services), "no clients")
