"""Tables of ``nerfloss compare``: groups of runs side by side."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from nerfloss.experiments.report.comparison import check_known, incomparable, scored
from nerfloss.experiments.report.comparison_groups import (
    ComparisonGroup,
    comparison_groups,
    names_of,
    shared_folder,
)
from nerfloss.experiments.report.config_differences import config_table, provenance_table
from nerfloss.experiments.report.contrasts import Contrast, contrasts, directions
from nerfloss.experiments.report.runs import begun, find_runs, refused_notes
from nerfloss.experiments.report.shown_groups import omission_notes, reference_of, shown_groups
from nerfloss.experiments.report.table import Cell, Table
from nerfloss.experiments.report.truncate import truncated
from nerfloss.experiments.report.variants import Variant
from nerfloss.experiments.report.variants_table import how_to_read, mean_of, score_of, signed
from nerfloss.experiments.statistics.summary import format_interval

OF_VIEWS = (
    "views of one run share its seed: they show where a difference lies, not whether it would "
    "recur with another seed"
)


def compare_groups(
    folders: Sequence[Path], *, metrics: Sequence[str] = (), every: bool = False
) -> list[Table]:
    """Return tables of the runs in ``folders``: runs, configuration, provenance, scores.

    A group is compared with the first group of its scene. Of more than 12 groups the first and the
    best by the first metric are shown, unless ``every`` is set. Raises as `comparison_groups` does,
    FileNotFoundError for a folder without runs, and ValueError for a metric that no run has.
    """
    # Resolved: a folder may be given in several ways.
    roots = [folder.resolve() if folder.exists() else folder for folder in folders]
    read = [run for root in roots for run in find_runs(root)]
    runs = read if every else begun(read, roots)
    groups = comparison_groups(runs)
    check_known(metrics, runs)
    names = tuple(metrics) or scored(runs)
    shown = groups if every else shown_groups(groups, names)
    first = _runs_table(shown)
    first = replace(
        first,
        notes=(*omission_notes(shown, groups, names), *first.notes, *refused_notes(read, runs)),
    )
    scores = _scores(groups, shown, names)
    return [first, config_table(shown), provenance_table(shown), scores]


def joined_by_key(tables: Sequence[Table]) -> Table:
    """Return the tables as one for CSV: their columns are the groups."""
    wide = [table.wide or table for table in tables]
    labels = wide[0].columns[1:]
    rows = [(t.title.lower(), *row) for t, w in zip(tables, wide, strict=True) for row in w.rows]
    return Table(("table", "key", *labels), tuple(rows))


def _runs_table(groups: Sequence[ComparisonGroup]) -> Table:
    every = [run for each in groups for run in each.runs]
    shared = shared_folder(every)
    facts = [
        ("folder", *(names_of(each.runs, shared) for each in groups)),
        ("loss", *(each.runs[0].choices.get("loss", "") for each in groups)),
        ("scene", *(each.scene for each in groups)),
        ("seeds", *(", ".join(truncated([r.seed for r in e.runs], "")).rstrip() for e in groups)),
        ("finished", *(f"{sum(r.finished for r in e.runs)} of {len(e.runs)}" for e in groups)),
    ]
    notes = [f"{run.folder.name}: {run.status}" for run in every if not run.finished]
    heads = ("runs", *(each.label for each in groups))
    return Table(heads, tuple(facts), "Runs", tuple(truncated(notes, "runs without scores")))


def _scores(
    groups: Sequence[ComparisonGroup], shown: Sequence[ComparisonGroup], metrics: Sequence[str]
) -> Table:
    """Return the table of scores; p values are corrected for all groups, shown or not."""
    variants = {each.label: Variant(each.label, {}, each.runs) for each in groups}
    references = {each.label: reference_of(groups, each) for each in groups}
    lines: dict[tuple[str, str], Contrast] = {}
    for reference in dict.fromkeys(references.values()):
        family = [variants[label] for label, own in references.items() if own == reference]
        found = contrasts(family, variants[reference], metrics)
        lines |= {(line.metric, line.variant.name): line for line in found}
    labels = [each.label for each in shown]
    columns = [label for label in labels if references[label] != label]
    seen: list[str] = []
    rows = []
    for metric in metrics:
        of_metric = {label: lines.get((metric, label)) for label in labels}
        gaps = []
        for label in columns:
            line = of_metric[label]
            # Views take reading metrics.json again: only if there are too few runs for a test.
            undecided = line is not None and not (line.significance and line.significance.test)
            views = (
                _views(variants[references[label]], variants[label], metric) if undecided else ""
            )
            gaps.append(_gap(line, views))
            seen += [views] if views and gaps[-1] and views in gaps[-1] else []
        rows.append((_title(metric, of_metric.values()), *map(_mean, of_metric.values()), *gaps))
    heads = ("score", *labels, *(f"{label} − {references[label]}" for label in columns))
    notes = [*how_to_read(list(lines.values())), *([OF_VIEWS] if seen else [])]
    every = [run for each in shown for run in each.runs]
    notes += [note for metric in metrics for note in incomparable(every, metric)]
    wide = Table(("key", *labels), tuple(_wide(lines, metrics, labels)))
    return Table(heads, tuple(rows), title="Scores", notes=tuple(notes), wide=wide)


def _title(metric: str, lines: Iterable[Contrast | None]) -> str:
    return next((score_of(line) for line in lines if line is not None), metric)


def _mean(line: Contrast | None) -> Cell:
    return None if line is None else mean_of(line, mixed=False)


def _gap(line: Contrast | None, views: str) -> str | None:
    """Return difference, interval and significance; for too few runs the count of views."""
    if line is None or line.pair is None or line.pair.mean is None:
        return None
    parts = [signed(line.pair.mean)]
    if line.pair.interval and line.significance and line.significance.test:
        parts.append(f"({' to '.join(format_interval(line.pair.interval))})")
    if line.significance and line.significance.test:
        parts.append(line.significance.label)
    elif views:
        parts.append(f"({views})")
    return " ".join(parts)


def _views(baseline: Variant, variant: Variant, metric: str) -> str:
    """Return in how many shared views the variant is better; "" if there are none."""
    better = directions([*baseline.runs, *variant.runs]).get(metric)
    ours, theirs = _by_view(variant, metric), _by_view(baseline, metric)
    shared = ours.keys() & theirs.keys()
    if better is None or not shared:
        return ""
    if all(ours[view] == theirs[view] for view in shared):
        return f"equal in all of {len(shared)} views"
    sign = 1 if better == "higher" else -1
    won = sum(sign * (ours[view] - theirs[view]) > 0 for view in shared)
    return f"better in {won} of {len(shared)} views"


def _by_view(variant: Variant, metric: str) -> dict[str, float]:
    """Return the mean of a metric over the runs, by view."""
    found: dict[str, list[float]] = {}
    for run in variant.runs:
        for view, scores in run.views.items():
            if metric in scores:
                found.setdefault(view, []).append(scores[metric])
    return {view: statistics.fmean(values) for view, values in found.items()}


def _wide(
    lines: dict[tuple[str, str], Contrast], metrics: Sequence[str], labels: Sequence[str]
) -> list[tuple[Cell, ...]]:
    """Return the rows of the CSV table: one for each statistic of a metric."""
    rows = []
    for metric in metrics:
        found = [lines.get((metric, label)) for label in labels]
        for name, cells in _numbers(found).items():
            if any(cell is not None for cell in cells):
                rows.append((f"{metric}{name}", *cells))
    return rows


def _numbers(found: Sequence[Contrast | None]) -> dict[str, list[Cell]]:
    pairs = [line.pair if line else None for line in found]
    judged = [line.significance if line else None for line in found]
    between = [pair.interval if pair else None for pair in pairs]
    return {
        "": [line.summary.mean if line else None for line in found],
        "_std": [line.summary.std if line else None for line in found],
        "_runs": [line.summary.n if line else None for line in found],
        "_pairs": [pair.n if pair else None for pair in pairs],
        "_difference": [pair.mean if pair else None for pair in pairs],
        "_difference_low": [interval.low if interval else None for interval in between],
        "_difference_high": [interval.high if interval else None for interval in between],
        "_p": [significance.p if significance else None for significance in judged],
        "_test": [significance.test if significance else None for significance in judged],
        "_significance": [significance.label if significance else None for significance in judged],
    }
