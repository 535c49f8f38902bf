"""Draws the network of a run, or of two runs side by side: python3 -m analysis.network FILE [FILE]

FILE is a results file of gaisnet finetune, plan or infer. The picture shows edges, cloud and clients at their places, every
cluster as a chain of arrows from start point to end point, coloured by the rate of the hop, and in every node its number of
Transformer blocks. Two files, before and after planning, have the same scales and a title that says what has changed.
--critical-path draws the parts of the latency of a round instead, a bar a FILE.

Up to 60 nodes have names, up to 200 numbers of blocks. Up to 7 clusters have a colour each; with more, edges have colours,
or with one edge colours repeat. Where a file has no places the layout is schematic: every cluster is a ray from its edge, or
with more than 12 clusters an edge a row.
"""

import contextlib
import textwrap

from analysis.critical_path import draw_critical_path, ink_on, latency_of
from analysis.labels import Label, along, box_of, curve, settle, to_points, write_labels
from analysis.results import (BESIDE, COLOURS, UnreadableFile, argparse, numpy, open_gaisnet, parser_of, picture_path, pyplot,
                              quantity, run_tool, save)
from analysis.topology import Network, changed_settings, changes, matched_clusters

FEW, NAMED, NUMBERED = 20, 60, 200  # nodes at most that have circles, names, and numbers of blocks
PALETTE = tuple(colour for colour in COLOURS if colour not in ("#bbbbbb", "#000000"))
BENDS = (0, 0.12, -0.12, 0.2, -0.2, 0.3, -0.3, 0.45, -0.45)  # of arrows, in parts of their length, as they are tried
SPARE, CS_LINK = "#c4c4c4", "#cccccc"
SHAPES = {(True, False): ("s", "start point: holds the embedding"), (False, False): ("o", "client in between"),
          (False, True): ("D", "end point: holds the head"), (True, True): ("h", "holds embedding and head")}


def marker_size(nodes):
    """Diameter of a node in points."""
    return 15 if nodes <= 20 else 12 if nodes <= NAMED else 9.5 if nodes <= NUMBERED else 5


def cluster_colours(networks):
    """Colours of clusters, a dictionary a network, and the entries of the legend: {text: colour}. A cluster of the second
    network has the colour of that of the first with which it has most clients in common."""
    first, *others = networks
    edges = sorted({edge for network in networks for edge, _ in network.chains})
    names = {where: f"cluster {where[1]}" + (f" of edge {where[0]}" if len(edges) > 1 else "") for where in first.chains}
    kinds = [dict(zip(first.chains, first.chains))]
    for other in others:
        matched = matched_clusters(first, other)
        kinds.append({where: matched.get(where, ("new", where)) for where in other.chains})
        names |= {("new", where): f"cluster {where[1]}, new" for where in other.chains if where not in matched}
    if len(names) > len(PALETTE) and len(edges) > 1:
        chosen = {edge: PALETTE[number % len(PALETTE)] for number, edge in enumerate(edges)}
        entries = {f"edge {edge}": colour for edge, colour in chosen.items()}
        if len(edges) > len(PALETTE):
            entries = {"by edge (colours repeat)": PALETTE[0]}
        return [{where: chosen[where[0]] for where in network.chains} for network in networks], entries
    chosen = {kind: PALETTE[number % len(PALETTE)] for number, kind in enumerate(names)}
    entries = {names[kind]: colour for kind, colour in chosen.items()}
    if len(names) > len(PALETTE):
        entries = {"by cluster (colours repeat)": PALETTE[0]}
    return [{where: chosen[kind] for where, kind in own.items()} for own in kinds], entries


