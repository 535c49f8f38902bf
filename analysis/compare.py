"""Compares runs: python3 -m analysis.compare FILE FILE ...

Prints for each results file its accuracy, of models that tell next tokens also their perplexity, and what it cost in
emulated time, energy, bytes and spectrum; of sessions of inference their latencies. With --accuracy A or --perplexity P also
what it cost until the edges' mean was first that good. --by KEY tells the value of a setting and puts runs of one value
together in the picture. --picture PNG draws accuracy over emulated time and energy, or --over one cost; of inference how
many requests were answered within which latency.
"""

import math
import pathlib

from analysis.results import (ACTIVE_PARTS, COLOURS, UnreadableFile, numpy, open_gaisnet, pandas, parser_of, percent, percentiles,
                              print_table, pyplot, quantity, run_tool, save, settings_of, table, traffic)

COSTS = {"time_s": ("time", "s"), "energy_j": ("energy", "J"), "active_j": ("less idling", "J"), "bytes": ("bytes", "B"),
         "spectrum_hz_s": ("spectrum", "Hz s")}
OVER = {"rounds": ("round", "rounds"), "time": ("time_s", "emulated time (s)"), "energy": ("energy_j", "energy of all nodes (J)"),
        "active": ("active_j", "energy without idling (J)"), "bytes": ("bytes", "bytes sent"),
        "spectrum": ("spectrum_hz_s", "spectrum (Hz s)")}
QUALITIES = {"accuracy": "validation accuracy", "loss": "validation loss (nat)", "perplexity": "perplexity"}


def totals_of(file):
    """A record a round: its accuracy (mean over edges) and perplexity (geometric mean; NaN of classes), and sums since the
    start of time (slowest edge), energy, bytes and Hz s.

    Energy is that of all nodes: /energy holds the cloud's as well."""
    rounds, energy = table(file, "rounds"), table(file, "energy")
    rounds["bytes"] = rounds.filter(regex="^bytes_").sum(axis="columns")
    rounds["spectrum_hz_s"] = rounds.filter(regex="^airtime_").sum(axis="columns")
    energy["active_j"] = energy[ACTIVE_PARTS].sum(axis="columns")
    spent = energy.groupby("round").agg(energy_j=("total_j", "sum"), active_j=("active_j", "sum"))
    by_round = rounds.groupby("round")
    sums = by_round[["bytes", "spectrum_hz_s"]].sum().join(spent).fillna(0).cumsum()
    means = by_round.agg(accuracy=("accuracy", "mean"), loss=("loss", "mean"), time_s=("end_s", "max"))
    means["perplexity"] = numpy.exp(means["loss"]) if "perplexity" in rounds else math.nan
    return means.join(sums).to_records()


def session_of(file):
    """Of a session of inference: its requests and what they cost, and the latencies of all, sorted; None without requests."""
    requests = table(file, "inference")
    if not len(requests):
        return None
    half, most = percentiles(requests["latency_s"], [50, 99])
    known, energy, sent = requests[requests["label"] != ""], table(file, "energy"), traffic(file)
    return {"requests": len(requests), "accuracy": (known["label"] == known["predicted"]).mean() if len(known) else math.nan,
            "latency_s": requests["latency_s"].mean(), "p50_s": half, "p99_s": most, "energy_j": energy["total_j"].sum(),
            "active_j": energy[ACTIVE_PARTS].to_numpy().sum(), "bytes": int(sent["bytes"].sum()),
            "spectrum_hz_s": sent["airtime_hz_s"].sum(), "latencies_s": numpy.sort(requests["latency_s"].to_numpy())}


def cost(total):
    return [quantity(total[what], unit) for what, (_, unit) in COSTS.items()]


def rows_until(all_totals, is_reached):
    """What each run cost until its totals were good enough."""
    rows = []
    for name, totals in all_totals.items():
        reached = totals[is_reached(totals)]
        rows.append([name, *([reached[0]["round"], *cost(reached[0])] if len(reached) else ["never", *["-"] * len(COSTS)])])
    return rows


def families_of(names, groups):
    """By value of the setting, or by run where there is none: the names of its runs and its colour."""
    members = {}
    for name in names:
        members.setdefault(groups.get(name, name), []).append(name)
    return [(value, own, COLOURS[number % len(COLOURS)]) for number, (value, own) in enumerate(members.items())]


def draw(all_totals, groups, over, quality, title):
    """A line a run; of several runs of one value thin ones, and their mean by round, as far as all have come."""
    figure, all_axes = pyplot().subplots(1, len(over), figsize=(3 + 4 * len(over), 4), layout="constrained", sharey=True, squeeze=False)
    for axes, (what, label) in zip(all_axes[0], (OVER[name] for name in over)):
        for value, names, colour in families_of(all_totals, groups):
            known = [totals[~numpy.isnan(totals[quality])] for totals in map(all_totals.get, names)]  # train.evaluate_every
            for totals in known if len(known) > 1 else ():
                axes.plot(totals[what], totals[quality], color=colour, linewidth=0.7, alpha=0.45)
            length = min(map(len, known))
            x, y = (numpy.mean([totals[column][:length] for totals in known], axis=0) for column in (what, quality))
            axes.plot(x, y, color=colour, label=value + (f" ({len(known)} runs)" if len(known) > 1 else ""),
                      marker="o" if length <= 60 else None, markersize=3)
        axes.set(xlabel=label)
    all_axes[0][0].set(ylabel=QUALITIES[quality])
    all_axes[0][-1].legend(frameon=False, title=title)
    return figure


