"""Prints what a results file of GaisNet holds: python3 -m analysis.summary FILE

Also works while the run that writes the file goes on.
"""

import os

from analysis.results import (ENERGY_PARTS, h5py, is_live, open_gaisnet, pandas, parser_of, percent,
                              percentiles, print_table, quantities, run_tool, table, text, traffic, without_unit)

PRINTED_SERVICES, PRINTED_RANKS = 20, 16


def print_header(file, path, was_killed):
    attributes = file.attrs
    version = attributes.get("schema_version", "?")
    print(f"{path}: {text(attributes.get('schema', '?'))} results, schema version {version}")
    status = text(attributes.get("status", "?"))
    trained = len(table(file, "rounds")) > 0
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


def print_rounds(rounds):
    costs = quantities(rounds[["latency_s", *rounds.attrs["latency_parts"], "energy_j", "active_j"]], rounds.attrs["units"])
    numbers = rounds[["edge", "round"] if rounds["edge"].nunique() > 1 else ["round"]]
    shown = numbers.assign(accuracy=rounds["accuracy"].map(percent), loss=rounds["loss"].map("{:.4f}".format).replace("nan", "-"))
    costs = costs.rename(columns=without_unit).rename(columns={"active": "less idling"})
    print(f"\nRounds ({len(rounds)}); the columns after latency are its parts")
    print_table(pandas.concat([shown, costs], axis="columns"))
    done, cut, lost, repaired = rounds[[f"clusters_{end}" for end in ("done", "cut", "lost", "repaired")]].sum()
    if cut + lost + repaired:
        print(f"  rounds of clusters: {done} in averages, {repaired} of them by repaired chains, {cut} cut at the close of a "
              f"round, {lost} lost a client")


def print_requests(requests):
    """Of inference: latency of a request and its parts, for each edge."""
    requests = requests.assign(end_s=requests["arrival_s"] + requests["latency_s"])
    by_edge, known = requests.groupby("edge"), requests[requests["label"] != ""]
    right = (known["label"] == known["predicted"]).groupby(known["edge"]).mean()
    rates = by_edge.size() / (by_edge["end_s"].max() - by_edge["arrival_s"].min())
    shown = pandas.DataFrame({"requests": by_edge.size(), "accuracy": right.reindex(rates.index).map(percent),
                              "throughput": rates.map("{:.4g} /s".format)})
    tails = by_edge["latency_s"].apply(lambda own: pandas.Series(percentiles(own, [50, 90, 99]), ["p50", "p90", "p99"]))
    times = pandas.concat([by_edge[["latency_s"]].mean(), tails.unstack(), by_edge[requests.attrs["latency_parts"]].mean()], axis="columns")
    print(f"\nRequests ({len(requests)}): mean latency and its parts, which add up to it")
    print_table(shown.join(quantities(times, "s").rename(columns=without_unit)))


def print_services(services):
    """Of gaisnet serve: what every policy did, in turn, and what it came to."""
    turns = (services["action"].map({"infer": "", "fine_tune": "+"}) + services["model"]).fillna("-")
    by_policy = services.assign(turn=turns).groupby("policy", sort=False)
    sums = by_policy.sum(numeric_only=True)
    shown = pandas.DataFrame({"rounds": by_policy.size()})
    if services["latency_s"].any():  # otherwise of a table, which has profits and costs only
        costs = quantities(sums[["latency_s", "energy_j", "spectrum_hz_s"]], services.attrs["units"])
        shown[["time", "energy", "spectrum"]] = costs
        shown[["requests", "right"]] = sums[["requests", "right"]]
    for name, values in (("value", sums["value"]), ("cost", sums["cost"]), ("cash", by_policy["cash"].last())):
        shown[name] = values.map("{:.4g}".format)
    shown["in turn"] = by_policy["turn"].agg(lambda turns: " ".join(turns[:PRINTED_SERVICES]) +
                                             (" ..." if len(turns) > PRINTED_SERVICES else ""))
    print("\nServices; in turn: 'm' answers with model m, '+m' fine-tunes it, '-' does nothing")
    print_table(shown)


