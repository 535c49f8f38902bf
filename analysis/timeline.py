"""Turns the events of a results file into a timeline: python3 -m analysis.timeline FILE

Writes FILE's name with .trace.json, a Chrome trace that https://ui.perfetto.dev opens: a process a node, with a track for
its device and one for each link that it sends on; times are those of the emulated network, in microseconds. --picture
PNG draws one round of one cluster instead: who computes and sends when.
"""

import json
import pathlib

from analysis.results import UnreadableFile, open_gaisnet, parser_of, pyplot, run_tool, save, table

COLOURS = {"forward": "#4477aa", "backward": "#ee6677", "step": "#228833", "sense": "#ccbb44", "aggregate": "#aa3377",
           "evaluate": "#aa3377", "send_forward": "#99bbdd", "send_gradient": "#f4b6bf", "send_label": "#bbbbbb",
           "send_modules_down": "#66ccee", "send_modules_up": "#66ccee", "wait": "#dddddd"}


def trace_of(events, names):
    """The events as Chrome's trace event format (JSON object format): complete events, ph X, times in us."""
    out, tracks = [], {}

    def describe(what, node, track, **values):
        out.append({"ph": "M", "name": what, "pid": node, "tid": track, "args": values})

    for node, name in enumerate(names):
        describe("process_name", node, 0, name=name)
        describe("process_sort_index", node, 0, sort_index=node)
        describe("thread_name", node, 0, name="device")
    for event in events.itertuples():
        track = 0
        if event.receivers or event.kind == "sense":  # a device senses while it computes
            name = f"{event.link} to {names[event.peer]}" if event.receivers else "sensor"
            own = tracks.setdefault(event.node, {})
            if name not in own:
                own[name] = 1 + len(own)
                describe("thread_name", event.node, own[name], name=name)
            track = own[name]
        details = {"round": event.round, "energy_j": event.energy_j}
        if event.receivers:
            details |= {"bytes": event.bytes, "rate_bit_s": event.rate_bit_s, "arrival_us": 1e6 * event.arrival_s}
        else:
            details["flops"] = event.flops
        out.append({"ph": "X", "name": event.kind, "cat": event.link, "pid": event.node, "tid": track,
                    "ts": 1e6 * event.start_s, "dur": 1e6 * (event.end_s - event.start_s), "args": details})
    return {"traceEvents": out, "displayTimeUnit": "ms"}


def draw(events, names, nodes, round_number, span):
    """One round of some nodes: a row for what a node computes, and a thinner one for what it sends."""
    chosen = events[(events["round"] == round_number) & events["node"].isin(nodes)]
    if chosen.empty:
        raise UnreadableFile(f"round {round_number} has no events of these nodes")
    start = chosen["start_s"].min()
    plt = pyplot()
    figure, axes = plt.subplots(figsize=(12, 0.8 * len(nodes) + 1.3), layout="constrained")
    drawn = {kind: COLOURS.get(kind, "#888888") for kind in chosen["kind"].unique()}
    for event in chosen.itertuples():
        row = nodes.index(event.node)
        height, base = (0.28, row + 0.32) if event.receivers else (0.5, row - 0.22)
        axes.broken_barh([(event.start_s - start, event.end_s - event.start_s)], (base - height / 2, height),
                         facecolors=drawn[event.kind], edgecolors=drawn[event.kind],
                         linewidth=0.4)  # so that what is shorter than a pixel is seen
    axes.set_yticks(range(len(nodes)), [names[node] for node in nodes])
    axes.invert_yaxis()
    axes.set_xlabel(f"emulated time since the start of round {round_number} (s); thick: computes, thin: sends")
    axes.set_xlim(*(span or (0.0, chosen["end_s"].max() - start)))
    axes.legend([plt.Rectangle((0, 0), 1, 1, color=colour) for colour in drawn.values()], drawn.keys(),
                loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return figure


def main():
    parser = parser_of("timeline", __doc__.splitlines()[0])
    parser.add_argument("file", help="results file of gaisnet (HDF5)")
    parser.add_argument("--output", help="where the trace goes; otherwise beside the file")
    parser.add_argument("--picture", metavar="PNG", help="draw one round of one cluster instead")
    parser.add_argument("--round", type=int, default=1)
    parser.add_argument("--edge", type=int, default=0)
    parser.add_argument("--cluster", type=int, default=0)
    parser.add_argument("--span", type=float, nargs=2, metavar=("FROM", "TO"), help="seconds of the round to draw")
    given = parser.parse_args()
    if given.span and not 0 <= given.span[0] < given.span[1]:
        parser.error(f"--span {given.span[0]:g} {given.span[1]:g}: a later second after an earlier one is accepted")
    with open_gaisnet(given.file) as file:
        events, nodes = table(file, "events"), table(file, "topology/nodes")
    if events.empty:
        raise UnreadableFile(f"'{given.file}': has no events; run with --events on, and not with rounds of none")
    names = nodes["name"].tolist()
    if given.picture:
        clients = nodes["node"][(nodes["edge"] == given.edge) & (nodes["cluster"] == given.cluster)]
        if clients.empty:
            raise UnreadableFile(f"'{given.file}': edge {given.edge} has no cluster {given.cluster}")
        save(draw(events, names, [given.edge, *clients], given.round, given.span), given.picture)
        return
    path = pathlib.Path(given.output or pathlib.Path(given.file).with_suffix(".trace.json"))
    path.write_text(json.dumps(trace_of(events, names)), encoding="utf-8")
    transfers = (events["receivers"] > 0).sum()
    print(f"{path}: {transfers} transfers and {len(events) - transfers} computations; open it in https://ui.perfetto.dev")


if __name__ == "__main__":
    run_tool(main)