def rate_scale(networks):
    """Colour map and logarithmic scale of the rates of hops, Mbit/s; None where no hop has a rate."""
    plt = pyplot()
    from matplotlib.colors import LinearSegmentedColormap, LogNorm
    rates = [hop.rate / 1e6 for network in networks for hop in network.hops if hop.rate > 0]
    if not rates:
        return None
    low, high = min(rates), max(rates)
    if high < 1.05 * low:
        low, high = low / 2, high * 2
    # Without its palest colours, which a white ground swallows.
    colours = LinearSegmentedColormap.from_list("rates", plt.get_cmap("plasma")(numpy.linspace(0, 0.88, 256)))
    return plt.cm.ScalarMappable(LogNorm(low, high), colours)


class Panel:
    """One network on one pair of axes."""

    def __init__(self, axes, network, places, colours, scale, schematic):
        self.axes, self.network, self.colours, self.scale, self.schematic = axes, network, colours, scale, schematic
        self.true_places, self.places = places, dict(places)
        self.size = marker_size(len(network.nodes))
        self.half = {node: self.size / 2 if role == "client" else 0.75 * max(self.size, 9)
                     for node, role in network.nodes["role"].items()}
        self.parts = network.parts()
        self.cloud_moved = False
        self.middles = {}  # control points of the arrows, by hop
        self.directions = {(hop.source, hop.target) for hop in network.hops}
        self.drawn = set()  # what the legend has to explain
        self.beyond = {}  # reach of edges and clients, m, where it is larger than the picture

    def move_cloud(self, low, high):
        """Puts the cloud above everything else where it would hide an edge, or where there are no places."""
        for node in self.network.nodes.index[self.network.nodes["role"] == "cloud"]:
            near = any(numpy.hypot(*(self.places[node] - self.places[edge])) < 0.05 * (high - low).max()
                       for edge in self.network.edges.index)
            if near or self.schematic or not numpy.isfinite(self.places[node]).all():
                self.places[node] = numpy.array([(low[0] + high[0]) / 2, high[1] + 0.08 * (high[1] - low[1])])
                self.cloud_moved = True

    def spread(self, points_per_unit):
        """Moves clients apart that would hide each other or lie under an edge."""
        self.points_per_unit = points_per_unit
        if len(self.network.nodes) > NUMBERED:
            return
        nodes = list(self.places)
        radii = numpy.array([1.45 * self.half[node] for node in nodes]) / points_per_unit
        moves = numpy.array([node in self.network.clients.index for node in nodes])
        self.places = dict(zip(nodes, apart(numpy.array([self.places[node] for node in nodes]), radii, moves)))
        for node in self.network.clients.index if not self.schematic else ():
            line = numpy.array([self.places[node], self.true_places[node]])
            if numpy.hypot(*(line[0] - line[1])) * points_per_unit > self.half[node]:
                self.axes.plot(*line.T, color="#000000", linewidth=0.6, marker="o", markersize=2.5, markevery=[1], zorder=4.5,
                               gid=f"place {self.network.nodes['name'][node]}")
                self.drawn.add("place")

    def draw(self):
        if not self.schematic:
            self.draw_cells()
            self.draw_reaches()
        self.draw_thin_links()
        self.draw_chains()
        self.draw_nodes()
        network = self.network
        self.axes.set_title(f"{network.title}: {len(network.nodes)} nodes, {len(network.chains)} clusters", fontsize="medium")
        notes = ["schematic: places have no meaning" if self.schematic else
                 "m" + (", at the start: nodes move" if network.settings.get("mobility.model", "none") != "none" else "")]
        left_out = [what for what, most in (("names", NAMED), ("numbers of blocks", NUMBERED)) if len(network.nodes) > most]
        notes += [f"links of {kind} reach {quantity(reach, 'm')} or more, beyond the picture"
                  for kind, reach in self.beyond.items()]
        if left_out:
            notes.append(f"{' and '.join(left_out)} are left out, as there are more than "
                         f"{NUMBERED if len(left_out) > 1 else NAMED} nodes")
        self.axes.set_xlabel("\n".join(notes))
        if self.schematic:
            self.axes.set(xticks=[], yticks=[])

    def draw_cells(self):
        radius = self.network.cell_radius()
        corners = numpy.array([(x, y) for x in self.axes.get_xlim() for y in self.axes.get_ylim()])
        for node in self.network.edges.index if radius else ():
            if numpy.hypot(*(corners - self.places[node]).T).max() < radius:
                continue  # It lies around the whole picture.
            self.axes.add_patch(pyplot().Circle(self.places[node], radius, fill=False, color="#999999", linewidth=0.6,
                                                gid="cell"))
            self.drawn.add("cell")

    def draw_reaches(self):
        """Circles around edges and, where few nodes are drawn, around clients. What lies beyond the picture is a number."""
        corners = numpy.array([(x, y) for x in self.axes.get_xlim() for y in self.axes.get_ylim()])
        for node, reach in self.network.reaches().items():
            of_edge = node in self.network.edges.index
            if numpy.hypot(*(corners - self.places[node]).T).max() < reach:
                kind = "edges" if of_edge else "clients"
                self.beyond[kind] = min(self.beyond.get(kind, numpy.inf), reach)
                continue
            if not of_edge and len(self.network.nodes) > FEW:
                continue
            self.axes.add_patch(pyplot().Circle(self.places[node], reach, fill=False, linestyle=":",
                                                linewidth=1.1 if of_edge else 0.6, color="#555555" if of_edge else "#aaaaaa",
                                                gid=f"reach {self.network.nodes['name'][node]}"))
            self.drawn.add("reach" if of_edge else "reach of clients")

    def draw_thin_links(self):
        """Between clients and edges, and between edges and cloud; both directions are one line."""
        from matplotlib.collections import LineCollection
        for kind, links, style in (("cs", ("cs_up", "cs_down"), "-"), ("backhaul", ("backhaul",), (0, (4, 3)))):
            pairs = {tuple(sorted(ends)) for ends, (link, _) in self.network.rates.items() if link in links}
            lines = [(self.places[one], self.places[other]) for one, other in sorted(pairs)]
            if lines:
                colour = CS_LINK if kind == "cs" else "#777777"
                self.axes.add_collection(LineCollection(lines, colors=colour, linewidths=0.5 if self.size > 5 else 0.3,
                                                        linestyles=[style], zorder=1, gid=kind))
                self.drawn.add(kind)

    def draw_chains(self):
        """Arrows in the colour of their rate, on a pale line in the colour of the cluster."""
        from matplotlib.patches import FancyArrowPatch, PathPatch
        from matplotlib.path import Path
        for hop in self.network.hops:
            over_edge = hop.link != "d2d"
            ends = [self.network.nodes["name"][node] for node in (hop.source, hop.target)]
            bend, middle = self.bend_of(hop)
            self.middles[hop] = middle
            self.axes.add_patch(PathPatch(Path([self.places[hop.source], middle, self.places[hop.target]], [1, 3, 3]), fill=False,
                                          color=self.colours[hop.cluster], alpha=0.25, linewidth=0.45 * self.size, zorder=2,
                                          gid=f"chain {ends[0]} {ends[1]}"))
            colour = self.scale.to_rgba(hop.rate / 1e6) if hop.rate > 0 else "#000000"
            self.axes.add_patch(FancyArrowPatch(
                self.places[hop.source], self.places[hop.target], arrowstyle="-|>", color=colour,
                gid=f"hop {ends[0]} {ends[1]}", mutation_scale=0.75 * self.size if self.size > 5 else 5,
                linewidth=1.8 if self.size > 5 else 0.9, linestyle=(0, (4, 2)) if over_edge else "-", zorder=3,
                shrinkA=self.half[hop.source], shrinkB=self.half[hop.target], connectionstyle=f"arc3,rad={bend}"))
            self.drawn.add("hop over edge" if over_edge else "hop")

    def bend_of(self, hop):
        """How far an arrow has to be bent so that it passes under no other node, nor under the arrow of the other direction,
        and the control point of its curve."""
        start, end = self.places[hop.source], self.places[hop.target]
        across = numpy.array([end[1] - start[1], start[0] - end[0]])
        others = [node for node in self.places if node not in (hop.source, hop.target)]
        places = numpy.array([self.places[node] for node in others]).reshape(-1, 2)
        reach = numpy.array([self.half[node] + 4 for node in others]) / self.points_per_unit
        both = (hop.target, hop.source) in self.directions
        bends = (0.25, 0.4) if both else BENDS
        for bend in bends if len(self.network.nodes) <= NUMBERED else ():
            middle = (start + end) / 2 + bend * across
            gaps = curve(start, middle, end, 120)[:, None] - places
            if (numpy.hypot(gaps[..., 0], gaps[..., 1]) > reach).all():
                return bend, middle
        return bends[0], (start + end) / 2 + bends[0] * across

    def draw_nodes(self):
        network = self.network
        own = {node: self.colours[where] for where, members in
               network.clients.groupby(["edge", "cluster"]) if where in self.colours for node in members.index}
        groups = {}  # by shape
        for node in network.clients.index:
            groups.setdefault(self.parts.get(node), []).append(node)
        for held, nodes in groups.items():
            shape = SHAPES[held][0] if held else "o"
            # Squares and diamonds look larger than circles of the same width.
            area = self.size ** 2 * {"s": 0.85, "D": 0.68, "h": 1.15}.get(shape, 1.0)
            colours = [own.get(node, SPARE) if held else SPARE for node in nodes]
            self.axes.scatter(*numpy.array([self.places[node] for node in nodes]).T, s=area, marker=shape, c=colours, zorder=5,
                              edgecolors="#ffffff", linewidths=0.8 if self.size > 5 else 0.3, gid="clients")
            self.drawn.add(held or "spare")
        for role, marker, scale in (("edge", "^", 2.4), ("cloud", "8", 2.6)):
            nodes = network.nodes.index[network.nodes["role"] == role]
            if len(nodes):
                self.axes.scatter(*numpy.array([self.places[node] for node in nodes]).T, s=scale * max(self.size, 9) ** 2,
                                  marker=marker, c="#000000" if role == "edge" else "#777777", edgecolors="#ffffff", zorder=6,
                                  gid=role)
                self.drawn.add(role)
        if len(network.nodes) <= NUMBERED:
            for node in [*network.clients.index, *network.edges.index]:
                is_edge = node in network.edges.index
                colour = own.get(node, SPARE) if node in self.parts else "#000000" if is_edge else SPARE
                self.axes.annotate(network.blocks_text(node), self.places[node], xytext=(0, -0.2 * self.size if is_edge else 0),
                                   textcoords="offset points", ha="center", va="center_baseline", color=ink_on(colour),
                                   fontsize=0.62 * self.size, zorder=7, gid=f"blocks {network.nodes['name'][node]}")

    def write_names(self):
        """Writes each name where it hides the least. The layout of the figure has to be final."""
        network = self.network
        named = list(network.nodes.index) if len(network.nodes) <= NAMED else \
            list(network.nodes.index[network.nodes["role"] != "client"])
        if len(named) > NAMED:
            return
        names = network.nodes["name"]
        at = dict(zip(self.places, to_points(self.axes, list(self.places.values()))))
        taken = [box_of(at[node], 2 * self.half[node], 2 * self.half[node]) for node in at]
        taken += [box for hop in network.hops for box in
                  along(at[hop.source], at[hop.target], to_points(self.axes, self.middles[hop]))]
        write_labels(self.axes, [Label(names[node], self.places[node], self.half[node] + 1.5, node not in network.clients.index)
                                 for node in named], taken, 8 if len(network.nodes) <= 30 else 6.5, "name")


