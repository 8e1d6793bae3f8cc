"""Lines over the steps of training: a mean for each arm, and the range of its runs around it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nerfloss.experiments.report.figures import Drawing, colors_of, drawing
from nerfloss.experiments.report.page.legend import legend_of
from nerfloss.experiments.report.page.series import Series, mean_curve
from nerfloss.experiments.report.page.study import Group, number

MOST_BANDS = 8  # of more lines the ranges hide each other
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
    names = legend_of([line.label for line in lines])
    log = not linear and values.min() > 0 and values.max() > LOG_FROM * values.min()

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        for line in lines:
            if len(lines) <= MOST_BANDS and (line.high > line.low).any():
                low = np.maximum(line.low, values.min() * 0.5) if log else line.low
                band = {"color": line.color, "alpha": 0.16, "linewidth": 0}
                axes.fill_between(line.steps, low, line.high, **band)
            style = (0, (3, 2)) if line.dashed else "solid"
            axes.plot(line.steps, line.mean, color=line.color, linestyle=style, label=line.label)
        axes.set(xlabel="step", ylabel=label, yscale="log" if log else "linear")
        if log:
            plain_log(axes.yaxis)
        else:
            axes.locator_params(axis="y", nbins=5)
        axes.locator_params(axis="x", nbins=6)
        axes.margins(x=0.01)
        if limits is not None:
            axes.set_ylim(*limits)
        names.add_to(axes)

    return drawing(draw, title=title, height=2.5 + names.height)


def plain_log(axis: Any) -> None:
    """Say 0.01 on a log axis, not a power of ten."""
    axis.set_major_formatter(lambda value, _: f"{value:g}")
