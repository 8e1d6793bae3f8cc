"""Section on weights: the effective weight of each term over steps."""

from collections.abc import Sequence

import numpy as np

from nerfloss.experiments.report.page.line_plot import Line, line_plot, lines_of
from nerfloss.experiments.report.page.section import Figure, Figures, LeftOut, PageTable, Section
from nerfloss.experiments.report.page.series import Series, mean_curve
from nerfloss.experiments.report.page.study import Group, Study
from nerfloss.experiments.report.page.training_curves import MAX_SCENES, terms_of
from nerfloss.experiments.report.table import Table

TITLE = "Weights"
FLAT = 1e-6  # relative


def weights_over_time(study: Study) -> Section | LeftOut:
    """Return figures of the weights that change, and a table of constant ones."""
    figures, rows = [], []
    for scene in study.scenes[:MAX_SCENES]:
        groups = study.of_scene(scene)
        for term in terms_of(groups):
            lines = lines_of(groups, f"weight/{term}")
            if not lines:
                continue
            if all(_is_flat(line) for line in lines):
                rows += [(scene, term, line.label, f"{line.mean[0]:.4g}") for line in lines]
                continue
            lines = [*_set_weights(groups, term), *lines]
            drawn = line_plot(lines, title=f"weight of {term}, {scene}", label="weight")
            place = f", {scene}" if len(study.scenes) > 1 else ""
            figures.append(Figure(f"weight-{scene}-{term}", f"{term}{place}", drawn))
    if not figures and not rows:
        return LeftOut(TITLE, "no run has logged a weight in history.csv")
    blocks: list[Figures | PageTable] = [Figures(figures)] if figures else []
    if rows:
        folded = "constant weights" if figures else ""
        blocks.append(PageTable(_constant(rows, study), folded=folded))
    reading = (
        "Effective weight: configured weight with its schedule, times the balancer's factor if "
        "there is a balancer. Dashed: the configured weight alone."
    )
    return Section("weights", TITLE, reading, blocks)


def _set_weights(groups: Sequence[Group], term: str) -> list[Line]:
    """Return the weights without the balancer's factor, for variants with a balancer."""
    found = []
    for whole in lines_of(groups, f"weight/{term}", dashed=True):
        group = next(group for group in groups if group.label == whole.label)
        curves = [_set_weight(each, term) for each in group.histories]
        if any(len(steps) for steps, _ in curves):
            found.append(Line(whole.label, whole.color, *mean_curve(curves), dashed=True))
    return found


def _set_weight(series: Series, term: str) -> tuple[np.ndarray, np.ndarray]:
    weight, factor = (series.numbers.get(f"{kind}/{term}") for kind in ("weight", "balance"))
    if weight is None or factor is None:
        return np.empty(0), np.empty(0)
    known = np.isfinite(weight) & np.isfinite(factor) & (factor != 0)
    return series.steps[known], weight[known] / factor[known]


def _is_flat(line: Line) -> bool:
    return float(np.ptp(np.stack([line.low, line.high]))) <= FLAT * float(abs(line.mean).max())


def _constant(rows: Sequence[tuple[str, str, str, str]], study: Study) -> Table:
    """Return one row for each variant and scene, with a column for each term."""
    terms = list(dict.fromkeys(term for _, term, _, _ in rows))
    weights = {(scene, label, term): weight for scene, term, label, weight in rows}
    places = list(dict.fromkeys((scene, label) for scene, _, label, _ in rows))
    several = len(study.scenes) > 1
    return Table(
        (*(["scene"] if several else []), "variant", *terms),
        tuple(
            (*([scene] if several else []), label, *(weights.get((scene, label, t)) for t in terms))
            for scene, label in places
        ),
    )