def apart(places, radii, moves):
    """Places of discs [n, 2] that are moved until none overlaps another, those with moves = False excepted."""
    found = places.copy()
    nudge = 1e-3 * radii.min() * numpy.arange(len(places))[:, None] * [1.0, 0.5]  # gives equal places a direction
    least = radii[:, None] + radii[None, :]
    numpy.fill_diagonal(least, 0.0)
    weights = moves[:, None] / numpy.maximum(1, moves[:, None].astype(int) + moves[None, :])
    for _ in range(300):
        between = (found + nudge)[:, None] - (found + nudge)[None, :]
        distance = numpy.maximum(numpy.hypot(between[..., 0], between[..., 1]), 1e-300)
        push = numpy.maximum(0.0, least - distance)
        if push.max() < 0.01 * radii.min():
            break
        found = found + (between / distance[..., None] * (weights * push)[..., None]).sum(axis=1) * 0.6
    return found


def legend_of(axes, panels, entries):
    """Only what the panels have."""
    plt = pyplot()
    drawn = set().union(*(panel.drawn for panel in panels))
    size = 8

    def line(label, **style):
        return plt.Line2D([], [], label=label, **({"linestyle": "none", "markersize": size} | style))

    handles = [line("edge", marker="^", color="#000000")] if "edge" in drawn else []
    if "cloud" in drawn:
        moved = ", not at its place" if any(panel.cloud_moved and not panel.schematic for panel in panels) else ""
        handles.append(line("cloud" + moved, marker="8", color="#777777"))
    for held, (shape, what) in SHAPES.items():
        if held in drawn:
            handles.append(line(what, marker=shape, color="#555555", markersize=size * {"D": 0.8}.get(shape, 1)))
    if "spare" in drawn:
        handles.append(line("client with no part", marker="o", color=SPARE))
    if min(len(panel.network.nodes) for panel in panels) <= NUMBERED:
        handles.append(line("in a node: its Transformer blocks", marker="$2$", color="#555555", markersize=6))
    thin = {"marker": None, "linestyle": "-"}
    for what, label, style in (
            ("hop", "hop of a chain, D2D", {"color": "#444444", "linewidth": 1.8}),
            ("hop over edge", "hop of a chain, to or from the edge", {"color": "#444444", "linewidth": 1.8, "linestyle": "--"}),
            ("cs", "CS link", {"color": CS_LINK, "linewidth": 1}),
            ("backhaul", "backhaul", {"color": "#777777", "linewidth": 1, "linestyle": "--"}),
            ("cell", f"cell, {panels[0].network.settings.get('network.radius')}", {"color": "#999999", "linewidth": 0.6}),
            ("reach", "reach of an edge: all its CS links carry min_rate", {"color": "#555555", "linewidth": 1.1,
                                                                            "linestyle": ":"}),
            ("reach of clients", "reach of a client over D2D", {"color": "#aaaaaa", "linewidth": 0.6, "linestyle": ":"}),
            ("place", "its place, where it is drawn beside it", {"color": "#000000", "linewidth": 0.6, "marker": "o",
                                                               "markersize": 2.5})):
        if what in drawn:
            handles.append(line(label, **(thin | style)))
    if any(panel.parts for panel in panels) and (len(entries) > 1 or "repeat" in next(iter(entries), "")):
        several = len(panels) > 1 and not any("edge" in text.split()[:2] for text in entries)
        handles += [line("\ncolours" + (", of the first file:" if several else ":"))]
        handles += [line(text, marker="o", color=colour) if "repeat" not in text else line(text)
                    for text, colour in entries.items()]
    axes.legend(handles=handles, **BESIDE)


