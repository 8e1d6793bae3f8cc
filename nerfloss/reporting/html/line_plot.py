"""Lines over the steps of training: a mean for each arm, and the range of its runs around it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nerfloss.reporting.drawing import INK, Drawing, colors_of, drawing
from nerfloss.reporting.html.series import Series, mean_curve
from nerfloss.reporting.html.study import Group, number

MOST_LABELS = 8
ROOM = 52  # letters that fit beside each other above a figure
LOG_FROM = 30.0  # values that differ by this factor are shown on a log axis


@dataclass(frozen=True)
class Line:
    """One line with the range around it; ``dashed`` for what stands beside the main thing."""

    label: str
    color: str
    steps: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    dashed: bool = False


def lines_of(
    groups: Sequence[Group], column: str, source: str = "histories", *, dashed: bool = False
) -> list[Line]:
    """A line for each arm that has the column, in the colour that the arm has everywhere."""
    lines = []
    for group, color in zip(groups, colors_for(groups), strict=True):
        series: Iterable[Series] = getattr(group, source)
        found = mean_curve([each.column(column) for each in series])
        if len(found[0]):
            lines.append(Line(group.label, color, *found, dashed=dashed))
    return lines


def colors_for(groups: Sequence[Group]) -> list[str]:
    """A colour for each arm: from dark to light where one number was swept."""
    swept = [list(group.settings.values()) for group in groups]
    ordered = len(groups) > 2 and all(len(row) == 1 and number(row[0]) is not None for row in swept)
    return colors_of(len(groups), ordered=ordered)


def line_plot(
    lines: Sequence[Line],
    *,
    title: str,
    label: str,
    limits: tuple[float, float] | None = None,
    linear: bool = False,
) -> Drawing:
    """The lines over the step; a log axis where their values differ much, unless ``linear``."""
    values = np.concatenate([line.mean for line in lines])
    log = not linear and values.min() > 0 and values.max() > LOG_FROM * values.min()

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        for line in lines:
            if len(lines) <= MOST_LABELS and (line.high > line.low).any():
                low = np.maximum(line.low, values.min() * 0.5) if log else line.low
                band = {"color": line.color, "alpha": 0.16, "linewidth": 0}
                axes.fill_between(line.steps, low, line.high, **band)
            style = (0, (3, 2)) if line.dashed else "solid"
            axes.plot(line.steps, line.mean, color=line.color, linestyle=style, label=line.label)
        axes.set(xlabel="step", ylabel=label, yscale="log" if log else "linear")
        if log:
            plain_log(axes.yaxis)
        axes.margins(x=0.01)
        if limits is not None:
            axes.set_ylim(*limits)
        legend(axes, [line.label for line in lines])

    return drawing(draw, title=title)


def legend(axes: Any, labels: Sequence[str]) -> None:
    """Name the lines above the axes; of many, some spread over all; nothing where all are one.

    Labels that begin with the same ``setting=`` say it once.
    """
    handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    names = [label for label in dict.fromkeys(labels) if label in handles]
    if len(names) < 2:
        return
    if len(names) > MOST_LABELS:
        places = np.linspace(0, len(names) - 1, MOST_LABELS - 2).round().astype(int)
        names = [names[place] for place in places]
    heads = {name.partition("=")[0] for name in names if name.count("=") == 1}
    shared = heads.pop() if len(heads) == 1 and all("=" in name for name in names) else ""
    said = [name.partition("=")[2] if shared else name for name in names]
    columns = max(1, min(len(said), (ROOM - len(shared)) // (max(map(len, said)) + 5)))
    axes.figure.legend(
        [handles[name] for name in names],
        said,
        loc="outside upper left",
        ncols=columns,
        title=shared or None,
        alignment="left",
        labelcolor=INK,
        columnspacing=1.2,
        handletextpad=0.5,
        borderaxespad=0.1,
    )


def plain_log(axis: Any) -> None:
    """Say 0.01 on a log axis, not a power of ten."""
    axis.set_major_formatter(lambda value, _: f"{value:g}")