def print_waits(clients):
    """Of gaisnet serve, when requests wait: what became of those of each client."""
    waits = quantities(clients[["wait_s", "longest_wait_s"]], clients.attrs["units"])
    shown = clients.set_index("client")[["edge", "arrived", "answered", "right", "expired", "waiting"]]
    shown[["mean wait", "longest"]] = waits.to_numpy()
    print("\nRequests of clients; waits are those of requests that were answered, until their service began")
    print_table(shown)


def print_domains(found):
    """The matrix of models and domains, after the last round at which it was found."""
    last = found["round"].max()
    for method, own in found[found["round"] == last].groupby("method", sort=False):
        unseen = set(own["domain"][own["seen"] == 0])
        figure, shape = ("perplexity", "{:.2f}".format) if method == "next tokens" else ("accuracy", percent)
        matrix = own.pivot_table(values=figure, index="model", columns="domain", aggfunc="last")
        matrix = matrix.reindex(index=own["model"].unique(), columns=own["domain"].unique())
        shown = matrix.apply(lambda figures: figures.map(shape))
        print(f"\n{figure.capitalize()} by {method}, after round {last}; domains in columns, (*) no edge has it")
        print_table(shown.rename(columns=lambda domain: domain + (" (*)" if domain in unseen else "")))


def print_links(sent):
    print("\nCommunication by link class, all rounds")
    shown = quantities(sent, {"bytes": "B", "airtime_hz_s": "Hz s"})
    print_table(shown.rename(columns={"airtime_hz_s": "spectrum"}))


def print_roles(clients, energy, memory):
    units = clients.attrs["units"] | energy.attrs["units"] | memory.attrs["units"]
    by_role = clients.groupby("role")
    shown = pandas.DataFrame({"nodes": by_role["node"].nunique()})
    sums = by_role[["busy_s", "flops"]].sum().join(energy.groupby("role")[[*ENERGY_PARTS, "total_j"]].sum())
    peaks = memory.groupby("role")[["temporary_bytes", "total_bytes"]].max()
    shown = shown.join(quantities(sums.join(peaks).fillna(0), units))
    print("\nBy role, all rounds: sums of time, FLOP and energy; largest peak of memory of one node")
    heads = {"flops": "computed", "total_j": "energy", "temporary_bytes": "temporary", "total_bytes": "total memory"}
    print_table(shown.rename(columns=heads).rename(columns=without_unit))


def print_transport(moved):
    print("\nReally moved between nodes, all rounds")
    sums = moved.groupby("transport")[["messages", "bytes"]].sum()
    print_table(sums.assign(bytes=quantities(sums[["bytes"]], "B")))


def print_lateness(fidelity):
    """Of a run with clock = real."""
    parts = fidelity[["late_s", "upstream_s", "own_compute_s", "neighbour_s", "timer_s"]].rename(columns=without_unit)
    heads = {"half": 50, "9 of 10": 90, "99 of 100": 99, "all below": 100}
    tails = pandas.DataFrame(percentiles(parts, list(heads.values())).T, parts.columns.rename("part"), heads)
    print(f"\nLateness of {len(fidelity)} messages, real time")
    print_table(quantities(tails, "s"))


def print_ranks(ranks):
    """Where the processes ran: a line each, the last ones left out when there are many."""
    print("\nRanks")
    for row in ranks[:PRINTED_RANKS].itertuples():
        gpu = f", GPU {row.gpu} {row.gpu_uuid}" if row.gpu >= 0 else ""
        print(f"  {row.rank:<6}{row.host}, cores {row.cores}, {row.device}{gpu}, {row.transport}")
    if len(ranks) > PRINTED_RANKS:
        print(f"  ... and {len(ranks) - PRINTED_RANKS} more")


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

        def print_filled(name, print_rows):
            rows = table(file, name)
            if len(rows):
                print_rows(rows)

        print_filled("service", print_services)
        if "service_clients" in file:
            print_filled("service_clients", print_waits)
        print_filled("accuracy_by_domain", print_domains)
        clients = table(file, "clients")
        if len(clients):
            print_filled("rounds", print_rounds)
            print_filled("inference", print_requests)
            print_links(traffic(file))
            print_roles(clients, table(file, "energy"), table(file, "memory"))
            print_transport(table(file, "communication/transport"))
            print_filled("fidelity", print_lateness)
            print_ranks(table(file, "topology/ranks"))
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
