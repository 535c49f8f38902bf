"""Prints what a results file of GaisNet holds: python3 -m analysis.summary FILE

Needs h5py and numpy only, and nothing of GaisNet: it finds its way by the names, units and descriptions in the file.
Also works while the run that writes the file goes on.
"""

import os

from analysis.results import (ENERGY_PARTS, LATENCY_PARTS, REQUEST_PARTS, h5py, is_live, numpy, open_gaisnet, parser_of,
                              percentiles, print_table, quantity, run_tool, text, traffic, unit_of)

PRINTED_SERVICES = 20


def print_header(file, path, was_killed):
    attributes = file.attrs
    version = attributes.get("schema_version", "?")
    print(f"{path}: {text(attributes.get('schema', '?'))} results, schema version {version}")
    status = text(attributes.get("status", "?"))
    trained = len(file["rounds"]) > 0
    converged = "" if not trained else ", converged" if attributes.get("converged", False) else ", not converged"
    reason = text(attributes.get("stop_reason", ""))
    if status == "running":
        note = " (its writer is gone: killed, or the disk failed)" if was_killed else ""
        print(f"  status      running{note}")
    else:
        print(f"  status      {status}, {reason or 'no reason given'}{converged}")
    for name in ("created", "finished", "software_version", "git_version", "clock", "time_scale", "seed", "command"):
        if name in attributes and text(attributes[name]):
            print(f"  {name.replace('_', ' '):17} {text(attributes[name])}")


def print_rounds(table):
    rows = table[:]
    several = len(set(rows["edge"])) > 1
    head = (["edge"] if several else []) + ["round", "accuracy", "loss", "latency", *[p[:-2] for p in LATENCY_PARTS],
                                            "energy", "less idling"]
    lines = []
    for row in rows:
        accuracy = row["accuracy"]
        line = [row["edge"]] if several else []
        line += [row["round"], "-" if numpy.isnan(accuracy) else f"{100 * accuracy:.2f} %",
                 "-" if numpy.isnan(row["loss"]) else f"{row['loss']:.4f}", quantity(row["latency_s"], "s")]
        line += [quantity(row[part], unit_of(table, part)) for part in LATENCY_PARTS]
        lines.append(line + [quantity(row[which], unit_of(table, which)) for which in ("energy_j", "active_j")])
    print(f"\nRounds ({len(rows)}); the columns after latency are its parts")
    print_table(head, lines)
    cut, lost = rows["clusters_cut"].sum(), rows["clusters_lost"].sum()
    repaired = rows["clusters_repaired"].sum()
    if cut + lost + repaired:
        print(f"  rounds of clusters: {rows['clusters_done'].sum()} in averages, {repaired} of them by repaired chains, "
              f"{cut} cut at the close of a round, {lost} lost a client")


def print_requests(table):
    """Of inference: latency of a request and its parts, for each edge."""
    rows = table[:]
    print(f"\nRequests ({len(rows)}): mean latency and its parts, which add up to it")
    lines = []
    for edge in numpy.unique(rows["edge"]):
        own = rows[rows["edge"] == edge]
        known = own[own["label"] != b""]
        right = f"{100 * (known['label'] == known['predicted']).mean():.2f} %" if len(known) else "-"
        span = (own["arrival_s"] + own["latency_s"]).max() - own["arrival_s"].min()
        lines.append([edge, len(own), right, f"{len(own) / span:.4g} /s", quantity(own["latency_s"].mean(), "s"),
                      *[quantity(value, "s") for value in percentiles(own["latency_s"], (50, 90, 99))],
                      *[quantity(own[part].mean(), "s") for part in REQUEST_PARTS]])
    print_table(["edge", "requests", "accuracy", "throughput", "latency", "p50", "p90", "p99",
                 *[part[:-2] for part in REQUEST_PARTS]], lines)


def print_services(table):
    """Of gaisnet serve: what every policy did, in turn, and what it came to."""
    rows = table[:]
    real = rows["latency_s"].any()  # otherwise of a table, which has profits and costs only
    sums = ("requests", "right", "latency_s", "energy_j", "spectrum_hz_s") if real else ()
    sign = {b"infer": "", b"fine_tune": "+"}
    lines = []
    for policy in dict.fromkeys(rows["policy"]):
        own = rows[rows["policy"] == policy]
        done = [sign[row["action"]] + text(row["model"]) if row["action"] in sign else "-" for row in own]
        lines.append([text(policy), len(own), *[quantity(own[name].sum(), unit_of(table, name)) for name in sums[2:]],
                      *[own[name].sum() for name in sums[:2]], *[f"{own[name].sum():.4g}" for name in ("value", "cost")],
                      f"{own['cash'][-1]:.4g}",
                      " ".join(done[:PRINTED_SERVICES]) + (" ..." if len(done) > PRINTED_SERVICES else "")])
    print("\nServices; in turn: 'm' answers with model m, '+m' fine-tunes it, '-' does nothing")
    print_table(("policy", "rounds", *(("time", "energy", "spectrum", "requests", "right") if real else ()), "value", "cost",
                 "cash", "in turn"), lines)


