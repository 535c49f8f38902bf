"""Prints the plans of a results file and draws their Pareto front: python3 -m analysis.pareto FILE

Reads the table /plan/front, one row a plan. The picture has two of its columns (--x, --y; less is better in both): the front
as a line, plans that others dominate in grey. A plan that is on the front by other columns only is a ring off the line.
Plans have their labels when there are at most 12 on the line.
"""

from analysis.labels import Label, along, box_of, settle, to_points, write_labels
from analysis.results import (BESIDE, COLOURS, UnreadableFile, argparse, numpy, open_gaisnet, pandas, parser_of, pathlib,
                              picture_path, print_table, pyplot, quantity, run_tool, save, table, without_unit)

TABLE = "plan/front"
LABELLED = 12
UNIT_WORDS = ("_s", "_j", "_hz_s", "_bytes")


def plans_of(file):
    """The table of plans. Raises UnreadableFile."""
    plans = table(file, TABLE)
    for needed in ("label", "on_front"):
        if needed not in plans:
            raise UnreadableFile(f"'{file.filename}': its table /{TABLE} has no column {needed}")
    if plans.empty:
        raise UnreadableFile(f"'{file.filename}': its table /{TABLE} has no plans")
    return plans


def figures_of(plans):
    """The columns that can be drawn."""
    return [column for column in plans.select_dtypes("number") if column != "on_front"]


def name_of(column):
    """spectrum_hz_s as spectrum."""
    for ending in sorted(UNIT_WORDS, key=len, reverse=True):
        if column.endswith(ending):
            return column.removesuffix(ending)
    return without_unit(column)


def front_in(plans, x, y):
    """The plans of the front that no other dominates in these two columns, by x: the line of the picture."""
    front = plans[plans["on_front"] == 1].dropna(subset=[x, y]).sort_values([x, y])
    return front[front[y] < front[y].cummin().shift(fill_value=numpy.inf)]


def print_plans(plans):
    """A line a plan, the front first."""
    units = plans.attrs["units"]
    shown = pandas.DataFrame({"label": plans["label"], "front": numpy.where(plans["on_front"] == 1, "*", "")})
    for column in figures_of(plans):
        shown[name_of(column)] = [quantity(value, units[column]) for value in plans[column]]
    print(f"Plans ({len(plans)}); * on the front: no other plan is as good in every figure and better in one")
    print_table(shown)


def draw(plans, x, y, title=""):
    figure, axes = pyplot().subplots(figsize=(8, 5.5), layout="constrained")
    known = plans.dropna(subset=[x, y])
    line = front_in(plans, x, y)
    others = known[known["on_front"] != 1]
    off_line = known[(known["on_front"] == 1) & ~known.index.isin(line.index)]
    if len(others):
        axes.plot(others[x], others[y], "o", color="#bbbbbb", markersize=5, label="dominated", gid="dominated", zorder=1)
    if len(off_line):
        axes.plot(off_line[x], off_line[y], "o", color=COLOURS[0], markersize=6, markerfacecolor="none", zorder=2,
                  label="on the front by other columns", gid="other columns")
    axes.plot(line[x], line[y], "o-", color=COLOURS[0], markersize=6, label="front", gid="front", zorder=3)
    for axis, column in ((axes.xaxis, x), (axes.yaxis, y)):
        axis.set_label_text(name_of(column))
        unit = plans.attrs["units"][column]
        axis.set_major_formatter(pyplot().matplotlib.ticker.EngFormatter("" if unit == "1" else unit))
    axes.margins(0.12)
    axes.set_title(f"{title}: {len(plans)} plans" + (f", {len(plans) - len(known)} without a value left out"
                                                     if len(known) < len(plans) else ""), fontsize="medium")
    axes.legend(**BESIDE)
    if 0 < len(line) <= LABELLED:
        settle(figure)
        path = to_points(axes, line[[x, y]].to_numpy())
        taken = [box_of(point, 7, 7) for point in to_points(axes, known[[x, y]].to_numpy())]
        taken += [box for start, end in zip(path, path[1:]) for box in along(start, end)]
        write_labels(axes, [Label(label, at, 5) for label, at in zip(line["label"], line[[x, y]].to_numpy())], taken, 8, "label")
    return figure


def main():
    parser = parser_of("pareto", __doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("file", metavar="FILE", help="results file of gaisnet (HDF5) with plans")
    parser.add_argument("-o", "--output", metavar="PICTURE", help=".png, .svg or .pdf; otherwise beside the file, .pareto.png")
    parser.add_argument("--x", metavar="COLUMN", default="latency_s", help="drawn from left to right (default: %(default)s)")
    parser.add_argument("--y", metavar="COLUMN", default="energy_j", help="drawn upwards (default: %(default)s)")
    given = parser.parse_args()
    path = picture_path(given.output, given.file, ".pareto.png")
    with open_gaisnet(given.file) as file:
        plans = plans_of(file)
    for flag, column in (("--x", given.x), ("--y", given.y)):
        if column not in figures_of(plans):
            raise UnreadableFile(f"{flag} {column}: one of {', '.join(figures_of(plans))} is accepted")
    print_plans(plans.sort_values(["on_front", given.x], ascending=[False, True]))
    save(draw(plans, given.x, given.y, pathlib.Path(given.file).name), path)


if __name__ == "__main__":
    run_tool(main, refused=2)
