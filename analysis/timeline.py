"""Turns the events of a results file into a timeline: python3 -m analysis.timeline FILE

Writes FILE's name with .trace.json, a Chrome trace that https://ui.perfetto.dev opens: a process a node, with a track for
its device and one for each link that it sends on; times are those of the emulated network, in microseconds. --picture
PNG draws one round of one cluster instead: who computes and sends when.
"""

import json
import pathlib

from analysis.results import UnreadableFile, numpy, open_gaisnet, parser_of, pyplot, run_tool, text

COLOURS = {"forward": "#4477aa", "backward": "#ee6677", "step": "#228833", "sense": "#ccbb44", "aggregate": "#aa3377",
           "evaluate": "#aa3377", "send_forward": "#99bbdd", "send_gradient": "#f4b6bf", "send_label": "#bbbbbb",
           "send_modules_down": "#66ccee", "send_modules_up": "#66ccee", "wait": "#dddddd"}


def read_events(file):
    """All events and the names of nodes."""
    if not len(file["events"]):
        raise UnreadableFile(f"'{file.filename}': has no events; run with --events on, and not with rounds of none")
    return file["events"][:], [text(name) for name in file["topology/nodes"]["name"]]


def trace_of(events, names):
    """The events as Chrome's trace event format (JSON object format): complete events, ph X, times in us."""
    out, tracks = [], {}
    for node, name in enumerate(names):
        out.append({"ph": "M", "name": "process_name", "pid": node, "tid": 0, "args": {"name": name}})
        out.append({"ph": "M", "name": "process_sort_index", "pid": node, "tid": 0, "args": {"sort_index": node}})
        out.append({"ph": "M", "name": "thread_name", "pid": node, "tid": 0, "args": {"name": "device"}})
    for event in events:
        node, sends = int(event["node"]), int(event["receivers"]) > 0
        track = 0
        if sends or text(event["kind"]) == "sense":  # a device senses while it computes
            key = (node, f"{text(event['link'])} to {names[int(event['peer'])]}" if sends else "sensor")
            if key not in tracks:
                tracks[key] = 1 + sum(known[0] == node for known in tracks)
                out.append({"ph": "M", "name": "thread_name", "pid": node, "tid": tracks[key], "args": {"name": key[1]}})
            track = tracks[key]
        details = {"round": int(event["round"]), "energy_j": float(event["energy_j"])}
        if sends:
            details |= {"bytes": int(event["bytes"]), "rate_bit_s": float(event["rate_bit_s"]),
                        "arrival_us": 1e6 * float(event["arrival_s"])}
        else:
            details["flops"] = float(event["flops"])
        out.append({"ph": "X", "name": text(event["kind"]), "cat": text(event["link"]), "pid": node, "tid": track,
                    "ts": 1e6 * float(event["start_s"]), "dur": 1e6 * float(event["end_s"] - event["start_s"]),
                    "args": details})
    return {"traceEvents": out, "displayTimeUnit": "ms"}


def draw(events, names, nodes, round_number, span, path):
    """One round of some nodes: a row for what a node computes, and a thinner one for what it sends."""
    plt = pyplot()
    chosen = [event for event in events if event["round"] == round_number and int(event["node"]) in nodes]
    if not chosen:
        raise UnreadableFile(f"round {round_number} has no events of these nodes")
    start = min(event["start_s"] for event in chosen)
    shown = span or (0.0, max(event["end_s"] for event in chosen) - start)
    figure, axes = plt.subplots(figsize=(12, 0.8 * len(nodes) + 1.3), layout="constrained")
    drawn = {}
    for event in chosen:
        row, kind, sends = nodes.index(int(event["node"])), text(event["kind"]), event["receivers"] > 0
        height, base = (0.28, row + 0.32) if sends else (0.5, row - 0.22)
        axes.broken_barh([(event["start_s"] - start, event["end_s"] - event["start_s"])], (base - height / 2, height),
                         facecolors=COLOURS.get(kind, "#888888"), edgecolors=COLOURS.get(kind, "#888888"),
                         linewidth=0.4)  # so that what is shorter than a pixel is seen
        drawn[kind] = COLOURS.get(kind, "#888888")
    axes.set_yticks(range(len(nodes)), [names[node] for node in nodes])
    axes.invert_yaxis()
    axes.set_xlabel(f"emulated time since the start of round {round_number} (s); thick: computes, thin: sends")
    axes.set_xlim(*shown)
    axes.legend([plt.Rectangle((0, 0), 1, 1, color=colour) for colour in drawn.values()], drawn.keys(),
                loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def cluster_nodes(file, edge, cluster):
    """The edge and the clients of one of its clusters, as indices."""
    nodes = file["topology/nodes"][:]
    clients = nodes[(nodes["edge"] == edge) & (nodes["cluster"] == cluster)]
    if not len(clients):
        raise UnreadableFile(f"'{file.filename}': edge {edge} has no cluster {cluster}")
    return [edge, *[int(node) for node in clients["node"]]]


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
        events, names = read_events(file)
        if given.picture:
            draw(events, names, cluster_nodes(file, given.edge, given.cluster), given.round, given.span,
                 given.picture)
            print(given.picture)
            return
    path = pathlib.Path(given.output or pathlib.Path(given.file).with_suffix(".trace.json"))
    path.write_text(json.dumps(trace_of(events, names)), encoding="utf-8")
    print(f"{path}: {numpy.count_nonzero(events['receivers'] > 0)} transfers and "
          f"{numpy.count_nonzero(events['receivers'] == 0)} computations; open it in https://ui.perfetto.dev")


if __name__ == "__main__":
    run_tool(main)
