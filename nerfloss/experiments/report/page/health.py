"""The part of the page on terms: how much of the gradient each has, and whether it is alive."""

from collections import Counter
from collections.abc import Sequence
from statistics import fmean

from nerfloss.experiments.report.figures import colors_of
from nerfloss.experiments.report.page.conflicts import MOST_ARMS, NO_DIAGNOSTICS
from nerfloss.experiments.report.page.line_plot import Line, line_plot
from nerfloss.experiments.report.page.section import Figure, Figures, LeftOut, PageTable, Section
from nerfloss.experiments.report.page.series import Series, mean_curve
from nerfloss.experiments.report.page.study import Group, Study
from nerfloss.experiments.report.table import Cell, Table

TITLE = "Health"
OK = "ok"


def health(study: Study) -> Section | LeftOut:
    """A table over all arms that were diagnosed, and the gradient's shares of the first few."""
    looked_at = [
        group for group in study.groups if any(len(each.steps) for each in group.diagnostics)
    ]
    if not looked_at:
        return LeftOut(TITLE, NO_DIAGNOSTICS)
    several = len(looked_at) > 1
    columns = ("term", "looks", "share of the total", "share of the gradient", "state", "")
    rows = [
        (*([study.name_of(group)] if several else []), *row)
        for group in looked_at
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
        for group in looked_at[:MOST_ARMS]
        for lines in [_gradient_shares(group)]
        if lines
    ]
    reading = (
        "The share of the total is the term's part of the loss, the share of the gradient its part "
        "of what moves the parameters: they can differ much. A dead term has no gradient; one that "
        "vanishes or explodes has less than a thousandth, or more than a hundred times, of what it "
        "used to have (unless set otherwise)."
    )
    table = PageTable(Table((*(["arm"] if several else []), *columns), tuple(rows)))
    return Section("health", TITLE, reading, [table, *([Figures(figures)] if figures else [])])


def terms_in(series: Sequence[Series]) -> list[str]:
    """The terms that were looked at, in the recipe's order."""
    names = (name for each in series for name in each.numbers if name.endswith("/gradient_norm"))
    return [name.removesuffix("/gradient_norm") for name in dict.fromkeys(names)]


def state_of(words: Sequence[str]) -> tuple[str, str]:
    """The worst that was said of a term, and how often: ("exploding", "2 of 40 looks")."""
    said = Counter(word for word in words if word)
    troubles = [word for word in said if word != OK]
    if not troubles:
        return (OK if said else "never acted"), ""
    worst = max(troubles, key=lambda word: said[word])
    counts = ", ".join(f"{word} in {said[word]}" for word in troubles)
    return worst, f"{counts} of {said.total()} looks"


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
