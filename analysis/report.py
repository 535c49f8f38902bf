"""Writes one HTML page about one or several runs: python3 -m analysis.report FILE... -o report.html

The page holds everything that it shows and needs no network: what was run and what was assumed, a map of the network, quality
over rounds, time, energy and bytes, what latency and energy are made of, traffic and spectrum by link class, memory against
limits, samples, requests and services, a timeline of one round, and tables to sort and to copy. Of several runs it draws the
curves together; the rest is shown for the run that is picked. Works on files of gaisnet finetune, plan, infer and serve,
also while they are written.
"""

import json
import math
import os
import pathlib
import re
import shlex

from analysis import report_figures as figures
from analysis.compare import COSTS, session_of, totals_of
from analysis.results import (UnreadableFile, UnwritablePicture, is_live, open_gaisnet, parser_of, percent, quantity, run_tool,
                              settings_of, sources_of, table, text)

TABLE_ROWS = 300
PAGE = pathlib.Path(__file__).parent / "page"
PLAIN = {"round", "edge", "cluster", "position", "node", "rank", "seed", "since_round"}


def plotly_script():
    """Plotly's own program, of the Python package. Raises UnreadableFile with advice when it is not there."""
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise UnreadableFile("reports need the Python module 'plotly' (Debian: apt-get install python3-plotly, then "
                             "/usr/bin/python3; elsewhere: pip install plotly)") from None
    return get_plotlyjs()


def shown_table(frame, title, note="", open_at_first=False, units=None):
    """A DataFrame as the page's tables take it: cells are text, with the value to sort by where that is another."""
    units = frame.attrs.get("units", {}) if units is None else units
    cut = f" The first {TABLE_ROWS} of {len(frame)} rows; the file has them all." if len(frame) > TABLE_ROWS else ""
    frame = frame.head(TABLE_ROWS)
    columns, cells = [], []
    for name in frame.columns:
        unit, values = units.get(name, ""), frame[name].tolist()
        is_text = not any(isinstance(value, (int, float)) for value in values)
        columns.append([name, unit, is_text])
        if is_text or name in PLAIN:
            cells.append([str(value) for value in values] if is_text else values)
        elif unit and unit != "1":
            cells.append([[quantity(value, unit), sortable(value)] for value in values])
        else:
            cells.append([value if isinstance(value, int) else ["-" if math.isnan(value) else f"{value:.4g}", sortable(value)]
                          for value in values])
    return {"title": title, "note": note + cut, "open": open_at_first, "columns": columns, "rows": [list(row) for row in zip(*cells)]}


def sortable(value):
    """A number of JSON, which has neither NaN nor infinity."""
    return float(f"{value:.9g}") if math.isfinite(value) else (1e308 if value > 0 else -1e308)


def command_of(file):
    """The command that repeats the run: its settings that are no defaults, from wherever they came."""
    given = [(key, value) for key, (value, source) in sources_of(file).items()
             if source == "command line" or source.startswith("environment") or re.search(r":\d+$", source)]
    ranks = len(file["topology/ranks"])
    words = ["gaisnet", text(file.attrs.get("command", "")).split(" ")[0]]
    for key, value in given:
        if key not in ("overwrite", "resume"):
            words += [f"--{key}", value]
    start = f"mpirun -n {ranks} " if ranks > 1 else ""
    return start + " ".join(map(shlex.quote, words))


def about(file):
    attributes = {name: text(file.attrs.get(name, "")) for name in
                  ("command", "status", "stop_reason", "created", "software_version", "git_version", "clock", "seed")}
    said = f"gaisnet {attributes['command']}, {attributes['created']}; {attributes['status']}"
    said += f": {attributes['stop_reason']}" if attributes["stop_reason"] else ""
    clock = "emulated times are computed" if attributes["clock"] == "virtual" else "emulated times were waited for"
    return (f"{said}. Seed {attributes['seed']}; {clock}; version {attributes['software_version']} "
            f"({attributes['git_version']}).")


def warning_of(file, path):
    status = text(file.attrs.get("status", ""))
    if status == "running":
        return ("The run still goes on: the page shows the rounds that had ended." if is_live(path) is not False else
                "The writer of this file is gone: it holds the rounds that had ended.")
    return "The run did not reach its end." if status == "aborted" else ""


