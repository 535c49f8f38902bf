"""Compares runs: python3 -m analysis.compare FILE FILE ...

Prints for each results file its accuracy, of models that tell next tokens also their perplexity, and what it cost in
emulated time, energy, bytes and spectrum; with --accuracy A or --perplexity P also what it cost until the edges' mean was
first that good. --picture PNG draws accuracy over emulated time.
"""

import math
import pathlib

from analysis.results import (ACTIVE_PARTS, numpy, open_gaisnet, pandas, parser_of, percent, print_table, pyplot, quantity, run_tool,
                              save, table)

COSTS = {"time_s": ("time", "s"), "energy_j": ("energy", "J"), "active_j": ("less idling", "J"), "bytes": ("bytes", "B"),
         "spectrum_hz_s": ("spectrum", "Hz s")}


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


def cost(total):
    return [quantity(total[what], unit) for what, (_, unit) in COSTS.items()]


def rows_until(all_totals, is_reached):
    """What each run cost until its totals were good enough."""
    rows = []
    for name, totals in all_totals.items():
        reached = totals[is_reached(totals)]
        rows.append([name, *([reached[0]["round"], *cost(reached[0])] if len(reached) else ["never", *["-"] * len(COSTS)])])
    return rows


def draw(all_totals, path):
    figure, axes = pyplot().subplots(1, 2, figsize=(10, 4), layout="constrained", sharey=True)
    for name, totals in all_totals.items():
        axes[0].plot(totals["time_s"], totals["accuracy"], marker="o", markersize=3, label=name)
        axes[1].plot(totals["energy_j"], totals["accuracy"], marker="o", markersize=3, label=name)
    axes[0].set(xlabel="emulated time (s)", ylabel="validation accuracy")
    axes[1].set(xlabel="energy of all nodes (J)")
    axes[1].legend(frameon=False)
    save(figure, path)


def main():
    parser = parser_of("compare", __doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", metavar="FILE", help="results files of gaisnet (HDF5)")
    parser.add_argument("--accuracy", type=float, help="also compare the costs up to this accuracy, 0 to 1")
    parser.add_argument("--perplexity", type=float, help="also compare the costs up to this perplexity, at least 1")
    parser.add_argument("--picture", metavar="PNG", help="accuracy over time and energy")
    given = parser.parse_args()
    found = {}
    for path in given.files:
        with open_gaisnet(path) as file:
            name = pathlib.Path(path).stem
            found[name if name not in found else path] = totals_of(file)
    if given.accuracy is not None and not 0 <= given.accuracy <= 1:
        parser.error(f"--accuracy {given.accuracy:g}: 0 to 1 is accepted")
    if given.perplexity is not None and not given.perplexity >= 1:
        parser.error(f"--perplexity {given.perplexity:g}: at least 1 is accepted")
    for name in [name for name, totals in found.items() if not len(totals)]:
        print(f"{name}: has no rounds of training, or none has ended yet")
        del found[name]
    if not found:
        return
    heads = [head for head, _ in COSTS.values()]
    print("Runs, all rounds")
    qualities = {"accuracy": percent}
    if any(not math.isnan(totals[-1]["perplexity"]) for totals in found.values()):
        qualities["perplexity"] = lambda value: "-" if math.isnan(value) else f"{value:.2f}"
    print_table(pandas.DataFrame([[name, len(totals), *[show(totals[-1][what]) for what, show in qualities.items()],
                                   *cost(totals[-1])] for name, totals in found.items()],
                                 columns=["run", "rounds", *qualities, *heads]))
    goals = []
    if given.accuracy is not None:
        goals.append((f"accuracy was {100 * given.accuracy:g} %", lambda totals: totals["accuracy"] >= given.accuracy))
    if given.perplexity is not None:
        goals.append((f"perplexity was {given.perplexity:g}", lambda totals: totals["perplexity"] <= given.perplexity))
    for words, is_reached in goals:
        print(f"\nUntil the {words}")
        print_table(pandas.DataFrame(rows_until(found, is_reached), columns=["run", "round", *heads]))
    if given.picture:
        draw(found, given.picture)


if __name__ == "__main__":
    run_tool(main)
