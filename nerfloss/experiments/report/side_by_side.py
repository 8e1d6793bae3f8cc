"""What ``nerfloss compare`` says: sets of runs beside each other, settings, origin and scores."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from nerfloss.experiments.report.comparison import check_known, scored
from nerfloss.experiments.report.comparison_groups import (
    ComparisonGroup,
    names_of,
    run_sets,
    shared_folder,
)
from nerfloss.experiments.report.config_differences import config_table, provenance_table
from nerfloss.experiments.report.contrasts import Contrast, contrasts, directions
from nerfloss.experiments.report.run_discovery import walk
from nerfloss.experiments.report.runs import Run
from nerfloss.experiments.report.shown_groups import reference_of, said_of, shown_sets
from nerfloss.experiments.report.table import Cell, Table
from nerfloss.experiments.report.table_cache import answered
from nerfloss.experiments.report.truncate import some
from nerfloss.experiments.report.variants import Variant
from nerfloss.experiments.report.variants_table import how_to_read, mean_of, score_of, signed
from nerfloss.experiments.statistics.summary import ends

OF_VIEWS = (
    "views of one run share its seed: they say where a difference lies, not whether another seed "
    "would show it"
)


def compared(
    folders: Sequence[Path], *, metrics: Sequence[str] = (), every: bool = False
) -> list[Table]:
    """Tables of the runs in ``folders``: which they are, what differs, and what they scored.

    A set is compared with the first one of its scene. Of more than 12 the first is shown with the
    best by the first metric, unless ``every`` one is wanted. Raises as `run_sets` does,
    FileNotFoundError for a folder without runs, and ValueError for a metric that no run has.
    """

    def make(runs: list[Run]) -> list[Table]:
        sets = run_sets(runs)
        check_known(metrics, runs)
        names = tuple(metrics) or scored(runs)
        shown = sets if every else shown_sets(sets, names)
        left_out = said_of(shown, sets, names)
        first = _runs_table(shown)
        first = replace(first, notes=(*left_out, *first.notes))
        scores = _scores(sets, shown, names)
        return [first, config_table(shown), provenance_table(shown), scores]

    # Whole paths: folders that were given by other ways are the same runs.
    trees = [walk(folder.resolve() if folder.exists() else folder) for folder in folders]
    return answered(trees, ["compare", metrics, every], make)


def as_one(tables: Sequence[Table]) -> Table:
    """The tables for machines: they have the same columns, one for each set of runs."""
    wide = [table.wide or table for table in tables]
    labels = wide[0].columns[1:]
    rows = [(t.title.lower(), *row) for t, w in zip(tables, wide, strict=True) for row in w.rows]
    return Table(("table", "key", *labels), tuple(rows))


def _runs_table(sets: Sequence[ComparisonGroup]) -> Table:
    every = [run for each in sets for run in each.runs]
    shared = shared_folder(every)
    facts = [
        ("folder", *(names_of(each.runs, shared) for each in sets)),
        ("loss", *(each.runs[0].choices.get("loss", "") for each in sets)),
        ("scene", *(each.scene for each in sets)),
        ("seeds", *(", ".join(some([r.seed for r in e.runs], "")).rstrip() for e in sets)),
        ("finished", *(f"{sum(r.finished for r in e.runs)} of {len(e.runs)}" for e in sets)),
    ]
    notes = [f"{run.folder.name}: {run.status}" for run in every if not run.finished]
    heads = ("runs", *(each.label for each in sets))
    return Table(heads, tuple(facts), "Runs", tuple(some(notes, "runs without scores")))


def _scores(
    sets: Sequence[ComparisonGroup], shown: Sequence[ComparisonGroup], metrics: Sequence[str]
) -> Table:
    """Verdicts are corrected for all sets, also for those that are not shown."""
    arms = {each.label: Variant(each.label, {}, each.runs) for each in sets}
    references = {each.label: reference_of(sets, each) for each in sets}
    lines: dict[tuple[str, str], Contrast] = {}
    for reference in dict.fromkeys(references.values()):
        family = [arms[label] for label, own in references.items() if own == reference]
        found = contrasts(family, arms[reference], metrics)
        lines |= {(line.metric, line.arm.name): line for line in found}
    labels = [each.label for each in shown]
    columns = [label for label in labels if references[label] != label]
    seen: list[str] = []
    rows = []
    for metric in metrics:
        of_metric = {label: lines.get((metric, label)) for label in labels}
        gaps = []
        for label in columns:
            line = of_metric[label]
            # Views are read from files, so only where the runs are too few to say.
            undecided = line is not None and not (line.verdict and line.verdict.test)
            views = _views(arms[references[label]], arms[label], metric) if undecided else ""
            gaps.append(_gap(line, views))
            seen += [views] if views and gaps[-1] and views in gaps[-1] else []
        rows.append((_title(metric, of_metric.values()), *map(_mean, of_metric.values()), *gaps))
    heads = ("score", *labels, *(f"{label} − {references[label]}" for label in columns))
    notes = [*how_to_read(list(lines.values())), *([OF_VIEWS] if seen else [])]
    wide = Table(("key", *labels), tuple(_wide(lines, metrics, labels)))
    return Table(heads, tuple(rows), title="Scores", notes=tuple(notes), wide=wide)


def _title(metric: str, lines: Iterable[Contrast | None]) -> str:
    return next((score_of(line) for line in lines if line is not None), metric)


def _mean(line: Contrast | None) -> Cell:
    return None if line is None else mean_of(line, mixed=False)


def _gap(line: Contrast | None, views: str) -> str | None:
    """Difference, its interval and the verdict; of too few runs, what their views say."""
    if line is None or line.pair is None or line.pair.mean is None:
        return None
    parts = [signed(line.pair.mean)]
    if line.pair.interval and line.verdict and line.verdict.test:
        parts.append(f"({' to '.join(ends(line.pair.interval))})")
    if line.verdict and line.verdict.test:
        parts.append(line.verdict.word)
    elif views:
        parts.append(f"({views})")
    return " ".join(parts)


def _views(baseline: Variant, arm: Variant, metric: str) -> str:
    """In how many of the views that both were judged by the arm is better; "" where none is."""
    better = directions([*baseline.runs, *arm.runs]).get(metric)
    ours, theirs = _by_view(arm, metric), _by_view(baseline, metric)
    shared = ours.keys() & theirs.keys()
    if better is None or not shared:
        return ""
    if all(ours[view] == theirs[view] for view in shared):
        return f"equal in all of {len(shared)} views"
    sign = 1 if better == "higher" else -1
    won = sum(sign * (ours[view] - theirs[view]) > 0 for view in shared)
    return f"better in {won} of {len(shared)} views"


def _by_view(arm: Variant, metric: str) -> dict[str, float]:
    """A metric's mean over the runs, view by view."""
    found: dict[str, list[float]] = {}
    for run in arm.runs:
        for view, scores in run.views.items():
            if metric in scores:
                found.setdefault(view, []).append(scores[metric])
    return {view: statistics.fmean(values) for view, values in found.items()}