def merits(file, rounds, requests, services):
    """The figures that a reader looks for first."""
    found = []
    if len(rounds):
        last = totals_of(file)[-1]
        if math.isnan(last["accuracy"]):
            found.append(("rounds", str(last["round"])))
        else:
            found.append((f"validation accuracy after {last['round']} rounds", percent(last["accuracy"])))
        if not math.isnan(last["perplexity"]):
            found.append(("perplexity", f"{last['perplexity']:.2f}"))
        found += [({"time": "emulated time", "energy": "energy of all nodes"}.get(head, head), quantity(last[what], unit))
                  for what, (head, unit) in COSTS.items()]
    elif session := session_of(file) if len(requests) else None:
        found += [("requests", str(session["requests"])), ("latency, half of them within", quantity(session["p50_s"], "s")),
                  ("99 of 100 within", quantity(session["p99_s"], "s"))]
        if not math.isnan(session["accuracy"]):
            found.append(("right answers", percent(session["accuracy"])))
        found += [("bytes", quantity(session["bytes"], "B")), ("energy of all nodes", quantity(session["energy_j"], "J"))]
    for policy, own in services.groupby("policy", sort=False) if len(services) else ():
        found.append((f"cash, {policy}", f"{own['cash'].iloc[-1]:.4g}"))
    return found[:10]


def settings_tables(file):
    """What was asked for, what was assumed, and all that decided the results."""
    sources, decides = sources_of(file), settings_of(file)
    pandas = figures.pandas

    def rows(wanted):
        return pandas.DataFrame([(key, value, source) for key, (value, source) in sources.items() if wanted(key, source)],
                                columns=["setting", "value", "from"])

    asked = rows(lambda key, source: not source.startswith("default"))
    assumed = rows(lambda key, source: source == "default (assumed)" and key in decides)
    return [shown_table(asked, "Settings that were given", "", open_at_first=True),
            shown_table(assumed[["setting", "value"]], "Assumptions", "Values that nobody gave and that no source dictates: "
                        "set those that you know."),
            shown_table(rows(lambda key, source: key in decides), "All settings that decide results")]


def nodes_table(file, nodes):
    """A row a node, those that took most energy first."""
    energy, memory, clients = (table(file, name) for name in ("energy", "memory", "clients"))
    if energy.empty:
        return None
    sums = clients.groupby("node")[["busy_s", "flops"]].sum().join(energy.groupby("node")[["total_j"]].sum())
    sums = sums.join(memory.groupby("node")[["total_bytes"]].max())
    sent = table(file, "communication/nodes").groupby("node")
    sums = sums.join(sent[[column for column in ("bytes_sent", "bytes_received") if column in sent.obj]].sum())
    rows = nodes.set_index("node")[["name", "role", "edge", "cluster", "blocks", "memory_bytes"]].join(sums, how="inner")
    units = clients.attrs["units"] | energy.attrs["units"] | memory.attrs["units"] | {
        "memory_bytes": "B", "bytes_sent": "B", "bytes_received": "B"}
    return shown_table(rows.sort_values("total_j", ascending=False), "Nodes",
                       "Sums over all rounds, total_bytes is the largest peak; those that took most energy first.", units=units)


def tables_of(file, nodes, rounds, requests, services):
    found = settings_tables(file)
    if len(rounds):
        found.append(shown_table(rounds, "Rounds", "A row an edge and round."))
    if len(requests):
        found.append(shown_table(requests, "Requests"))
    if len(services):
        found.append(shown_table(services, "Services"))
    found.append(nodes_table(file, nodes))
    for name, title in (("communication/links", "Traffic"), ("topology/chains", "Chains"), ("topology/links", "Links"),
                        ("topology/ranks", "Ranks")):
        rows = table(file, name) if name in file else []
        if len(rows):
            found.append(shown_table(rows, title, text(file[name].attrs.get("description", ""))))
    return [one for one in found if one is not None]


def optional(file, name):
    """A table that older files may lack: then without rows."""
    return table(file, name) if name in file else figures.pandas.DataFrame()


