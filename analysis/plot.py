"""Draws the results of a run: python3 -m analysis.plot FILE

Writes FILE's name with .png (or --output): accuracy and loss, what the rounds' latency and the energy are made of, and
bytes by link class, all by round. Of a session of inference: latencies of requests and what they are made of, energy
and bytes. Of rounds of service: cash by policy, and how right the answers were.
"""

import pathlib

from analysis.results import (BESIDE, COLOURS, ENERGY_PARTS, LINK_CLASSES, UnreadableFile, numpy,
                              open_gaisnet, parser_of, pyplot, quantity, run_tool, save, table, traffic, without_unit)


def stacked(axes, parts, unit, title):
    """Bars of the columns by round, those that are zero everywhere left out."""
    base = numpy.zeros(len(parts))
    for (name, values), colour in zip(parts.items(), COLOURS):
        if values.any():
            axes.bar(parts.index, values, bottom=base, label=name, color=colour)
            base = base + values
    axes.set(xlabel="round", ylabel=unit, title=title)
    axes.legend(**BESIDE)


def draw_rounds(rounds, energy):
    figure, axes = pyplot().subplots(2, 2, figsize=(11, 7.5), layout="constrained")
    for edge, own in rounds.dropna(subset="accuracy").groupby("edge"):
        colour = COLOURS[edge % len(COLOURS)]
        axes[0, 0].plot(own["round"], own["accuracy"], color=colour, marker="o", markersize=3, label=f"edge {edge}")
        axes[0, 0].plot(own["round"], own["loss"], color=colour, linestyle=":")
    axes[0, 0].set(xlabel="round", title="validation: accuracy, and (dotted) mean cross entropy")
    axes[0, 0].legend(**BESIDE)
    by_round = rounds.groupby("round")
    # Parts add up within an edge only, so they are those of the slowest edge of each round.
    slowest = rounds.loc[by_round["latency_s"].idxmax()].set_index("round")[rounds.attrs["latency_parts"]]
    stacked(axes[0, 1], slowest.rename(columns=without_unit), "s", "latency of the slowest edge's round")
    spent = energy.groupby("round")[ENERGY_PARTS].sum().reindex(slowest.index)
    stacked(axes[1, 0], spent.rename(columns=without_unit), "J", "energy of all nodes")
    sent = by_round[[f"bytes_{link}" for link in LINK_CLASSES]].sum() / 1e6
    stacked(axes[1, 1], sent.set_axis(LINK_CLASSES, axis="columns"), "MB", "bytes sent")
    for part in axes.flat:
        part.xaxis.get_major_locator().set_params(integer=True)
    return figure


def draw_requests(requests, energy, sent):
    figure, axes = pyplot().subplots(2, 2, figsize=(11, 7.5), layout="constrained")
    for edge, own in requests.groupby("edge"):
        colour, ranks = COLOURS[edge % len(COLOURS)], numpy.arange(1, len(own) + 1)
        axes[0, 0].step(own["latency_s"].sort_values(), ranks / len(own), where="post", color=colour, label=f"edge {edge}")
        axes[0, 1].plot(own["arrival_s"], own["latency_s"], ".", markersize=3, color=colour)
    axes[0, 0].set(xlabel="latency, s", ylabel="part of requests", title="latency of requests", ylim=(0, 1.02))
    axes[0, 0].legend(frameon=False, fontsize="small")
    axes[0, 1].set(xlabel="arrival, s", ylabel="latency, s", title="latency by time of arrival")
    for part, title, unit, values in (
            (axes[1, 0], "mean latency by its parts", "s", requests[requests.attrs["latency_parts"]].mean()),
            (axes[1, 1], f"energy of all nodes; sent {sent / 1e6:.3g} MB", "J", energy[ENERGY_PARTS].sum())):
        shown = values[values > 0].rename(without_unit)
        bars = part.barh(shown.index, shown, color=COLOURS[0])
        part.bar_label(bars, [quantity(value, unit) for value in shown], padding=3, fontsize="small")
        part.margins(x=0.2)
        part.invert_yaxis()
        part.set(xlabel=unit, title=title)
    return figure


def draw_services(services):
    known = services.dropna(subset="accuracy")
    figure, axes = pyplot().subplots(1, 2 if len(known) else 1, figsize=(11 if len(known) else 6.5, 4.5), layout="constrained",
                                     squeeze=False)
    for number, ((policy, own), colour) in enumerate(zip(services.groupby("policy", sort=False), COLOURS)):
        width = max(1.5, 5 - number)  # a line that coincides with an earlier one does not hide it
        axes[0, 0].plot(own["round"], own["cash"], color=colour, linewidth=width, label=policy)
        tuned = own[own["action"] == "fine_tune"]
        axes[0, 0].plot(tuned["round"], tuned["cash"], "v", color=colour)
    axes[0, 0].plot([], [], "v", color="#000000", label="a model was fine-tuned")
    axes[0, 0].set(xlabel="round of service", title="cash")
    if len(known):
        for (model, answers), colour in zip(known.groupby("model", sort=False), COLOURS):
            for action, marker, what in (("infer", "o", "answers"), ("fine_tune", "v", "validation")):
                own = answers[answers["action"] == action]
                if len(own):
                    axes[0, 1].plot(own["round"], own["accuracy"], marker, color=colour, label=f"{model}, {what}")
        axes[0, 1].set(xlabel="round of service", title="accuracy", ylim=(-0.03, 1.03))
    for part in axes.flat:
        part.legend(**BESIDE)
        part.xaxis.get_major_locator().set_params(integer=True)
    return figure


def draw(file):
    rounds, energy, requests, services = (table(file, name) for name in ("rounds", "energy", "inference", "service"))
    title = pathlib.Path(file.filename).name
    if len(services):
        figure = draw_services(services)
    elif len(requests):
        figure = draw_requests(requests, energy, traffic(file)["bytes"].sum())
        title += f": {len(requests)} requests"
    elif len(rounds):
        figure = draw_rounds(rounds, energy)
    else:
        raise UnreadableFile(f"'{file.filename}': no round has ended yet")
    figure.suptitle(title)
    return figure


def main():
    parser = parser_of("plot", __doc__.splitlines()[0])
    parser.add_argument("file", help="results file of gaisnet (HDF5)")
    parser.add_argument("--output", metavar="PNG", help="where the picture goes; otherwise beside the file")
    given = parser.parse_args()
    with open_gaisnet(given.file) as file:
        save(draw(file), given.output or str(pathlib.Path(given.file).with_suffix(".png")))


if __name__ == "__main__":
    run_tool(main)
