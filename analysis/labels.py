"""Texts of a picture, each put where it hides the least."""

import dataclasses

from analysis.results import numpy

DIRECTIONS = ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1))
LEADER = {"arrowstyle": "-", "color": "#888888", "linewidth": 0.5, "shrinkA": 0}  # from a text that is not near its place


@dataclasses.dataclass
class Label:
    """A text beside a place (in data), `reach` points from it."""
    text: str
    place: tuple
    reach: float
    bold: bool = False


def settle(figure):
    """Lays a figure out for good: constrained layout needs some passes where axes keep their aspect."""
    for _ in range(3):
        figure.draw_without_rendering()
    if hasattr(figure, "set_layout_engine"):
        figure.set_layout_engine("none")
    else:  # Matplotlib 3.5
        figure.set_constrained_layout(False)


def to_points(axes, places):
    """Places in data as points of the figure. The layout of the figure has to be final."""
    return axes.transData.transform(places) * 72 / axes.figure.dpi


def along(start, end, middle=None, width=4.0):
    """Boxes that cover a line between two places in points, or a curve by way of a control point."""
    return [box_of(point, width, width) for point in
            curve(start, (start + end) / 2 if middle is None else middle, end, 2 + int(numpy.hypot(*(end - start)) / 5))]


def curve(start, middle, end, count):
    """Points on a quadratic Bezier curve, [count, 2]."""
    t = numpy.linspace(0, 1, count)[:, None]
    return (1 - t) ** 2 * start + 2 * t * (1 - t) * middle + t ** 2 * end


def box_of(middle, width, height):
    return (middle[0] - width / 2, middle[1] - height / 2, middle[0] + width / 2, middle[1] + height / 2)


def area_shared(box, others):
    """Sum of the areas that a box shares with others, [n, 4]."""
    wide = numpy.minimum(others[:, 2], box[2]) - numpy.maximum(others[:, 0], box[0])
    high = numpy.minimum(others[:, 3], box[3]) - numpy.maximum(others[:, 1], box[1])
    return (wide.clip(0) * high.clip(0)).sum()


def write_labels(axes, labels, taken, font, prefix):
    """Writes labels in turn, each in that of eight directions, near or farther, where it hides least of the boxes
    in `taken`, of earlier labels, and of what is outside of the axes; boxes are added to `taken`. `prefix` begins the id
    (gid) of each text."""
    window = axes.get_window_extent()
    frame = numpy.array([[window.x0, window.y0, window.x1, window.y1]]) * 72 / axes.figure.dpi
    for label in labels:
        others = numpy.array(taken)
        width, height = 0.6 * font * len(label.text), 1.1 * font
        at = to_points(axes, label.place)
        best = None
        for far in (1, 1.8, 3):
            for x, y in DIRECTIONS:
                lean = 0.75 if x and y else 1.0
                shift = numpy.array([x * (lean * far * label.reach + width / 2), y * (lean * far * label.reach + height / 2)])
                box = box_of(at + shift, width, height)
                hidden = area_shared(box, others) + 10 * (width * height - area_shared(box, frame)) + 0.5 * (far - 1)
                if far > 1:  # Its leader hides something, too.
                    toward = numpy.array([x, y]) / numpy.hypot(x, y)
                    leader = along(at + (label.reach + 4) * toward, at + shift)
                    hidden += sum(area_shared(one, others) for one in leader)
                if best is None or hidden < best[0] - 1e-9:
                    best = hidden, shift, box, far
        taken.append(best[2])
        axes.annotate(label.text, label.place, xytext=best[1], textcoords="offset points", ha="center", va="center", zorder=8,
                      fontsize=font, fontweight="bold" if label.bold else "normal",
                      arrowprops=LEADER | {"shrinkB": label.reach} if best[3] > 1 else None,
                      gid=f"{prefix} {label.text}").set_in_layout(False)