def run_of(path):
    """What the page shows of one file, and the values of its curves. Raises UnreadableFile."""
    with open_gaisnet(path) as file:
        nodes, rounds = table(file, "topology/nodes"), table(file, "rounds")
        requests, services = optional(file, "inference"), optional(file, "service")
        drawn = [
            ("Network", figures.network_map(file)),
            ("Latency", figures.latency_of_rounds(file, rounds)),
            ("Requests", figures.requests_of_clients(requests)),
            ("Services", figures.services_of_policies(services)),
            ("Energy", figures.energy_of_nodes(table(file, "energy"))),
            ("Communication", figures.communication(table(file, "communication/links"))),
            ("Memory", figures.memory_of_nodes(table(file, "memory"), nodes)),
            ("Samples", figures.classes_of_start_points(optional(file, "topology/samples"))),
            ("Domains", figures.domains(optional(file, "accuracy_by_domain"))),
            ("Plans", figures.front_of_plans(optional(file, "plan/front"))),
            ("Timeline", figures.timelines(file, rounds) if len(rounds) else None),
        ]
        run = {"name": pathlib.Path(path).name, "about": about(file), "warning": warning_of(file, path),
               "repeat": command_of(file), "figures_of_merit": merits(file, rounds, requests, services),
               "figures": [{"short": short, **one} for short, one in drawn if one is not None],
               "tables": tables_of(file, nodes, rounds, requests, services)}
        return run, figures.totals_by_round(file) if len(rounds) else {}


def comparison_of(runs):
    """The figures of merit of all runs, and the settings in which they differ."""
    pandas = figures.pandas
    rows, given = {}, {}
    for run, path in runs:
        rows[run["name"]] = dict(run["figures_of_merit"])
        with open_gaisnet(path) as file:
            given[run["name"]] = settings_of(file)
    keys = [key for key in dict.fromkeys(key for own in given.values() for key in own)
            if len({own.get(key, "") for own in given.values()}) > 1]
    merits_table = pandas.DataFrame(rows).fillna("-")
    differ = pandas.DataFrame({name: {key: own.get(key, "") for key in keys} for name, own in given.items()})
    return {"tables": [shown_table(merits_table.rename_axis("").reset_index(), "Results", "", open_at_first=True),
                       shown_table(differ.rename_axis("setting").reset_index(), "Settings that differ", "", open_at_first=True)]}


def page_of(paths, title):
    """The page about these files. Raises UnreadableFile."""
    script = plotly_script()
    runs, curves = [], {}
    for path in paths:
        run, own = run_of(path)
        if any(run["name"] == other["name"] for other, _ in runs):
            run["name"] = str(path)
        runs.append((run, path))
        if own:
            curves[run["name"]] = own
    report = {"runs": [run for run, _ in runs], "curves": figures.curves(curves) if curves else None,
              "comparison": comparison_of(runs) if len(runs) > 1 else None}
    # An end tag within the JSON or a script would end the element that holds it.
    parts = {"title": title.replace("&", "&amp;").replace("<", "&lt;"), "json": json.dumps(report, allow_nan=False,
             separators=(",", ":")).replace("<", "\\u003c"), "plotly": script.replace("</script", "<\\/script"),
             **{name: (PAGE / f"report.{name}").read_text(encoding="utf-8") for name in ("css", "js")}}
    return re.sub("@(title|css|json|plotly|js)@", lambda found: parts[found[1]],
                  (PAGE / "report.html").read_text(encoding="utf-8"))


def main():
    parser = parser_of("report", __doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", metavar="FILE", help="results files of gaisnet (HDF5)")
    parser.add_argument("-o", "--output", metavar="HTML", help="where the page goes; otherwise beside the first file")
    parser.add_argument("--title", help="of the page; otherwise the names of the files")
    given = parser.parse_args()
    path = pathlib.Path(given.output or pathlib.Path(given.files[0]).with_suffix(".html"))
    if path.suffix.lower() not in (".html", ".htm"):
        parser.error(f"--output {path}: a name that ends in .html is accepted")
    page = page_of(given.files, given.title or ", ".join(pathlib.Path(name).stem for name in given.files[:4])
                   + (" ..." if len(given.files) > 4 else ""))
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as failure:
        raise UnwritablePicture(f"'{path}': cannot be written: {os.strerror(failure.errno)}") from None
    print(path)


if __name__ == "__main__":
    run_tool(main)
