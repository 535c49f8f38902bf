"""What the figures of a report show, as dictionaries of Plotly's JSON; python3 -m analysis.report puts them on a page.

A figure is {"title", "note", "variants": [{"name", "data", "layout"}]}: the reader picks a variant. Colours of text and
grid are the page's, which has a dark and a light side. How much is drawn has limits, so that large runs stay small; where
one cuts something, the figure's note says so.
"""

import math

from analysis.critical_path import PALETTE as WITH_BLACK
from analysis.critical_path import latency_of
from analysis.results import (COLOURS, ENERGY_PARTS, LINK_CLASSES, UnreadableFile, numpy, pandas, percentiles, quantity, table,
                              without_unit)
from analysis.timeline import COLOURS as KIND_COLOURS
from analysis.topology import Network

PALETTE = tuple(colour for colour in WITH_BLACK if colour != "#000000")  # seen on dark pages, too
BARS = 200  # stacked bars of rounds; more rounds are put together
POINTS = 2000  # of a curve
MAPPED, NAMED = 20000, 24  # nodes that a map draws, and that have their names in it
ROWS = 40  # clusters of a heat map
EVENTS = 4000  # of a timeline
NODE_BARS = 40


def figure(title, variants, note=""):
    return {"title": title, "note": note, "variants": variants}


def variant(name, data, **layout):
    return {"name": name, "data": data, "layout": layout}


def axis(title, **more):
    return {"title": {"text": title}, **more}


def numbers(values):
    """Six digits of each: what a picture can show. Plotly leaves gaps where a value is none."""
    return [None if not math.isfinite(value) else float(f"{value:.6g}") for value in numpy.asarray(values, dtype=float)]


def thinned(count, most):
    """Indices of `most` at equal distances, with the first and the last, of so many."""
    return numpy.arange(count) if count <= most else numpy.unique(numpy.linspace(0, count - 1, most).round().astype(int))


