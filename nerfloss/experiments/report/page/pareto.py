"""Section on trade-offs: PSNR against Chamfer distance."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from nerfloss.experiments.report.figures import FAINT, Drawing, drawing
from nerfloss.experiments.report.page.legend import legend_of
from nerfloss.experiments.report.page.line_plot import colors_for, plain_log
from nerfloss.experiments.report.page.section import Figure, Figures, LeftOut, Section
from nerfloss.experiments.report.page.study import Group, Study
from nerfloss.experiments.report.page.weight_response import LOG_FROM, axis_of

TITLE = "Pareto front"
GAIN, COST = "psnr", "chamfer_l1"


@dataclass(frozen=True)
class Point:
    """The mean scores of a variant, and the scores of its seeds."""

    label: str
    color: str
    cost: float
    gain: float
    seeds: Sequence[tuple[float, float]]


def pareto(study: Study) -> Section | LeftOut:
    """Return a figure for each scene with at least two variants that have both scores."""
    figures = []
    for scene in study.scenes:
        found = points(study.of_scene(scene))
        if len(found) > 1:
            title = ", ".join(
                [f"{GAIN} against {COST}", *([scene] if len(study.scenes) > 1 else [])]
            )
            axes = axis_of(study, COST), axis_of(study, GAIN)
            figures.append(Figure(f"pareto-{scene}", title, draw_pareto(found, axes, title)))
    if not figures:
        return LeftOut(TITLE, f"needs at least two variants that have both {GAIN} and {COST}")
    reading = (
        "Large points: means over seeds; small points: seeds. The line joins the variants that no "
        "other variant dominates; dominated ones are hollow."
    )
    return Section("pareto", TITLE, reading, [Figures(figures)])


def points(groups: Sequence[Group]) -> list[Point]:
    """Return a point for each variant whose runs have both scores."""
    found = []
    for group, color in zip(groups, colors_for(groups), strict=True):
        gains, costs = group.scores(GAIN), group.scores(COST)
        both = [(costs[seed], gains[seed]) for seed in gains if seed in costs]
        if both:
            cost, gain = fmean(cost for cost, _ in both), fmean(gain for _, gain in both)
            found.append(Point(group.label, color, cost, gain, both))
    return found


def pareto_front(found: Sequence[Point]) -> list[Point]:
    """Return the points that no other dominates, by rising cost."""
    return sorted(
        (
            point
            for point in found
            if not any(
                other.cost <= point.cost
                and other.gain >= point.gain
                and (other.cost, other.gain) != (point.cost, point.gain)
                for other in found
            )
        ),
        key=lambda point: (point.cost, point.gain),
    )


def draw_pareto(found: Sequence[Point], axes_labels: tuple[str, str], title: str) -> Drawing:
    """Draw the variants and the Pareto front."""
    best = pareto_front(found)
    names = legend_of([point.label for point in found])

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        steps = {"drawstyle": "steps-post", "color": FAINT, "linewidth": 1.1, "zorder": 1}
        axes.plot([p.cost for p in best], [p.gain for p in best], **steps)
        for point in found:
            costs, gains = zip(*point.seeds, strict=True)
            style = {"color": point.color, "marker": "o", "linestyle": "none"}
            if len(costs) > 1:
                axes.plot(costs, gains, markersize=3.5, markeredgewidth=0, alpha=0.5, **style)
            inside = {} if point in best else {"markerfacecolor": "none"}
            axes.plot(point.cost, point.gain, markersize=8, label=point.label, **style, **inside)
        axes.set(xlabel=axes_labels[0], ylabel=axes_labels[1])
        costs = [point.cost for point in found]
        if min(costs) > 0 and max(costs) > LOG_FROM * min(costs):
            axes.set_xscale("log")
            plain_log(axes.xaxis)
        else:
            axes.locator_params(axis="x", nbins=5)
        axes.locator_params(axis="y", nbins=6)
        names.add_to(axes)

    return drawing(draw, title=title, height=2.7 + names.height)