def _wide(
    lines: dict[tuple[str, str], Contrast], metrics: Sequence[str], labels: Sequence[str]
) -> list[tuple[Cell, ...]]:
    """The scores for machines: a row for each number that there is of a metric."""
    rows = []
    for metric in metrics:
        found = [lines.get((metric, label)) for label in labels]
        for name, cells in _numbers(found).items():
            if any(cell is not None for cell in cells):
                rows.append((f"{metric}{name}", *cells))
    return rows


def _numbers(found: Sequence[Contrast | None]) -> dict[str, list[Cell]]:
    pairs = [line.pair if line else None for line in found]
    judged = [line.verdict if line else None for line in found]
    between = [pair.interval if pair else None for pair in pairs]
    return {
        "": [line.summary.mean if line else None for line in found],
        "_std": [line.summary.std if line else None for line in found],
        "_runs": [line.summary.n if line else None for line in found],
        "_pairs": [pair.n if pair else None for pair in pairs],
        "_difference": [pair.mean if pair else None for pair in pairs],
        "_difference_low": [interval.low if interval else None for interval in between],
        "_difference_high": [interval.high if interval else None for interval in between],
        "_p": [verdict.p if verdict else None for verdict in judged],
        "_test": [verdict.test if verdict else None for verdict in judged],
        "_verdict": [verdict.word if verdict else None for verdict in judged],
    }