def title_of(networks, latencies):
    """What has changed from one network to the other, and what a round takes; of one network the latter only."""
    lines = []
    if len(networks) == 2:
        lines = [changes(*networks) or "the same chains and blocks", changed_settings(*networks)]
    known = [latency for latency in latencies if latency]
    if len(known) == len(networks):
        if len(known) == 1:
            lines.append(f"latency of a {known[0].unit}, mean of {known[0].count}: {quantity(known[0].seconds, 's')}")
        elif known[0].unit == known[1].unit:
            before, now = known
            means = str(before.count) if before.count == now.count else f"{before.count}, now of {now.count}"
            lines.append(f"latency of a {before.unit}, mean of {means}: {quantity(before.seconds, 's')}, now "
                         f"{quantity(now.seconds, 's')} ({100 * (now.seconds / before.seconds - 1):+.1f} %)")
    return "\n".join(textwrap.fill(line, 95 * len(networks)) for line in lines if line)


def draw(networks, latencies, schematic=False):
    """A panel for each network, with the same scales."""
    schematic = schematic or not all(network.has_places() for network in networks)
    colours, entries = cluster_colours(networks)
    scale = rate_scale(networks)
    places = [network.schematic_places() if schematic else network.places() for network in networks]
    points = numpy.array([own[node] for network, own in zip(networks, places) for node in own
                          if network.nodes["role"][node] != "cloud"])
    low, high = points.min(axis=0), points.max(axis=0)
    most = max(len(network.nodes) for network in networks)
    width = 7.0 if most <= NAMED else 8.5
    figure, found = pyplot().subplots(1, len(networks), layout="constrained", squeeze=False)
    panels = [Panel(axes, *about, scale, schematic) for axes, *about in zip(found[0], networks, places, colours)]
    for panel in panels:
        panel.move_cloud(low, high)
    points = numpy.array([point for panel in panels for point in panel.places.values()])
    low, high = points.min(axis=0), points.max(axis=0)
    sides = (high - low) + 0.16 * ((high - low).max() or 1.0)
    sides = numpy.maximum(sides, sides[::-1] * (0.9, 0.55))  # neither too tall nor too flat
    low, high = (low + high - sides) / 2, (low + high + sides) / 2
    figure.set_size_inches(width * len(networks) + 3.2, width * sides[1] / sides[0] + 1.6)
    for panel in panels:
        panel.axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
        panel.spread(72 * width / sides[0])
        panel.draw()
    if scale:
        bar = figure.colorbar(scale, ax=list(found[0]), location="bottom", shrink=0.6, aspect=45, pad=0.02)
        bar.ax.tick_params(which="both", pad=4, length=4)
        bar.set_label("rate of a hop (Mbit/s), at the start, when nobody shares its medium")
        ticks = pyplot().matplotlib.ticker
        bar.ax.xaxis.set_major_formatter(ticks.FormatStrFormatter("%g"))
        bar.ax.xaxis.set_minor_formatter(ticks.LogFormatter(minor_thresholds=(1.5, 0.7)))
    legend_of(found[0][-1], panels, entries)
    title = title_of(networks, latencies)
    if len(panels) == 1:
        panels[0].axes.set_title(f"{panels[0].axes.get_title()}\n{title}".rstrip(), fontsize="medium")
    else:
        figure.suptitle(title, fontsize="medium")
    settle(figure)
    for panel in panels:
        panel.write_names()
    return figure


def main():
    parser = parser_of("network", __doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("files", nargs="+", metavar="FILE", help="results files of gaisnet (HDF5): one, or before and after")
    parser.add_argument("-o", "--output", metavar="PICTURE",
                        help=".png, .svg or .pdf; otherwise beside the first file, .network.png or .critical_path.png")
    parser.add_argument("--schematic", action="store_true", help="do not draw nodes at their places")
    parser.add_argument("--critical-path", action="store_true",
                        help="draw the parts of the latency of a round instead, a bar a FILE, any number of them")
    parser.add_argument("--round", type=int, default=1, metavar="N",
                        help="draw the clusters of round N, where they change (plan.period); nodes stand where they began")
    given = parser.parse_args()
    if len(given.files) > 2 and not given.critical_path:
        raise UnreadableFile(f"{len(given.files)} files: one or two are accepted, more with --critical-path")
    path = picture_path(given.output, given.files[0], ".critical_path.png" if given.critical_path else ".network.png")
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(open_gaisnet(file)) for file in given.files]
        if given.critical_path:
            save(draw_critical_path(files), path)
        else:
            save(draw([Network(file, given.round) for file in files], [latency_of(file) for file in files], given.schematic), path)


if __name__ == "__main__":
    run_tool(main, refused=2)
