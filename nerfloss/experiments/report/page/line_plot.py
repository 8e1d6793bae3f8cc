"""Plots over training steps: the mean of each variant with the range of its runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from nerfloss.experiments.report.figures import Drawing, colors_of, drawing
from nerfloss.experiments.report.page.legend import legend_of
from nerfloss.experiments.report.page.series import mean_curve
from nerfloss.experiments.report.page.study import Group, number

MAX_BANDS = 8  # with more lines the ranges overlap too much
LOG_FROM = 30.0  # values that differ by this factor are shown on a log axis


@dataclass(frozen=True)
class Line:
    """One line with the range of its runs; ``dashed`` for secondary lines."""

    label: str
    color: str
    steps: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    dashed: bool = False


def lines_of(
    groups: Sequence[Group],
    column: str,
    source: Literal["histories", "diagnostics"] = "histories",
    *,
    dashed: bool = False,
) -> list[Line]:
    """Return a line for each variant that has the column, in the variant's color."""
    lines = []
    for group, color in zip(groups, colors_for(groups), strict=True):
        series = group.histories if source == "histories" else group.diagnostics
        found = mean_curve([each.column(column) for each in series])
        if len(found[0]):
            lines.append(Line(group.label, color, *found, dashed=dashed))
    return lines


def colors_for(groups: Sequence[Group]) -> list[str]:
    """Return a color for each variant: dark to light if a single number was swept."""
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
    """Draw the lines; the axis is logarithmic for a large range, unless ``linear``."""
    values = np.concatenate([line.mean for line in lines])
    names = legend_of([line.label for line in lines])
    log = not linear and values.min() > 0 and values.max() > LOG_FROM * values.min()

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        for line in lines:
            if len(lines) <= MAX_BANDS and (line.high > line.low).any():
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
    """Label a log axis with decimals instead of powers of ten."""
    axis.set_major_formatter(lambda value, _: f"{value:g}")
