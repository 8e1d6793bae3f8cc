"""Section on sweeps: each score against a swept number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nerfloss.experiments.report.figures import Drawing, colors_of, drawing
from nerfloss.experiments.report.page.legend import legend_of
from nerfloss.experiments.report.page.section import Figure, Figures, LeftOut, Section
from nerfloss.experiments.report.page.study import Group, Study, number, short
from nerfloss.experiments.statistics.summary import summary

TITLE = "Sweep"
METRICS = ("psnr", "chamfer_l1", "normal_angle", "ssim")
LOG_FROM = 10.0  # ratio from which an axis is logarithmic
MAX_TICKS = 9


@dataclass(frozen=True)
class Response:
    """Values of a metric by seed, for each value of a setting."""

    label: str
    values: Mapping[float, Sequence[float]]


def weight_response(study: Study) -> Section | LeftOut:
    """Return a figure for each swept number, metric and scene."""
    keys = [key for key in study.swept if _is_numeric(study.groups, key)]
    if not keys:
        return LeftOut(TITLE, "needs runs with at least two values of a number, e.g. of a weight")
    metrics = [metric for metric in METRICS if study.has(metric)]
    figures = [
        figure
        for scene in study.scenes
        for key in keys
        for metric in metrics
        for figure in [_figure(study, scene, key, metric)]
        if figure is not None
    ]
    if not figures:
        return LeftOut(TITLE, "fewer than two of the values swept have a finished run")
    reading = (
        "Points: seeds; line: means; band: 95 % confidence interval of the mean. Strongly "
        "overlapping bands: the setting has little effect."
    )
    return Section("response", TITLE, reading, [Figures(figures)])


def responses(groups: Sequence[Group], key: str, metric: str) -> list[Response]:
    """Return one response for each combination of the other swept settings."""
    others = _other_settings(groups, key)
    found: dict[str, dict[float, list[float]]] = {}
    for group in groups:
        at = number(group.settings.get(key))
        values = list(group.scores(metric).values())
        if at is not None and values:
            label = ", ".join(f"{short(other)}={group.settings[other]}" for other in others)
            found.setdefault(label, {}).setdefault(at, []).extend(values)
    return [Response(label, dict(sorted(values.items()))) for label, values in found.items()]


def _other_settings(groups: Sequence[Group], key: str) -> list[str]:
    """Return the settings that have several values for one value of this one."""
    taken: dict[str, dict[str | None, set[str | None]]] = {}
    for group in groups:
        for other, value in group.settings.items():
            if other != key:
                at = group.settings.get(key)
                taken.setdefault(other, {}).setdefault(at, set()).add(value)
    return [other for other, at in taken.items() if any(len(values) > 1 for values in at.values())]


def draw_responses(found: Sequence[Response], *, setting: str, label: str, title: str) -> Drawing:
    """Draw points, means and confidence bands over the setting."""
    places = sorted({at for response in found for at in response.values})
    names = legend_of([response.label for response in found])

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        for response, color in zip(found, colors_of(len(found)), strict=True):
            _draw_one(axes, response, color)
        axes.set(xlabel=setting, ylabel=label)
        _scale(axes, places)
        axes.locator_params(axis="y", nbins=6)
        axes.margins(x=0.06)
        names.add_to(axes)

    return drawing(draw, title=title, height=2.5 + names.height)


def _draw_one(axes: Any, response: Response, color: str) -> None:
    at = np.array(list(response.values))
    summaries = [summary(values) for values in response.values.values()]
    means = [each.mean for each in summaries]
    if any(each.interval for each in summaries):
        ends = [
            (s.interval.low, s.interval.high) if s.interval else (s.mean,) * 2 for s in summaries
        ]
        low, high = zip(*ends, strict=True)
        axes.fill_between(at, low, high, color=color, alpha=0.14, linewidth=0)
    axes.plot(at, means, color=color, label=response.label)
    for place, values in response.values.items():
        style = {"markersize": 4.5, "markeredgewidth": 0, "alpha": 0.75, "color": color}
        axes.plot([place] * len(values), values, "o", **style)


def _scale(axes: Any, places: Sequence[float]) -> None:
    """Set a log axis for a wide range, with ticks at the swept values."""
    positive = [at for at in places if at > 0]
    wide = len(positive) > 1 and positive[-1] >= LOG_FROM * positive[0]
    if wide and places[0] >= 0:
        if places[0] > 0:
            axes.set_xscale("log")
        else:  # 0 is drawn one decade to the left of the smallest positive value
            axes.set_xscale("symlog", linthresh=positive[0], linscale=1)
    if len(places) <= MAX_TICKS:
        axes.set_xticks(places, [f"{at:g}" for at in places])
        axes.set_xticks([], minor=True)


def _figure(study: Study, scene: str, key: str, metric: str) -> Figure | None:
    found = responses(study.of_scene(scene), key, metric)
    if not any(len(response.values) > 1 for response in found):
        return None
    place = f", {scene}" if len(study.scenes) > 1 else ""
    title = f"{metric} against {short(key)}{place}"
    drawn = draw_responses(found, setting=short(key), label=axis_of(study, metric), title=title)
    return Figure(f"response-{scene}-{short(key)}-{metric}", title, drawn)


def axis_of(study: Study, metric: str) -> str:
    """Return the axis label of a metric: name, units, and an arrow in the better direction."""
    better, units = study.better(metric), study.units(metric)
    arrow = {"higher": " ↑", "lower": " ↓"}.get(better or "", "")
    unit = f" ({units})" if units and len(units) < 12 else ""
    return f"{metric}{unit}{arrow}"


def _is_numeric(groups: Sequence[Group], key: str) -> bool:
    values = {group.settings.get(key) for group in groups}
    return len(values) > 1 and all(number(value) is not None for value in values)
