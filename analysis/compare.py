"""Compares runs: python3 -m analysis.compare FILE FILE ...

Prints for each results file its accuracy and what it cost in emulated time, energy, bytes and spectrum; with --accuracy A
also what it cost until the mean accuracy of the edges was first A. --picture PNG draws accuracy over emulated time.
"""

import pathlib

from analysis.results import ACTIVE_PARTS, LINK_CLASSES, numpy, open_gaisnet, parser_of, print_table, pyplot, quantity, run_tool


def totals_of(file):
    """By round: accuracy (mean over edges), and sums since the start of time (slowest edge), energy, bytes and Hz s.

    Energy is that of all nodes: /energy holds the cloud's as well."""
    rounds, energy = file["rounds"][:], file["energy"][:]
    found = {"round": numpy.unique(rounds["round"])}
    per = [rounds[rounds["round"] == number] for number in found["round"]]
    found["accuracy"] = numpy.array([rows["accuracy"].mean() for rows in per])
    found["time_s"] = numpy.array([rows["end_s"].max() for rows in per])
    per_round = [energy[energy["round"] == number] for number in found["round"]]
    found["energy_j"] = numpy.cumsum([rows["total_j"].sum() for rows in per_round])
    found["active_j"] = numpy.cumsum([sum(rows[part].sum() for part in ACTIVE_PARTS) for rows in per_round])
    found["bytes"] = numpy.cumsum([sum(rows[f"bytes_{link}"].sum() for link in LINK_CLASSES) for rows in per])
    found["spectrum_hz_s"] = numpy.cumsum([sum(rows[f"airtime_{link}_hz_s"].sum() for link in LINK_CLASSES)
                                           for rows in per])
    return found


def percent(value):
    return "-" if numpy.isnan(value) else f"{100 * value:.2f} %"


def cost(totals, index):
    return [quantity(totals[what][index], unit)
            for what, unit in (("time_s", "s"), ("energy_j", "J"), ("active_j", "J"), ("bytes", "B"), ("spectrum_hz_s", "Hz s"))]


def rows_until(all_totals, accuracy):
    """What each run cost until it had that accuracy."""
    rows = []
    for name, totals in all_totals.items():
        reached = numpy.flatnonzero(totals["accuracy"] >= accuracy)
        rows.append([name, *([int(totals["round"][reached[0]]), *cost(totals, reached[0])] if len(reached)
                             else ["never", "-", "-", "-", "-", "-"])])
    return rows


def draw(all_totals, path):
    plt = pyplot()
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", sharey=True)
    for name, totals in all_totals.items():
        axes[0].plot(totals["time_s"], totals["accuracy"], marker="o", markersize=3, label=name)
        axes[1].plot(totals["energy_j"], totals["accuracy"], marker="o", markersize=3, label=name)
    axes[0].set(xlabel="emulated time (s)", ylabel="validation accuracy")
    axes[1].set(xlabel="energy of all nodes (J)")
    axes[1].legend(frameon=False)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main():
    parser = parser_of("compare", __doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", metavar="FILE", help="results files of gaisnet (HDF5)")
    parser.add_argument("--accuracy", type=float, help="also compare the costs up to this accuracy, 0 to 1")
    parser.add_argument("--picture", metavar="PNG", help="accuracy over time and energy")
    given = parser.parse_args()
    found = {}
    for path in given.files:
        with open_gaisnet(path) as file:
            name = pathlib.Path(path).stem
            found[name if name not in found else path] = totals_of(file)
    if given.accuracy is not None and not 0 <= given.accuracy <= 1:
        parser.error(f"--accuracy {given.accuracy:g}: 0 to 1 is accepted")
    for name in [name for name, totals in found.items() if not len(totals["round"])]:
        print(f"{name}: has no rounds of training, or none has ended yet")
        del found[name]
    if not found:
        return
    head = ("time", "energy", "less idling", "bytes", "spectrum")
    print("Runs, all rounds")
    print_table(("run", "rounds", "accuracy", *head),
                [[name, len(totals["round"]), percent(totals["accuracy"][-1]), *cost(totals, -1)]
                 for name, totals in found.items()])
    if given.accuracy is not None:
        print(f"\nUntil the accuracy was {100 * given.accuracy:g} %")
        print_table(("run", "round", *head), rows_until(found, given.accuracy))
    if given.picture:
        draw(found, given.picture)
        print(given.picture)


if __name__ == "__main__":
    run_tool(main)
