"""Section on gradient conflicts: cosine between the gradients of each pair of terms."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from nerfloss.experiments.report.figures import FAINT, INK, PALETTE, Drawing, drawing
from nerfloss.experiments.report.page.section import Figure, Figures, LeftOut, Section
from nerfloss.experiments.report.page.series import Series, mean_curve
from nerfloss.experiments.report.page.study import Group, Study

TITLE = "Conflicts"
MAX_VARIANTS, MAX_PAIRS = 4, 6
NO_DIAGNOSTICS = "no run has diagnostics.csv: train with diagnostics=on"


def conflicts(study: Study) -> Section | LeftOut:
    """Return the cosine matrix and its course over training, for the first variants."""
    diagnosed = [
        group for group in study.groups if any(len(each.steps) for each in group.diagnostics)
    ]
    if not diagnosed:
        return LeftOut(TITLE, NO_DIAGNOSTICS)
    figures = [
        figure
        for group in diagnosed[:MAX_VARIANTS]
        for figure in _figures(group, study.name_of(group))
    ]
    if not figures:
        return LeftOut(TITLE, "needs two terms that are active in the same steps")
    left = len(diagnosed) - MAX_VARIANTS
    reading = (
        "Cosine between the gradients of two terms with respect to their shared parameters: -1 "
        "opposite, 0 orthogonal, 1 parallel. Left: mean over steps and seeds; right: over training."
        + (f" {left} more variants are not shown." if left > 0 else "")
    )
    return Section("conflicts", TITLE, reading, [Figures(figures)])


def pairs_of(series: Sequence[Series]) -> dict[tuple[str, str], list[tuple]]:
    """Return steps and cosines of each pair of terms, for all runs."""
    found: dict[tuple[str, str], list[tuple]] = {}
    for each in series:
        for name in each.names("conflict/"):
            one, _, other = name.partition("/")
            steps, values = each.column(f"conflict/{name}")
            if len(steps):
                found.setdefault((one, other), []).append((steps, values))
    return found


def matrix(
    pairs: Mapping[tuple[str, str], Sequence[tuple]],
) -> tuple[list[str], Float[np.ndarray, "terms terms"]]:
    """Return the terms and the mean cosine of each pair; NaN if never active together."""
    terms = list(dict.fromkeys(term for pair in pairs for term in pair))
    table = np.full((len(terms), len(terms)), np.nan)
    for (one, other), curves in pairs.items():
        mean = float(np.concatenate([values for _, values in curves]).mean())
        i, j = terms.index(one), terms.index(other)
        table[i, j] = table[j, i] = mean
    return terms, table


def draw_matrix(terms: Sequence[str], table: Float[np.ndarray, "terms terms"]) -> Drawing:
    """Draw the lower triangle: blue for positive cosines, orange for negative ones."""
    count = len(terms)

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        for row in range(1, count):
            for column in range(row):
                value = table[row, column]
                if not np.isfinite(value):
                    continue
                color = PALETTE[0] if value > 0 else PALETTE[1]
                opacity = min(1.0, 0.06 + 0.94 * abs(value))
                axes.barh(row, 0.94, 0.94, column - 0.47, color=color, alpha=opacity)
                style = {"ha": "center", "va": "center", "fontsize": 8 if count < 8 else 6.5}
                axes.text(column, row, signed(value), color=INK, **style)
        axes.set(xlim=(-0.5, count - 1.5), ylim=(count - 0.5, 0.5), aspect="equal")
        turned = {"rotation": 35, "ha": "right"} if count > 4 else {}
        axes.set_xticks(range(count - 1), list(terms)[:-1], color=FAINT, **turned)
        axes.set_yticks(range(1, count), list(terms)[1:], color=FAINT)
        axes.tick_params(length=0)
        axes.grid(visible=False)
        for side in ("left", "bottom"):
            axes.spines[side].set_visible(False)

    size = min(0.6 + 0.5 * count, 4.6)
    return drawing(draw, title="mean cosine between gradients", width=4.2, height=size)


def draw_over_time(pairs: Mapping[tuple[str, str], Sequence[tuple]]) -> Drawing:
    """Draw a small plot for each of the pairs with the lowest mean cosine."""
    chosen = sorted(pairs, key=lambda pair: _mean(pairs[pair]))[:MAX_PAIRS]
    across = 1 if len(chosen) == 1 else 2
    down = -(-len(chosen) // across)

    def draw(figure: Any) -> None:
        for index, pair in enumerate(chosen):
            axes = figure.add_subplot(down, across, index + 1)
            steps, mean, low, high = mean_curve(pairs[pair])
            axes.axhline(0, color=FAINT, linewidth=0.8)
            axes.fill_between(steps, low, high, color=PALETTE[0], alpha=0.16, linewidth=0)
            axes.plot(steps, mean, color=PALETTE[0], linewidth=1.3)
            mean_of_all = signed(_mean(pairs[pair]))
            axes.set_title(f"{' · '.join(pair)}  {mean_of_all}", fontsize=8.5)
            axes.set(ylim=(-1.05, 1.05), yticks=(-1, 0, 1))
            axes.tick_params(labelsize=8)
            if index >= len(chosen) - across:
                axes.set_xlabel("step", fontsize=8)

    return drawing(draw, title="cosine between gradients over training", height=0.5 + 1.3 * down)


def signed(cosine: float) -> str:
    """Return the cosine with a sign and two digits; never "-0.00"."""
    return f"{round(cosine, 2) + 0.0:+.2f}"


def _mean(curves: Sequence[tuple]) -> float:
    return float(np.concatenate([values for _, values in curves]).mean())


def _figures(group: Group, place: str) -> list[Figure]:
    name = f"{group.scene}-{group.label}"
    titled = f"{place}: " if place else ""
    pairs = pairs_of(group.diagnostics)
    figures = []
    if len(pairs) > 1:
        figures.append(
            Figure(f"conflicts-{name}", f"{titled}mean cosine", draw_matrix(*matrix(pairs)))
        )
    if pairs:
        drawn = draw_over_time(pairs)
        worst = "" if len(pairs) <= MAX_PAIRS else ", the pairs with the lowest mean"
        figures.append(
            Figure(f"conflicts-over-time-{name}", f"{titled}over training{worst}", drawn)
        )
    return figures
