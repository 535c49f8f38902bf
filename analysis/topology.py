"""What a results file says of its emulated network: nodes and their places, chains, hops, and how two networks differ."""

import dataclasses
import math
import pathlib

from analysis.results import UnreadableFile, numpy, settings_of, table

NEEDED = ("node", "name", "role", "edge", "cluster", "position", "first_block", "blocks")
METRES = {"mm": 1e-3, "cm": 1e-2, "m": 1.0, "km": 1e3}
RING = 12  # clusters of an edge that a schematic layout puts in a ring; more of them stand in rows


@dataclasses.dataclass(frozen=True)
class Stage:
    """A part of the model at a node."""
    node: int
    blocks: int


@dataclasses.dataclass(frozen=True)
class Hop:
    """From a stage of a cluster to the next one; to an edge or from it, over a CS link. rate: bit/s; NaN where no link is
    listed."""
    cluster: tuple
    source: int
    target: int
    link: str
    rate: float


class Network:
    """The nodes, links and chains of an open results file, in one of its rounds. Raises UnreadableFile."""

    def __init__(self, file, in_round=1):
        self.title = pathlib.Path(file.filename).name
        self.nodes, self.links = table(file, "topology/nodes"), table(file, "topology/links")
        missing = [column for column in NEEDED if column not in self.nodes]
        if missing:
            raise UnreadableFile(f"'{file.filename}': its table /topology/nodes has no column {missing[0]}")
        if not (self.nodes["role"] == "client").any():
            raise UnreadableFile(f"'{file.filename}': its table /topology/nodes has no clients: its run emulates no network")
        self.nodes = self.nodes.set_index("node")
        self.settings = settings_of(file)
        self.clients = self.nodes[self.nodes["role"] == "client"]
        self.edges = self.nodes[self.nodes["role"] == "edge"]
        self.rates = {(link.source, link.target): (link.link, link.rate_bit_s)
                      for link in self.links.rename(columns={"from": "source", "to": "target"}).itertuples()}
        listed = table(file, "topology/chains") if "topology/chains" in file else None
        if listed is not None and "since_round" in listed:
            listed = listed[listed["since_round"] == listed["since_round"][listed["since_round"] <= in_round].max()]
            if not listed.empty and listed["since_round"].iloc[0] > 1:
                self._reseat(listed)
        if listed is not None and not listed.empty:
            self.chains = {where: [Stage(int(stage.node), int(stage.blocks)) for stage in stages.itertuples()]
                           for where, stages in listed.groupby(["edge", "cluster"])}
        else:
            self.chains = {where: self._chain(members, where) for where, members in
                           self.clients[self.clients["cluster"] >= 0].groupby(["edge", "cluster"])}
        self.hops = [hop for where, chain in self.chains.items() for hop in self._hops(where, chain)]

    def _reseat(self, listed):
        """Clients as the chains of a later round have them: /topology/nodes says where they were in the first."""
        clients = self.nodes["role"] == "client"
        self.nodes.loc[clients, ["cluster", "position", "first_block"]] = -1
        self.nodes.loc[clients, "blocks"] = 0
        for stage in listed[listed["node"].isin(self.nodes.index[clients])].itertuples():
            self.nodes.loc[stage.node, ["cluster", "position", "first_block", "blocks"]] = (
                stage.cluster, stage.position, stage.first_block, stage.blocks)
        self.clients = self.nodes[clients]

    def edge_node(self, edge):
        """The node of an edge; None where there is none."""
        found = self.edges.index[self.edges["edge"] == edge]
        return int(found[0]) if len(found) else None

    def _chain(self, members, where):
        """The stages of a cluster in order, in a file of schema 6 without /topology/chains, which lists clients only: where the edge holds a stage follows from the
        place that they leave, from the blocks that they do not hold, and from the settings."""
        seated = members[members["position"] >= 0].sort_values("position")
        stages = [Stage(int(node), int(blocks)) for node, blocks in seated["blocks"].items()]
        held = self.nodes[self.nodes["blocks"] > 0]
        depth = int((held["first_block"] + held["blocks"]).max()) if len(held) else 0
        lacking = depth - sum(stage.blocks for stage in stages)
        gap = next((i for i, place in enumerate(seated["position"]) if place != i), None)
        is_last = (self.settings.get("scheme") in ("sl", "splitfed", "centralised")
                   or self.settings.get("cluster.edge_stage") == str(len(stages) + 1))
        edge = self.edge_node(where[0])
        if edge is not None and (gap is not None or is_last or lacking > 0):
            stages.insert(len(stages) if gap is None else gap, Stage(edge, max(lacking, 0)))
        if self.settings.get("train.labels") == "local" and len(stages) > 1:
            stages.append(Stage(stages[0].node, 0))  # the head is at the start point
        return stages

    def _hops(self, where, chain):
        for one, other in zip(chain, chain[1:]):
            link, rate = self.rates.get((one.node, other.node), ("", math.nan))
            yield Hop(where, one.node, other.node, link, rate)

    def parts(self):
        """What each client holds beside blocks: {node: (embedding, head)}. Clients with no part are not in it."""
        found = {stage.node: (False, False) for chain in self.chains.values() for stage in chain}
        for chain in filter(None, self.chains.values()):
            first, last = chain[0].node, chain[-1].node
            found[first] = (True, found[first][1])
            found[last] = (found[last][0], True)
        return {node: held for node, held in found.items() if node in self.clients.index}

    def blocks_text(self, node):
        """The number of blocks of a node; of an edge, the least and the most that it holds of a cluster's chain."""
        counts = sorted({sum(own) for chain in self.chains.values()
                         if (own := [stage.blocks for stage in chain if stage.node == node])})
        return "" if not counts else str(counts[0]) if len(counts) == 1 else f"{counts[0]}-{counts[-1]}"

    def has_places(self):
        """Whether the file says where clients stand. A file in which all stand at one point does not."""
        if "x_m" not in self.nodes or "y_m" not in self.nodes:
            return False
        places = self.nodes.loc[self.nodes["role"] != "cloud", ["x_m", "y_m"]].to_numpy()
        own = self.clients[["x_m", "y_m"]].to_numpy()
        return bool(numpy.isfinite(places).all()) and (len(own) == 1 or numpy.ptp(own, axis=0).max() > 0)

    def places(self):
        """{node: (x, y)} in m, at the start of the run."""
        return dict(zip(self.nodes.index, self.nodes[["x_m", "y_m"]].to_numpy()))

    def cell_radius(self):
        """Of the cells, m; None where there are none, or where a network.file may have moved the edges out of their middle."""
        given = self.settings
        if (given.get("network.layout") not in ("disc", "grid") or given.get("cs.access") != "cellular"
                or "network.file.hash" in given):
            return None
        number, _, unit = given.get("network.radius", "").partition(" ")
        try:
            return float(number) * METRES[unit.strip() or "m"]
        except (KeyError, ValueError):
            return None

    def reaches(self):
        """How far links reach, m, by node, where rates are by radio: of an edge, to and from all of its clients that have a
        part; of a client, to its neighbours in the chain. The least of each."""
        found = {}
        for link in self.links.itertuples() if "reach_m" in self.links else ():
            one, other = link[1 + self.links.columns.get_loc("from")], link.to
            if not math.isfinite(link.reach_m) or link.spare or link.link == "backhaul":
                continue
            ends = (one, other) if link.link != "d2d" else (one,)
            for node in ends:
                if link.link == "d2d" or node in self.edges.index:
                    found[node] = min(found.get(node, math.inf), link.reach_m)
        return found

    def schematic_places(self):
        """{node: (x, y)} without a unit: every cluster is a row in the order of its chain, clients with no part at its end.
        Up to RING rows stand as rays around their edge, more of them in columns below it."""
        rows = {}  # of nodes, by edge
        for (edge, _), members in self.clients.groupby(["edge", "cluster"]):
            order = members.assign(spare=members["position"] < 0).sort_values(["spare", "position"])
            rows.setdefault(edge, []).append(order.index.tolist())
        offsets = {edge: block_of(own) for edge, own in rows.items()}
        pitch = 2 * max(abs(point).max() for own in offsets.values() for point in own.values()) + 2
        side = math.ceil(math.sqrt(max(len(self.edges), 1)))
        found = {}
        for number, (edge, own) in enumerate(offsets.items()):
            middle = numpy.array([number % side, -(number // side)]) * pitch
            if self.edge_node(edge) is not None:
                found[self.edge_node(edge)] = middle
            found |= {node: middle + offset for node, offset in own.items()}
        for number, node in enumerate(node for node in self.nodes.index if node not in found):
            found[node] = numpy.array([number * 2.0, pitch / 2])
        return found


def block_of(rows):
    """Offsets of the nodes of an edge's rows from the edge."""
    if len(rows) <= RING:
        inner = max(1.5, len(rows) / 4)
        angles = [math.pi / 2 - 2 * math.pi * number / len(rows) for number in range(len(rows))]
        return {node: (inner + place) * numpy.array([math.cos(angle), math.sin(angle)])
                for row, angle in zip(rows, angles) for place, node in enumerate(row)}
    width = max(map(len, rows)) + 1.5
    columns = max(1, round(math.sqrt(len(rows) / width)))
    height = math.ceil(len(rows) / columns)
    left = -(columns * width - 2.5) / 2
    return {node: numpy.array([left + number // height * width + place, -1.5 - number % height])
            for number, row in enumerate(rows) for place, node in enumerate(row)}


def matched_clusters(before, now):
    """For each cluster of `now` that of `before` with the most clients in common, each at most once."""
    names = {where: {before.nodes["name"][stage] for stage in members} for where, members in members_of(before).items()}
    common = sorted(((len(names[old] & {now.nodes["name"][node] for node in members}), old, new)
                     for new, members in members_of(now).items() for old in names), key=lambda one: (-one[0], one[1:]))
    found = {}
    for size, old, new in common:
        if size and new not in found and old not in found.values():
            found[new] = old
    return found


def members_of(network):
    """Clients by cluster, those with no part as well."""
    return {where: members.index.tolist() for where, members in
            network.clients[network.clients["cluster"] >= 0].groupby(["edge", "cluster"])}


def changes(before, now):
    """What differs between two networks, in words; empty where chains and blocks are the same."""
    matched = matched_clusters(before, now)

    def facts(network, clusters):
        """By name of a client: cluster, predecessors in its chain, blocks; None for one with no part."""
        found = dict.fromkeys(network.clients["name"])
        for where, chain in network.chains.items():
            names = [network.nodes["name"][stage.node] for stage in chain]
            for place, stage in enumerate(chain):
                if stage.node in network.clients.index and found[names[place]] is None:
                    found[names[place]] = (clusters.get(where, ("new", where)), names[:place], stage.blocks)
        return found

    old, new = facts(before, {where: where for where in before.chains}), facts(now, matched)
    both = [name for name in old if name in new]
    if not both:
        return "no client is in both"
    seated = [name for name in both if old[name] and new[name]]
    counts = {
        "in another cluster": sum(old[name][0] != new[name][0] for name in seated),
        "at another place of their chain": sum(old[name][0] == new[name][0] and old[name][1] != new[name][1] for name in seated),
        "with another number of blocks": sum(old[name][2] != new[name][2] for name in seated),
        "with no part any more": sum(bool(old[name]) and not new[name] for name in both),
        "with a part now": sum(bool(new[name]) and not old[name] for name in both),
        "new": sum(name not in old for name in new),
        "gone": sum(name not in new for name in old),
    }
    said = [f"{count} {what}" for what, count in counts.items() if count]
    return f"of {len(both)} clients: {', '.join(said)}" if said else ""


def changed_settings(before, now, most=3):
    """Settings that differ, in words, `most` of them in full."""
    keys = [key for key in {**before.settings, **now.settings}
            if key != "command" and before.settings.get(key, "") != now.settings.get(key, "")]
    files = [key for key in keys if key.endswith(".hash")]
    keys = [key for key in keys if key not in files]

    def short(value):
        return (value if len(value) <= 24 else value[:21] + "...") or "not set"

    said = [f"{key} = {short(before.settings.get(key, ''))}, now {short(now.settings.get(key, ''))}" for key in keys[:most]]
    said += [f"another {file.removesuffix('.hash')}" for file in files]
    return "; ".join(said) + (f"; and {len(keys) - most} more settings" if len(keys) > most else "")
