"""The parts of the latency of a round, as bars: what python3 -m analysis.network FILE ... --critical-path draws."""

import dataclasses
import pathlib

from analysis.results import COLOURS, UnreadableFile, pandas, pyplot, quantity, table, text, without_unit

PALETTE = (*COLOURS, "#44aa99", "#882255", "#999933", "#332288")
INSIDE = 0.11  # of the longest bar: shorter parts have no text in it


@dataclasses.dataclass
class Latency:
    """The mean latency of rounds or requests, and its parts (s) and their descriptions by column."""
    title: str  # name of the file
    unit: str  # round or request
    count: int
    seconds: float
    parts: pandas.Series
    descriptions: dict


def latency_of(file):
    """The mean latency of a round (of its slowest edge, as parts add up within an edge only), or in inference of a request;
    None where no round has ended. Raises UnreadableFile."""
    for name, unit in (("rounds", "round"), ("inference", "request")):
        rows = table(file, name)
        if not len(rows):
            continue
        if unit == "round":
            rows = rows.loc[rows.groupby("round")["latency_s"].idxmax()]
        parts = rows.attrs["latency_parts"]
        about = {part: text(file[name].attrs[f"description:{part}"]).partition(": ")[2] for part in parts}
        return Latency(pathlib.Path(file.filename).name, unit, len(rows), rows["latency_s"].mean(), rows[parts].mean(), about)
    return None


def share(part, whole):
    return f"{100 * part / whole:.1f} %" if whole else "-"


def draw_critical_path(files):
    """A bar a file, and below them each part with its seconds and its share. Raises UnreadableFile."""
    found = []
    for file in files:
        found.append(latency_of(file))
        if found[-1] is None:
            raise UnreadableFile(f"'{file.filename}': no round has ended yet")
    about = {part: text for one in found for part, text in one.descriptions.items()}
    shown = [part for part in about if any(one.parts.get(part, 0) > 0 for one in found)]
    colours = {part: PALETTE[number % len(PALETTE)] for number, part in enumerate(about)}
    plt = pyplot()
    bars, rows = 0.55 * len(found) + 0.9, 0.24 * (len(shown) + 2)
    # The table needs room for a description and a column a file.
    figure, (axes, below) = plt.subplots(2, 1, figsize=(max(10, 6.5 + 2.1 * len(found)), bars + rows + 0.6),
                                         layout="constrained", gridspec_kw={"height_ratios": (bars, rows)})
    longest = max(one.seconds for one in found)
    for row, one in enumerate(found):
        base = 0.0
        for part in shown:
            seconds = one.parts.get(part, 0.0)
            if seconds <= 0:
                continue
            axes.barh(row, seconds, left=base, height=0.7, color=colours[part], gid=f"part {row} {part}")
            if seconds > INSIDE * longest:
                axes.text(base + seconds / 2, row, f"{quantity(seconds, 's')}\n{share(seconds, one.seconds)}", ha="center",
                          va="center", color=ink_on(colours[part]), fontsize="small")
            base += seconds
        axes.text(one.seconds, row, f"  {quantity(one.seconds, 's')}", va="center", fontsize="small", fontweight="bold")
    axes.set_yticks(range(len(found)), [f"{one.title}\n{one.unit}, mean of {one.count}" for one in found])
    axes.set_xlim(0, 1.12 * longest)
    axes.invert_yaxis()
    axes.set(xlabel="s")
    rounds = sum(one.unit == "round" for one in found)
    axes.set_title({len(found): "latency of a round (of the slowest edge) and its parts",
                    0: "latency of a request and its parts"}.get(rounds, "latency of a round, or of a request, and its parts"))
    write_table(below, found, shown, about, colours)
    return figure


def write_table(axes, found, shown, about, colours):
    """A line a part: colour, what it is, and seconds and per cent of each file."""
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(len(shown) + 1.6, -0.6))
    width = axes.figure.get_figwidth()
    column = min(2.1, (width - 4.5) / len(found)) / width
    ends = [1 - column * (len(found) - 1 - number) for number in range(len(found))]
    for end, one in zip(ends, found):
        name = one.title if len(one.title) <= 24 else one.title[:21] + "..."
        axes.text(end, 0, name, ha="right", va="center", fontsize="small", fontweight="bold")
    for row, part in enumerate(shown, start=1):
        axes.plot([0.008], [row], marker="s", markersize=8, color=colours[part], clip_on=False)
        axes.text(0.022, row, f"{without_unit(part)}: {about[part]}", va="center", fontsize="small")
        for end, one in zip(ends, found):
            seconds = one.parts.get(part, 0.0)
            shown_as = (quantity(seconds, "s"), share(seconds, one.seconds)) if seconds else ("-", "-")
            for place, value in zip((end - 0.55 / width, end), shown_as):
                axes.text(place, row, value, ha="right", va="center", fontsize="small")
    for end, one in zip(ends, found):
        axes.text(end - 0.55 / width, len(shown) + 1, quantity(one.seconds, "s"), ha="right", va="center", fontsize="small",
                  fontweight="bold")
    axes.text(0.022, len(shown) + 1, "latency", va="center", fontsize="small", fontweight="bold")


def ink_on(colour):
    """Black or white, whichever can be read on a colour #rrggbb."""
    red, green, blue = (int(colour[place:place + 2], 16) for place in (1, 3, 5))
    return "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#ffffff"
