"""Section on the health of each term: share of the gradient, and vanished gradients."""

from collections import Counter
from collections.abc import Sequence
from statistics import fmean

from nerfloss.experiments.report.figures import colors_of
from nerfloss.experiments.report.page.conflicts import MAX_VARIANTS, NO_DIAGNOSTICS
from nerfloss.experiments.report.page.line_plot import Line, line_plot
from nerfloss.experiments.report.page.section import Figure, Figures, LeftOut, PageTable, Section
from nerfloss.experiments.report.page.series import Series, mean_curve
from nerfloss.experiments.report.page.study import Group, Study
from nerfloss.experiments.report.table import Cell, Table

TITLE = "Health"
OK = "ok"


def health(study: Study) -> Section | LeftOut:
    """Return a table of all variants with diagnostics, and plots of gradient shares."""
    diagnosed = [
        group for group in study.groups if any(len(each.steps) for each in group.diagnostics)
    ]
    if not diagnosed:
        return LeftOut(TITLE, NO_DIAGNOSTICS)
    several = len(diagnosed) > 1
    columns = ("term", "diagnosed steps", "share of the loss", "share of the gradient", "state", "")
    rows = [
        (*([study.name_of(group)] if several else []), *row)
        for group in diagnosed
        for row in _rows(group.diagnostics)
    ]
    figures = [
        Figure(
            f"gradient-{group.scene}-{group.label}",
            f"share of the gradient, {group.label}" if several else "share of the gradient",
            line_plot(
                lines, title="share of the gradient", label="share", limits=(0.0, 1.0), linear=True
            ),
        )
        for group in diagnosed[:MAX_VARIANTS]
        for lines in [_gradient_shares(group)]
        if lines
    ]
    reading = (
        "Share of the loss: the weighted value of a term over the total. Share of the gradient: "
        "its gradient norm over the sum of all. Dead: the gradient is 0. Vanishing or exploding: "
        "the gradient norm is below 1/1000 or above 100 times its running mean (the thresholds are "
        "settings of diagnostics)."
    )
    table = PageTable(Table((*(["variant"] if several else []), *columns), tuple(rows)))
    return Section("health", TITLE, reading, [table, *([Figures(figures)] if figures else [])])


def terms_in(series: Sequence[Series]) -> list[str]:
    """Return the diagnosed terms, in the order of the recipe."""
    names = (name for each in series for name in each.numbers if name.endswith("/gradient_norm"))
    return [name.removesuffix("/gradient_norm") for name in dict.fromkeys(names)]


def state_of(words: Sequence[str]) -> tuple[str, str]:
    """Return the most frequent problem of a term: ("exploding", "exploding in 2 of 40 steps")."""
    counted = Counter(word for word in words if word)
    problems = [word for word in counted if word != OK]
    if not problems:
        return (OK if counted else "never active"), ""
    worst = max(problems, key=lambda word: counted[word])
    counts = ", ".join(f"{word} in {counted[word]}" for word in problems)
    return worst, f"{counts} of {counted.total()} steps"


def _rows(series: Sequence[Series]) -> list[tuple[Cell, ...]]:
    return [
        (
            term,
            sum(len(each.column(f"{term}/gradient_norm")[0]) for each in series),
            _mean(series, f"{term}/share"),
            _mean(series, f"{term}/gradient_share"),
            *state_of([word for each in series for word in each.words.get(f"health/{term}", ())]),
        )
        for term in terms_in(series)
    ]


def _mean(series: Sequence[Series], column: str) -> Cell:
    values = [value for each in series for value in each.column(column)[1].tolist()]
    return f"{100 * fmean(values):.1f} %" if values else None


def _gradient_shares(group: Group) -> list[Line]:
    terms = terms_in(group.diagnostics)
    lines = []
    for term, color in zip(terms, colors_of(len(terms)), strict=True):
        curve = mean_curve([each.column(f"{term}/gradient_share") for each in group.diagnostics])
        if len(curve[0]):
            lines.append(Line(term, color, *curve))
    return lines
