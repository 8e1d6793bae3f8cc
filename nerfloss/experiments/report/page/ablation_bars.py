"""Section on ablations: change of each score without a term, or with it alone."""

from collections.abc import Sequence
from typing import Any

from nerfloss.experiments.report.ablation_table import (
    AblationLine,
    ablation_lines,
    effects_by_scene,
    is_ablation,
)
from nerfloss.experiments.report.figures import FAINT, INK, PALETTE, Drawing, drawing
from nerfloss.experiments.report.page.section import Figure, Figures, LeftOut, Notes, Section
from nerfloss.experiments.report.page.study import Study
from nerfloss.experiments.report.page.weight_response import METRICS, axis_of
from nerfloss.experiments.report.report import families

TITLE = "Ablation"
NOISE = "#b9bfc8"
COLORS = {"better": PALETTE[2], "worse": PALETTE[1]}
# Titles of the figures by kind of ablation.
TITLES = {"without": "without each term", "alone": "each term added to the base"}


def ablation_bars(study: Study) -> Section | LeftOut:
    """Return a figure for each scene, metric and kind of ablation."""
    metrics = [metric for metric in METRICS if study.has(metric)]
    found = {
        title: ablation_lines(family, metrics)
        for title, family in families(study.variants).items()
        if is_ablation(family)
    }
    if not found:
        return LeftOut(TITLE, "needs the runs of nerfloss train -m ablate=all")
    blocks: list[Figures | Notes] = []
    for metric in metrics:
        figures = [
            figure
            for family, lines in found.items()
            for kind, title in TITLES.items()
            for scene in study.scenes
            for figure in _figure(_bars(lines, metric, scene, kind), study, family, title)
        ]
        if figures:
            blocks.append(Figures(figures, title=metric))
    if not blocks:
        return LeftOut(TITLE, "no ablation has a finished run with a seed that its baseline has")
    disagreements = [note for lines in found.values() for note in effects_by_scene(lines)]
    if disagreements:
        blocks.insert(0, Notes(disagreements, title="Where scenes disagree"))
    reading = (
        "Difference from the full recipe (or from the base), paired by seed. Bar: mean; line: 95 % "
        "confidence interval; points: seeds. Green: better; orange: worse; grey: not significant, "
        "or too few runs."
    )
    return Section("ablation", TITLE, reading, blocks)


def draw_bars(bars: Sequence[AblationLine], *, label: str, title: str) -> Drawing:
    """Draw horizontal bars with the interval as a line and each seed as a point."""

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        for place, bar in enumerate(bars):
            pair = bar.contrast.pair
            if pair is None or pair.mean is None:
                continue
            axes.barh(place, pair.mean, height=0.62, color=color_of(bar), alpha=0.85)
            if pair.interval is not None:
                axes.plot(pair.interval[:2], [place] * 2, color=INK, linewidth=1.2)
            dots = {"markersize": 3.5, "color": FAINT, "markeredgewidth": 0}
            axes.plot(pair.differences, [place] * pair.n, "o", **dots)
        axes.axvline(0, color=FAINT, linewidth=0.9)
        axes.set_yticks(range(len(bars)), [bar.term for bar in bars])
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.spines["left"].set_visible(False)
        axes.grid(visible=False, axis="y")
        axes.invert_yaxis()
        axes.locator_params(axis="x", nbins=4)
        axes.use_sticky_edges = False
        axes.margins(x=0.04)
        axes.set_xlabel(label)

    return drawing(draw, title=title, height=max(1.5, 0.9 + 0.34 * len(bars)))


def color_of(bar: AblationLine) -> str:
    """Return the color of a bar: grey unless significant."""
    significance = bar.contrast.significance
    return COLORS.get(significance.label, NOISE) if significance else NOISE


def _bars(lines: Sequence[AblationLine], metric: str, scene: str, kind: str) -> list[AblationLine]:
    """Return the lines of one figure that have at least one pair."""
    return [
        line
        for line in lines
        if (line.contrast.metric, line.contrast.scene, line.kind) == (metric, scene, kind)
        and line.contrast.pair is not None
        and line.contrast.pair.n
    ]


def _figure(bars: Sequence[AblationLine], study: Study, family: str, title: str) -> list[Figure]:
    if not bars:
        return []
    metric, scene = bars[0].contrast.metric, bars[0].contrast.scene
    others = family.partition(", ")[2]  # other swept settings
    place = str(scene) if len(study.scenes) > 1 else ""
    title = ", ".join(filter(None, [title, others, place]))
    label = f"difference in {axis_of(study, metric)}"
    drawn = draw_bars(bars, label=label, title=f"{metric}, {title}")
    pairs = sorted({bar.contrast.pair.n for bar in bars if bar.contrast.pair})
    caption = f"against {bars[0].against}, {' or '.join(map(str, pairs))} pairs of seeds"
    name = "-".join(filter(None, ["ablation", scene, others, bars[0].kind, metric]))
    return [Figure(name, title, drawn, caption)]