def in_bins(parts):
    """Rows by round; where there are too many, means of consecutive ones. And what a note says of it."""
    size = math.ceil(len(parts) / BARS)
    if size <= 1:
        return parts, ""
    means = parts.groupby(numpy.arange(len(parts)) // size).mean()
    means.index = parts.index[::size][:len(means)]
    return means, f"Each bar is the mean of {size} rounds. "


def stacks(parts, unit, colours=PALETTE):
    """Bars of the columns by round, those that are zero everywhere left out."""
    return [{"type": "bar", "name": without_unit(name), "x": parts.index.tolist(), "y": numbers(values),
             "marker": {"color": colours[number % len(colours)]}, "hovertemplate": f"%{{y:.4s}}{unit}"}
            for number, (name, values) in enumerate(parts.items()) if values.any()]


STACKED = {"barmode": "stack", "hovermode": "x unified"}


def totals_by_round(file):
    """For the curves of one run: values by round, by the key of an axis; empty where no round of training has ended."""
    from analysis.compare import totals_of
    found = totals_of(file)
    if not len(found):
        return {}
    kept = found[thinned(len(found), POINTS)]
    curves = {key: numbers(kept[key]) for key in ("round", "time_s", "energy_j", "active_j", "bytes", "spectrum_hz_s",
                                                  "accuracy", "loss", "perplexity")}
    for quality in CURVE_VALUES:
        if all(value is None for value in curves[quality]):  # of a plan; and classes have no perplexity
            del curves[quality]
    return curves if any(quality in curves for quality in CURVE_VALUES) else {}


CURVE_AXES = {"round": "rounds", "time_s": "emulated time (s)", "energy_j": "energy of all nodes (J)",
              "active_j": "energy without idling (J)", "bytes": "bytes sent", "spectrum_hz_s": "spectrum (Hz s)"}
CURVE_VALUES = {"accuracy": "validation accuracy", "loss": "validation loss (nat)", "perplexity": "perplexity"}


def curves(runs):
    """Quality over what it cost: one line a run, the axes to be chosen. \\param runs values by name"""
    values = {key: name for key, name in CURVE_VALUES.items() if any(key in own for own in runs.values())}
    return {"title": "Quality over what it cost", "kind": "curves", "x": CURVE_AXES, "y": values,
            "note": "Means over edges after each round; costs are sums since the start of the run.",
            "series": [{"name": name, "colour": PALETTE[number % len(PALETTE)], **own}
                       for number, (name, own) in enumerate(runs.items())]}


def latency_of_rounds(file, rounds):
    mean = latency_of(file)
    if mean is None:
        return None
    shown = mean.parts[mean.parts > 0]
    steps = {"type": "waterfall", "measure": ["relative"] * len(shown) + ["total"],
             "x": [*map(without_unit, shown.index), "latency"], "y": [*numbers(shown), 0],
             "text": [*(quantity(value, "s") for value in shown), quantity(mean.seconds, "s")], "textposition": "outside",
             "hovertext": [*(mean.descriptions[part] for part in shown.index), ""], "hoverinfo": "text+y",
             "connector": {"line": {"width": 1}}, "increasing": {"marker": {"color": COLOURS[0]}},
             "totals": {"marker": {"color": COLOURS[6]}}}
    variants = [variant(f"one {mean.unit}", [steps], yaxis=axis("s", range=[0, 1.12 * mean.seconds]), showlegend=False)]
    note = f"Mean of {mean.count} {mean.unit}s"
    if mean.unit == "round":
        note += ", each with the slowest edge's parts. "
        slowest = rounds.loc[rounds.groupby("round")["latency_s"].idxmax()].set_index("round")[rounds.attrs["latency_parts"]]
        parts, cut = in_bins(slowest)
        note += cut
        variants.append(variant("by round", stacks(parts, "s"), xaxis=axis("round"), yaxis=axis("s"), **STACKED))
    return figure(f"What the latency of a {mean.unit} is made of", variants, note)


def energy_of_nodes(energy):
    if energy.empty:
        return None
    by_round = energy.groupby("round")[ENERGY_PARTS].sum()
    parts, cut = in_bins(by_round)
    active = parts[[part for part in ENERGY_PARTS if part not in ("idle_j", "base_j", "sleep_j")]]
    roles = energy.groupby("role")[ENERGY_PARTS].sum()
    by_role = [{"type": "bar", "name": without_unit(part), "x": roles.index.tolist(), "y": numbers(roles[part]),
                "marker": {"color": PALETTE[number % len(PALETTE)]}, "hovertemplate": "%{y:.4s}J"}
               for number, part in enumerate(ENERGY_PARTS) if roles[part].any()]
    labels = {"xaxis": axis("round"), "yaxis": axis("J"), **STACKED}
    return figure("Energy by cause", [variant("all", stacks(parts, "J"), **labels),
                                      variant("without idling", stacks(active, "J"), **labels),
                                      variant("by role, all rounds", by_role, yaxis=axis("J"), barmode="stack")],
                  cut + "All nodes. Idling is what radios, base power and sleep draw while a node waits.")


def communication(sent):
    if sent.empty:
        return None
    variants = []
    for name, column, unit in (("bytes", "bytes", "B"), ("spectrum", "airtime_hz_s", "Hz s")):
        parts, cut = in_bins(sent.pivot_table(values=column, index="round", columns="link", aggfunc="sum", fill_value=0)
                             .reindex(columns=LINK_CLASSES, fill_value=0))
        variants.append(variant(name, stacks(parts, unit), xaxis=axis("round"), yaxis=axis(unit), **STACKED))
    causes = sent.pivot_table(values="bytes", index="cause", columns="link", aggfunc="sum", fill_value=0)
    variants.append(variant("bytes by cause", [
        {"type": "bar", "orientation": "h", "name": link, "y": causes.index.tolist(), "x": numbers(causes[link]),
         "hovertemplate": "%{x:.4s}B", "marker": {"color": PALETTE[LINK_CLASSES.index(link) % len(PALETTE)]}} for link in causes],
        barmode="stack", xaxis=axis("B"), yaxis={"automargin": True, "autorange": "reversed"}))
    return figure("Communication by link class", variants, cut)


def memory_of_nodes(memory, nodes):
    if memory.empty:
        return None
    peaks = memory.groupby("node")["total_bytes"].max().to_frame().join(nodes.set_index("node")[["name", "role", "memory_bytes"]])
    peaks = peaks[(peaks["total_bytes"] > 0) & (peaks["memory_bytes"] > 0)]
    if peaks.empty:
        return None
    peaks["part"] = 100 * peaks["total_bytes"] / peaks["memory_bytes"]
    most = peaks.sort_values("part", ascending=False).head(NODE_BARS)
    bars = {"type": "bar", "x": most["name"].tolist(), "y": numbers(most["part"]), "marker": {"color": COLOURS[0]},
            "text": [f"{quantity(used, 'B')} of {quantity(limit, 'B')}" for used, limit in
                     zip(most["total_bytes"], most["memory_bytes"])], "hovertemplate": "%{x}: %{text}<extra></extra>",
            "textposition": "none"}
    limit = {"type": "line", "x0": 0, "x1": 1, "xref": "paper", "y0": 100, "y1": 100,
             "line": {"color": COLOURS[1], "dash": "dash"}}
    near = most["part"].max() > 25
    variants = [variant("fullest nodes", [bars], yaxis=axis("% of the node's memory", rangemode="tozero"),
                        shapes=[limit] if near else [], showlegend=False)]
    if len(peaks) > NODE_BARS:
        counts, borders = numpy.histogram(peaks["part"], bins=40)
        variants.append(variant("all nodes", [
            {"type": "bar", "x": numbers((borders[1:] + borders[:-1]) / 2), "y": counts.tolist(), "marker": {"color": COLOURS[0]},
             "width": float(borders[1] - borders[0]), "hovertemplate": "%{x:.3g} %: %{y} nodes<extra></extra>"}],
            xaxis=axis("% of the node's memory"), yaxis=axis("nodes"), bargap=0, showlegend=False))
    note = f"Largest peak of each node; the {NODE_BARS} fullest of {len(peaks)}. " if len(peaks) > NODE_BARS else "Largest peak of each node. "
    return figure("Memory against limits", variants, note + ("The dashed line is the limit." if near else ""))


def classes_of_start_points(samples):
    """Of each cluster's start point; texts have no classes and are counted as one."""
    if samples.empty:
        return None
    samples = samples[samples["since_round"] == samples["since_round"].max()]
    counts = samples.pivot_table(values="samples", index="cluster", columns="class", aggfunc="sum", fill_value=0, sort=False)
    note = ""
    if len(counts) > ROWS:
        kept = thinned(len(counts), ROWS)
        note = f"{len(kept)} of {len(counts)} clusters, at equal distances. "
        counts = counts.iloc[kept]
    grid = {"type": "heatmap", "z": counts.to_numpy().tolist(), "x": [str(name) or "samples" for name in counts.columns],
            "y": [f"cluster {cluster}" for cluster in counts.index], "colorscale": "Viridis", "colorbar": {"title": {"text": "samples"}},
            "hovertemplate": "%{y}, %{x}: %{z}<extra></extra>"}
    return figure("Samples of start points by class", [variant("", [grid], yaxis={"automargin": True, "autorange": "reversed"},
                                                               xaxis={"automargin": True, "type": "category"})], note)


def requests_of_clients(requests):
    if requests.empty:
        return None
    tails, points = [], []
    for edge, own in requests.groupby("edge"):
        colour = {"color": PALETTE[int(edge) % len(PALETTE)]}
        ordered = own["latency_s"].sort_values().to_numpy()
        kept = thinned(len(ordered), POINTS)
        tails.append({"type": "scatter", "mode": "lines", "name": f"edge {edge}", "x": numbers(ordered[kept]),
                      "y": numbers((kept + 1) / len(ordered)), "line": {"shape": "hv", **colour}})
        some = own.iloc[thinned(len(own), POINTS)]
        points.append({"type": "scattergl", "mode": "markers", "name": f"edge {edge}", "x": numbers(some["arrival_s"]),
                       "y": numbers(some["latency_s"]), "marker": {"size": 4, **colour}})
    half, most = percentiles(requests["latency_s"], [50, 99])
    return figure("Latency of requests", [
        variant("distribution", tails, xaxis=axis("latency (s)"), yaxis=axis("part of requests", range=[0, 1.02])),
        variant("by time of arrival", points, xaxis=axis("arrival (s)"), yaxis=axis("latency (s)", rangemode="tozero"))],
        f"{len(requests)} requests; half within {quantity(half, 's')}, 99 of 100 within {quantity(most, 's')}. "
        + (f"Points and curves show {POINTS} an edge at most." if len(requests) > POINTS else ""))


def services_of_policies(services):
    if services.empty:
        return None
    lines = []
    for number, (policy, own) in enumerate(services.groupby("policy", sort=False)):
        tuned = (own["action"] == "fine_tune").to_numpy()
        lines.append({"type": "scatter", "mode": "lines+markers", "name": policy, "x": own["round"].tolist(), "y": numbers(own["cash"]),
                      "line": {"color": PALETTE[number % len(PALETTE)]}, "text": [
                          f"{action} {model} {requester}".strip() for action, model, requester in
                          zip(own["action"], own["model"], own["requester"])],
                      "marker": {"symbol": ["triangle-down" if one else "circle" for one in tuned],
                                 "size": [9 if one else 5 for one in tuned]},
                      "hovertemplate": "round %{x}: %{text}, cash %{y:.4g}"})
    return figure("Services", [variant("cash", lines, xaxis=axis("round of service"), yaxis=axis("cash"))],
                  "Triangles: a model was fine-tuned in that round.")


def domains(found):
    if found.empty:
        return None
    last = found[found["round"] == found["round"].max()]
    variants = []
    for method, own in last.groupby("method", sort=False):
        what = "perplexity" if method == "next tokens" else "accuracy"
        grid = own.pivot_table(values=what, index="model", columns="domain", aggfunc="last", sort=False)
        values = grid.to_numpy()
        variants.append(variant(f"{what} by {method}", [
            {"type": "heatmap", "z": [numbers(row) for row in values], "x": list(grid.columns), "y": list(grid.index),
             "colorscale": "Viridis", "reversescale": what == "perplexity"}],
            annotations=[{"x": domain, "y": model, "text": f"{value:.3g}", "showarrow": False,
                          "font": {"color": "#ffffff"}, "bgcolor": "rgba(0,0,0,0.45)"}
                         for model, row in zip(grid.index, values) for domain, value in zip(grid.columns, row)
                         if values.size <= 400 and not math.isnan(value)],
            yaxis={"automargin": True, "autorange": "reversed"}, xaxis={"automargin": True}))
    return figure("Models on domains", variants, f"After round {last['round'].max()}.")


def network_map(file):
    """Nodes where they stand and chains as lines; None where a run emulates no network."""
    try:
        network = Network(file)
    except UnreadableFile:
        return None
    real = network.has_places()
    places = network.places() if real else network.schematic_places()
    nodes = network.nodes
    if len(nodes) > MAPPED:
        return figure("Network", [], f"{len(nodes)} nodes are more than the {MAPPED} that a map shows.")
    where = sorted(network.chains)
    number_of = {one: number for number, one in enumerate(where)}
    by_colour = {}
    for hop in network.hops:
        xs, ys = by_colour.setdefault(number_of[hop.cluster] % len(PALETTE), ([], []))
        for node in (hop.source, hop.target):
            xs.append(places[node][0])
            ys.append(places[node][1])
        xs.append(math.nan)
        ys.append(math.nan)
    kind = "scattergl" if len(nodes) > 500 else "scatter"
    data = [{"type": kind, "mode": "lines", "x": numbers(xs), "y": numbers(ys), "hoverinfo": "skip", "showlegend": False,
             "line": {"color": PALETTE[colour], "width": 2 if len(nodes) < 500 else 1}} for colour, (xs, ys) in by_colour.items()]
    rates = {hop.source: hop for hop in network.hops}
    starts = {chain[0].node for chain in network.chains.values() if chain}
    shown = nodes[[node in places for node in nodes.index]]
    for role, symbol, size in (("client", "circle", 9), ("edge", "square", 14), ("cloud", "diamond", 16)):
        own = shown[shown["role"] == role]
        if own.empty:
            continue
        texts, colours, symbols = [], [], []
        for node, row in zip(own.index, own.to_dict("records")):
            seat = (row["edge"], row["cluster"])
            colours.append(PALETTE[number_of[seat] % len(PALETTE)] if role == "client" and seat in number_of else "#999999")
            symbols.append("star" if node in starts and role == "client" else symbol)
            held = network.blocks_text(node) if len(nodes) <= 2000 or role == "client" and len(network.chains) <= 500 else str(row["blocks"])
            hop = rates.get(node)
            texts.append(f"{row['name']}" + (f", cluster {row['cluster']}" if row["cluster"] >= 0 else "")
                         + (f"<br>{held} blocks" if held else "")
                         + (f"<br>next hop: {quantity(hop.rate, 'bit/s')}" if hop is not None and role == "client" else ""))
        data.append({"type": kind, "mode": "markers+text" if len(nodes) <= NAMED else "markers", "name": role,
                     "x": numbers([places[node][0] for node in own.index]), "y": numbers([places[node][1] for node in own.index]),
                     "text": own["name"].tolist() if len(nodes) <= NAMED else None, "textposition": "top center",
                     "hovertext": texts, "hoverinfo": "text",
                     "marker": {"size": size if len(nodes) <= 500 else max(4, size // 2), "color": colours, "symbol": symbols,
                                "line": {"width": 1, "color": "#444444"}}})
    label = "m" if real else ""
    scaled = {"scaleanchor": "x", "scaleratio": 1} if real else {}
    return figure("Network", [variant("", data, xaxis=axis(label, zeroline=False), yaxis=axis(label, zeroline=False, **scaled), height=560,
                                      hovermode="closest")],
                  f"{len(network.clients)} clients in {len(network.chains)} chains, {len(network.edges)} edge(s)"
                  + (", at their places at the start of the run." if real else "; the file has no places, so the layout is schematic.")
                  + " A colour a cluster, repeated where there are many; stars are start points.")


def timelines(file, rounds):
    """One round of some clusters: who computes and sends when. The slowest one of the last round comes first."""
    nodes = table(file, "topology/nodes")
    last = int(rounds["round"].max())
    stored = file["events"]
    if not len(stored):
        return None
    by_round = stored["round"][:]
    chosen = numpy.flatnonzero(by_round == last)
    if not len(chosen):
        return None
    events = pandas.DataFrame(stored[chosen[0]:chosen[-1] + 1])
    events = events[events["round"] == last]
    for column in ("kind", "link"):
        events[column] = events[column].str.decode("utf-8")
    names = nodes["name"].tolist()
    cluster_of = nodes.set_index("node")["cluster"].to_dict()
    edge_of = nodes.set_index("node")["edge"].to_dict()
    owner = events["node"].map(cluster_of).where(lambda own: own >= 0, events["peer"].map(cluster_of))
    edges = events["node"].map(edge_of).where(events["node"].map(cluster_of) >= 0, events["peer"].map(edge_of))
    ends = events[owner >= 0].groupby([edges, owner])["end_s"].max().sort_values(ascending=False)
    start = events["start_s"].min()
    variants = []
    picks = ends.index.tolist() if len(ends) <= 8 else [ends.index[place] for place in thinned(len(ends), 8)]
    cut = False
    for edge, cluster in picks:
        mine = events[(owner == cluster) & (edges == edge)]
        cut = cut or len(mine) > EVENTS
        mine = mine.head(EVENTS)
        order = list(dict.fromkeys(nodes["node"][(nodes["edge"] == edge) & (nodes["cluster"] == cluster)]))
        rows = [node for node in order if node in set(mine["node"])]
        rows += [node for node in mine["node"].unique() if node not in rows]
        data = []
        for kind, own in mine.groupby("kind", sort=False):
            sends = own["receivers"] > 0
            data.append({"type": "bar", "orientation": "h", "name": kind.replace("send_", "sends ").replace("_", " "),
                         "base": numbers(own["start_s"] - start), "x": numbers(own["end_s"] - own["start_s"]),
                         "y": [names[node] for node in own["node"]], "offset": 0.12 if sends.all() else -0.38,
                         "width": 0.25 if sends.all() else 0.45,
                         "marker": {"color": KIND_COLOURS.get(kind, "#888888")},
                         "text": [f"{quantity(end - begin, 's')}" + (f", {quantity(size, 'B')} to {names[peer]}" if size else "")
                                  for begin, end, size, peer in zip(own["start_s"], own["end_s"], own["bytes"], own["peer"])],
                         "textposition": "none", "hovertemplate": "%{y} %{text}<br>from %{base:.6g} s"})
        place = "slowest" if (edge, cluster) == ends.index[0] else "fastest" if (edge, cluster) == ends.index[-1] else ""
        name = f"cluster {cluster}" + (f" of edge {edge}" if len(set(edges)) > 1 else "") + (f" ({place})" if place else "")
        variants.append(variant(name, data, barmode="overlay", xaxis=axis(f"s since the start of round {last}"),
                                yaxis={"automargin": True, "categoryorder": "array",
                                       "categoryarray": [names[node] for node in reversed(rows)]},
                                height=120 + 46 * max(2, len(rows)), hovermode="closest"))
    if not variants:
        return None
    return figure(f"Timeline of round {last}", variants, "Thick: computes or senses; thin: sends. "
                  + (f"{len(picks)} of {len(ends)} clusters, from the slowest to the fastest. " if len(ends) > len(picks) else "")
                  + (f"The first {EVENTS} events of a cluster." if cut else ""))


def front_of_plans(plans):
    if plans.empty:
        return None
    measures = [column for column in ("latency_s", "energy_j", "spectrum_hz_s", "memory_bytes", "goodput_per_s") if plans[column].any()]
    variants = []
    for x, y in zip(measures, measures[1:]):
        data = []
        for on_front, name in ((0, "dominated"), (1, "front")):
            own = plans[plans["on_front"] == on_front].sort_values(x)
            if len(own):
                data.append({"type": "scatter", "mode": "lines+markers" if on_front else "markers", "name": name, "x": numbers(own[x]),
                             "y": numbers(own[y]), "text": own["label"].tolist(), "hovertemplate": "%{text}: %{x:.4s}, %{y:.4s}",
                             "marker": {"color": COLOURS[0] if on_front else COLOURS[6]}, "line": {"shape": "hv"}})
        variants.append(variant(f"{without_unit(x)} and {without_unit(y)}", data, xaxis=axis(x), yaxis=axis(y)))
    return figure("Plans", variants, "Every plan that was judged; those on the front are beaten in nothing.")