def print_domains(table):
    """The matrix of models and domains, after the last round at which it was found."""
    rows = table[:]
    rows = rows[rows["round"] == rows["round"].max()]
    for method in dict.fromkeys(rows["method"]):
        own = rows[rows["method"] == method]
        domains = list(dict.fromkeys(own["domain"]))
        print(f"\nAccuracy by {text(method)}, after round {own['round'][0]}; domains in columns, (*) no edge has it")
        unseen = set(own["domain"][own["seen"] == 0])
        found = {(row["model"], row["domain"]): f"{100 * row['accuracy']:.2f} %" for row in own}
        print_table(("model", *[text(domain) + (" (*)" if domain in unseen else "") for domain in domains]),
                    [[text(model), *[found.get((model, domain), "-") for domain in domains]]
                     for model in dict.fromkeys(own["model"])])


def print_links(file):
    print("\nCommunication by link class, all rounds")
    print_table(("link", "bytes", "spectrum"),
                [(name, quantity(size, "B"), quantity(spectrum, "Hz s")) for name, size, spectrum in traffic(file)])


def print_roles(file):
    clients, energy, memory = file["clients"][:], file["energy"][:], file["memory"][:]
    print("\nBy role, all rounds: sums of time, FLOP and energy; largest peak of memory of one node")
    causes = [cause[:-2] for cause in ENERGY_PARTS[:-1]]
    lines = []
    for role in numpy.unique(clients["role"]):
        work, spent, held = (rows[rows["role"] == role] for rows in (clients, energy, memory))
        lines.append([text(role), len(numpy.unique(work["node"])), quantity(work["busy_s"].sum(), "s"),
                      quantity(work["flops"].sum(), unit_of(file["clients"], "flops")),
                      *[quantity(spent[part].sum(), unit_of(file["energy"], part)) for part in ENERGY_PARTS],
                      *[quantity(held[part].max(initial=0), "B") for part in ("temporary_bytes", "total_bytes")]])
    print_table(("role", "nodes", "busy", "computed", *causes, "energy", "temporary", "total memory"), lines)


def print_transport(table):
    rows = table[:]
    print("\nReally moved between nodes, all rounds")
    print_table(("transport", "messages", "bytes"),
                [(text(name), rows["messages"][rows["transport"] == name].sum(),
                  quantity(rows["bytes"][rows["transport"] == name].sum(), "B"))
                 for name in numpy.unique(rows["transport"])])


def print_lateness(table):
    """Of a run with clock = real."""
    print(f"\nLateness of {table.shape[0]} messages, real time")
    parts = ("late_s", "upstream_s", "own_compute_s", "neighbour_s", "timer_s")
    print_table(("part", "half", "9 of 10", "99 of 100", "all below"),
                [(part[:-2], *[quantity(value, "s") for value in percentiles(table[part], (50, 90, 99, 100))])
                 for part in parts])


def print_ranks(ranks):
    """Where the processes ran: a line each, the middle left out when there are many."""
    print("\nRanks")
    rows = ranks[:]
    most = 16
    for row in rows[:most]:
        gpu = f", GPU {row['gpu']} {text(row['gpu_uuid'])}" if row["gpu"] >= 0 else ""
        print(f"  {row['rank']:<6}{text(row['host'])}, cores {text(row['cores'])}, {text(row['device'])}{gpu}, "
              f"{text(row['transport'])}")
    if len(rows) > most:
        print(f"  ... and {len(rows) - most} more")


def print_tables(file):
    print("\nTables")

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            print(f"  /{name:24}{item.shape[0]:>10} rows  {text(item.attrs.get('description', ''))}")

    file.visititems(visit)


def summarise(path):
    """Prints the summary of the file at `path`. Raises results.UnreadableFile."""
    live = is_live(path) if os.path.isfile(path) else None
    with open_gaisnet(path) as file:
        was_killed = text(file.attrs.get("status", "")) == "running" and live is False
        print_header(file, path, was_killed)
        if len(file["service"]):
            print_services(file["service"])
        if len(file["accuracy_by_domain"]):
            print_domains(file["accuracy_by_domain"])
        if len(file["clients"]):
            if len(file["rounds"]):
                print_rounds(file["rounds"])
            if len(file["inference"]):
                print_requests(file["inference"])
            print_links(file)
            print_roles(file)
            print_transport(file["communication/transport"])
            if len(file["fidelity"]):
                print_lateness(file["fidelity"])
            print_ranks(file["topology/ranks"])
        elif not len(file["service"]):
            print("\nNo round has ended yet.")
        print_tables(file)
        if was_killed:
            print("\nThe file was not closed properly; it holds all rounds that had ended. Readers that do not use "
                  f"swmr=True\nmay refuse it until 'h5clear -s {path}' was run; 'gaisnet --resume' goes on with it.")


def main():
    parser = parser_of("summary", __doc__.splitlines()[0])
    parser.add_argument("file", help="results file of gaisnet (HDF5)")
    summarise(parser.parse_args().file)


if __name__ == "__main__":
    run_tool(main)