def draw_latencies(sessions, groups, title):
    figure, axes = pyplot().subplots(figsize=(7, 4), layout="constrained")
    for value, names, colour in families_of(sessions, groups):
        for name in names:
            latencies = sessions[name]["latencies_s"]
            axes.step(latencies, numpy.arange(1, len(latencies) + 1) / len(latencies), where="post", color=colour,
                      label=value if name == names[0] else None)
    axes.set(xlabel="latency (s)", ylabel="part of requests", ylim=(0, 1.02))
    axes.legend(frameon=False, title=title)
    return figure


def print_sessions(sessions, groups, by):
    print("Sessions of inference")
    keys = ["latency_s", "p50_s", "p99_s"]
    print_table(pandas.DataFrame(
        [[name, *([groups[name]] if by else []), found["requests"], percent(found["accuracy"]),
          *[quantity(found[key], "s") for key in keys], *cost({"time_s": math.nan, **found})[1:]] for name, found in sessions.items()],
        columns=["run", *([by] if by else []), "requests", "accuracy", "latency", "p50", "p99", *[head for head, _ in COSTS.values()][1:]]))


def print_runs(found, groups, by, goals):
    heads = [head for head, _ in COSTS.values()]
    print("Runs, all rounds")
    qualities = {"accuracy": percent}
    if any(not math.isnan(totals[-1]["perplexity"]) for totals in found.values()):
        qualities["perplexity"] = lambda value: "-" if math.isnan(value) else f"{value:.2f}"
    print_table(pandas.DataFrame([[name, *([groups[name]] if by else []), len(totals),
                                   *[show(totals[-1][what]) for what, show in qualities.items()],
                                   *cost(totals[-1])] for name, totals in found.items()],
                                 columns=["run", *([by] if by else []), "rounds", *qualities, *heads]))
    for words, is_reached in goals:
        print(f"\nUntil the {words}")
        print_table(pandas.DataFrame(rows_until(found, is_reached), columns=["run", "round", *heads]))


def read(path, by):
    """Totals, session and the value of a setting of one file."""
    with open_gaisnet(path) as file:
        settings = settings_of(file)
        if by and by not in settings:
            close = [key for key in settings if key.endswith(by.rpartition(".")[2])]
            raise UnreadableFile(f"'{path}': --by {by}: no setting of that name has decided its results"
                                 + (f"; similar ones: {', '.join(close[:5])}" if close else ""))
        return totals_of(file), session_of(file), settings.get(by, "")


def main():
    parser = parser_of("compare", __doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", metavar="FILE", help="results files of gaisnet (HDF5)")
    parser.add_argument("--accuracy", type=float, help="also compare the costs up to this accuracy, 0 to 1")
    parser.add_argument("--perplexity", type=float, help="also compare the costs up to this perplexity, at least 1")
    parser.add_argument("--by", metavar="KEY", help="a setting whose values tell runs apart: a family of curves each")
    parser.add_argument("--over", choices=OVER, help="what the picture has at its foot; otherwise time and energy")
    parser.add_argument("--quality", choices=QUALITIES, default="accuracy", help="what the picture draws")
    parser.add_argument("--picture", metavar="PNG", help="quality over costs, or latencies of requests")
    given = parser.parse_args()
    if given.accuracy is not None and not 0 <= given.accuracy <= 1:
        parser.error(f"--accuracy {given.accuracy:g}: 0 to 1 is accepted")
    if given.perplexity is not None and not given.perplexity >= 1:
        parser.error(f"--perplexity {given.perplexity:g}: at least 1 is accepted")
    found, sessions, groups = {}, {}, {}
    for path in given.files:
        name = pathlib.Path(path).stem
        name = name if name not in found and name not in sessions else path
        totals, session, value = read(path, given.by)
        if given.by:
            groups[name] = value
        if len(totals):
            found[name] = totals
        elif session:
            sessions[name] = session
        else:
            print(f"{name}: has no rounds of training and no requests, or none has ended yet")
    goals = []
    if given.accuracy is not None:
        goals.append((f"accuracy was {100 * given.accuracy:g} %", lambda totals: totals["accuracy"] >= given.accuracy))
    if given.perplexity is not None:
        goals.append((f"perplexity was {given.perplexity:g}", lambda totals: totals["perplexity"] <= given.perplexity))
    if found:
        print_runs(found, groups, given.by, goals)
    if sessions:
        if found:
            print()
        print_sessions(sessions, groups, given.by)
    if given.picture and found:
        save(draw(found, groups, [given.over] if given.over else ["time", "energy"], given.quality, given.by), given.picture)
    elif given.picture and sessions:
        save(draw_latencies(sessions, groups, given.by), given.picture)


if __name__ == "__main__":
    run_tool(main)
