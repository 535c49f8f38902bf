"""Draws the results of a run: python3 -m analysis.plot FILE

Writes FILE's name with .png (or --output): accuracy and loss, what the rounds' latency and the energy are made of, and
bytes by link class, all by round. Of a session of inference: latencies of requests and what they are made of, energy
and bytes. Of rounds of service: cash by policy, and how right the answers were.
"""

import pathlib

from analysis.results import (ENERGY_PARTS, LATENCY_PARTS, LINK_CLASSES, REQUEST_PARTS, UnreadableFile, numpy, open_gaisnet,
                              parser_of, pyplot, quantity, run_tool, text, traffic)

COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb", "#000000", "#ddaa33")


def stacked(axes, x, parts, unit):
    """Bars of parts, those that are zero everywhere left out."""
    base = numpy.zeros(len(x))
    for (name, values), colour in zip(parts.items(), COLOURS):
        if numpy.any(values):
            axes.bar(x, values, bottom=base, label=name, color=colour)
            base = base + values
    axes.set(xlabel="round", ylabel=unit)
    axes.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))


def draw(file, path):
    rounds, energy = file["rounds"][:], file["energy"][:]
    numbers = numpy.unique(rounds["round"])
    if len(file["service"]):
        draw_services(file, path)
        return
    if len(file["inference"]):
        draw_requests(file, path)
        return
    if not len(numbers):
        raise UnreadableFile(f"'{file.filename}': no round has ended yet")
    plt = pyplot()
    figure, axes = plt.subplots(2, 2, figsize=(11, 7.5), layout="constrained")
    for edge in numpy.unique(rounds["edge"]):
        own, colour = rounds[rounds["edge"] == edge], COLOURS[edge % len(COLOURS)]
        axes[0, 0].plot(own["round"], own["accuracy"], color=colour, marker="o", markersize=3, label=f"edge {edge}")
        axes[0, 0].plot(own["round"], own["loss"], color=colour, linestyle=":")
    axes[0, 0].set(xlabel="round", title="validation: accuracy, and (dotted) mean cross entropy")
    axes[0, 0].legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    # Parts add up within an edge only, so they are those of the slowest edge of each round.
    slowest = [max(rounds[rounds["round"] == number], key=lambda row: row["latency_s"]) for number in numbers]
    stacked(axes[0, 1], numbers, {part[:-2]: numpy.array([row[part] for row in slowest]) for part in LATENCY_PARTS}, "s")
    axes[0, 1].set_title("latency of the slowest edge's round")
    stacked(axes[1, 0], numbers, {part[:-2]: numpy.array([energy[part][energy["round"] == n].sum() for n in numbers])
                                  for part in ENERGY_PARTS if part != "total_j"}, "J")
    axes[1, 0].set_title("energy of all nodes")
    stacked(axes[1, 1], numbers, {link: numpy.array([rounds[f"bytes_{link}"][rounds["round"] == n].sum() / 1e6
                                                     for n in numbers]) for link in LINK_CLASSES}, "MB")
    axes[1, 1].set_title("bytes sent")
    for part in axes.flat:
        part.xaxis.get_major_locator().set_params(integer=True)
    figure.suptitle(pathlib.Path(file.filename).name)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def draw_requests(file, path):
    rows, energy = file["inference"][:], file["energy"][:]
    plt = pyplot()
    figure, axes = plt.subplots(2, 2, figsize=(11, 7.5), layout="constrained")
    for edge in numpy.unique(rows["edge"]):
        own = numpy.sort(rows["latency_s"][rows["edge"] == edge])
        colour = COLOURS[edge % len(COLOURS)]
        axes[0, 0].step(own, numpy.arange(1, len(own) + 1) / len(own), where="post", color=colour, label=f"edge {edge}")
        own = rows[rows["edge"] == edge]
        axes[0, 1].plot(own["arrival_s"], own["latency_s"], ".", markersize=3, color=colour)
    axes[0, 0].set(xlabel="latency, s", ylabel="part of requests", title="latency of requests", ylim=(0, 1.02))
    axes[0, 0].legend(frameon=False, fontsize="small")
    axes[0, 1].set(xlabel="arrival, s", ylabel="latency, s", title="latency by time of arrival")
    causes = [part for part in ENERGY_PARTS if part != "total_j"]
    for part, title, unit, values in (
            (axes[1, 0], "mean latency by its parts", "s", {p[:-2]: rows[p].mean() for p in REQUEST_PARTS}),
            (axes[1, 1], f"energy of all nodes; sent {sum(size for _, size, _ in traffic(file)) / 1e6:.3g} MB", "J",
             {p[:-2]: energy[p].sum() for p in causes})):
        shown = {name: value for name, value in values.items() if value > 0}
        bars = part.barh(list(shown), list(shown.values()), color=COLOURS[0])
        part.bar_label(bars, [quantity(value, unit) for value in shown.values()], padding=3, fontsize="small")
        part.margins(x=0.2)
        part.invert_yaxis()
        part.set(xlabel=unit, title=title)
    figure.suptitle(f"{pathlib.Path(file.filename).name}: {len(rows)} requests")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def draw_services(file, path):
    rows = file["service"][:]
    known = rows[~numpy.isnan(rows["accuracy"])]
    plt = pyplot()
    figure, axes = plt.subplots(1, 2 if len(known) else 1, figsize=(11 if len(known) else 6.5, 4.5), layout="constrained",
                                squeeze=False)
    for number, (policy, colour) in enumerate(zip(dict.fromkeys(rows["policy"]), COLOURS)):
        own = rows[rows["policy"] == policy]
        width = max(1.5, 5 - number)  # a line that coincides with an earlier one does not hide it
        axes[0, 0].plot(own["round"], own["cash"], color=colour, linewidth=width, label=text(policy))
        tuned = own[own["action"] == b"fine_tune"]
        axes[0, 0].plot(tuned["round"], tuned["cash"], "v", color=colour)
    axes[0, 0].plot([], [], "v", color="#000000", label="a model was fine-tuned")
    axes[0, 0].set(xlabel="round of service", title="cash")
    if len(known):
        for model, colour in zip(dict.fromkeys(known["model"]), COLOURS):
            for action, marker, what in ((b"infer", "o", "answers"), (b"fine_tune", "v", "validation")):
                own = known[(known["model"] == model) & (known["action"] == action)]
                if len(own):
                    axes[0, 1].plot(own["round"], own["accuracy"], marker, color=colour, label=f"{text(model)}, {what}")
        axes[0, 1].set(xlabel="round of service", title="accuracy", ylim=(-0.03, 1.03))
    for part in axes.flat:
        part.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
        part.xaxis.get_major_locator().set_params(integer=True)
    figure.suptitle(pathlib.Path(file.filename).name)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main():
    parser = parser_of("plot", __doc__.splitlines()[0])
    parser.add_argument("file", help="results file of gaisnet (HDF5)")
    parser.add_argument("--output", metavar="PNG", help="where the picture goes; otherwise beside the file")
    given = parser.parse_args()
    path = given.output or str(pathlib.Path(given.file).with_suffix(".png"))
    with open_gaisnet(given.file) as file:
        draw(file, path)
    print(path)


if __name__ == "__main__":
    run_tool(main)
