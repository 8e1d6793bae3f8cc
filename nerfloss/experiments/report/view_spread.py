"""Table of the spread of a score over the views of one run, apart from that over seeds."""

from collections.abc import Sequence
from pathlib import Path

from nerfloss.experiments.report.runs import Run
from nerfloss.experiments.report.table import Cell, Table
from nerfloss.experiments.report.truncate import MAX_ROWS
from nerfloss.experiments.statistics.intervals import MIN_VALUES_FOR_BOOTSTRAP
from nerfloss.experiments.statistics.summary import format_interval, summary

OVER_SEEDS = (
    "± and intervals are over the runs of a variant, which differ by their seeds, not over the "
    "views of a run: --only views shows that spread"
)
OVER_VIEWS = (
    "± and intervals are over the views of one run: how much views differ, and how well its mean "
    "is known for further views of this scene; views that see the same surface are not independent"
)
NOT_OVER_SEEDS = "they say nothing about another training: --only variants has the seeds' spread"
INTERVAL = "95 % interval over views"
HEADS = ("run", "scene", "seed", "score", "views", "mean ± std over views")
WIDE = (
    *("run", "scene", "seed", "score", "views", "mean", "std", "low", "high", "interval"),
    *("worst", "worst_view"),
)


def view_spread_table(runs: Sequence[Run], root: Path, metrics: Sequence[str] = ()) -> Table:
    """Return one row for each finished run and score that has values by view.

    The interval of the mean is the bootstrap's over views; of fewer than 6 views it is Student's t.
    Runs are never pooled. Raises ValueError where no run has scores by view, or none of a metric.
    """
    rows: list[tuple[Cell, ...]] = []
    wide: list[tuple[Cell, ...]] = []
    for run in runs:
        for name in metrics or _scored(run) if run.finished else ():
            values = {view: row[name] for view, row in run.views.items() if name in row}
            if values:
                short, long = _row(run, root, name, values)
                rows.append(short)
                wide.append(long)
    if not rows:
        named = f" of {', '.join(metrics)}" if metrics else ""
        raise ValueError(
            f"no finished run in {root} has scores by view{named}: 'nerfloss eval run=...' writes "
            f"them to metrics.json"
        )
    notes = [OVER_VIEWS, NOT_OVER_SEEDS]
    if any(int(str(row[4])) < MIN_VALUES_FOR_BOOTSTRAP for row in rows):
        notes.append(f"fewer than {MIN_VALUES_FOR_BOOTSTRAP} views: Student's t, no bootstrap")
    if len(rows) > MAX_ROWS:
        notes.append(f"{MAX_ROWS} of {len(rows)} rows are shown; -f csv has all, -m fewer scores")
    return Table(
        (*HEADS, INTERVAL, "worst view"),
        tuple(rows[:MAX_ROWS]),
        title="Spread over views",
        notes=tuple(notes),
        wide=Table(WIDE, tuple(wide)),
        keys=4,
    )


def _scored(run: Run) -> list[str]:
    return list(dict.fromkeys(name for row in run.views.values() for name in row))


def _row(
    run: Run, root: Path, name: str, values: dict[str, float]
) -> tuple[tuple[Cell, ...], tuple[Cell, ...]]:
    """Return the row of a run and a score as it is printed, and as CSV."""
    found = summary(list(values.values()))
    inside = run.folder.is_relative_to(root) and run.folder != root
    head = (str(run.folder.relative_to(root)) if inside else run.folder.name, run.scene, run.seed)
    spread = f"{found.mean:.5g}" + (f" ± {found.std:.2g}" if found.std is not None else "")
    low, high = (None, None) if found.interval is None else found.interval[:2]
    shown = None if found.interval is None else " to ".join(format_interval(found.interval))
    worst = _worst(run, name, values)
    method = None if found.interval is None else found.interval.method
    at = None if worst is None else f"{worst} ({values[worst]:.5g})"
    long = (*head, name, found.n, found.mean, found.std, low, high, method)
    least = (None, None) if worst is None else (values[worst], worst)
    return (*head, name, found.n, spread, shown, at), (*long, *least)


def _worst(run: Run, name: str, values: dict[str, float]) -> str | None:
    """Return the view with the worst value; None for a score without a better direction."""
    better = run.conventions.get(name, {}).get("better")
    if better not in ("higher", "lower"):
        return None
    choose = min if better == "higher" else max
    return choose(values, key=values.__getitem__)
