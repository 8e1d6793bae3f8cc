"""Table of runs: swept settings, main scores, and means over seeds."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nerfloss.experiments.report.contrasts import directions
from nerfloss.experiments.report.run_files import group
from nerfloss.experiments.report.runs import Run
from nerfloss.experiments.report.table import Cell, Table
from nerfloss.experiments.report.truncate import MAX_ROWS, TOP_ROWS, best_of, truncated
from nerfloss.experiments.report.variants import SEED, grouped, swept_settings

# Columns shown by default, in this order: images first, then geometry.
MAIN_METRICS = (
    "psnr",
    "psnr_masked",
    "ssim",
    "lpips_alex",
    "dtu",
    "tanks_fscore",
    "chamfer_l1",
    "fscore",
    "normal_angle",
    "mask_iou",
    "depth_rmse",
)
PROTOCOL = "protocol"  # of a benchmark, as stated beside a score
COST = ("train_seconds", "seconds")


@dataclass(frozen=True)
class _Line:
    """A row before formatting: one run, or the mean of several ``runs``."""

    head: tuple[Cell, ...]
    values: Mapping[str, float]
    deviations: Mapping[str, float]
    runs: int


def compare(
    runs: Sequence[Run], root: Path, *, metrics: Sequence[str] = (), absent: int = 0
) -> Table:
    """Return the table of ``runs``, with paths relative to ``root``.

    Columns: the run, every setting that differs, the status if not all runs finished, and
    ``metrics`` (default: `scored`). Runs that differ only in the seed are followed by their mean
    and standard deviation. ``absent``: the number of runs that never started. Of more than 200
    rows the best means or runs are shown; ``wide`` has all. Raises ValueError for a metric that no
    run has.
    """
    swept = swept_settings(runs)
    names = tuple(metrics) or scored(runs)
    check_known(names, runs)
    ended = all(run.finished for run in runs)
    lines: list[_Line] = []
    for members in grouped(runs, [key for key in swept if key != SEED]).values():
        lines += [_single(run, root, swept, ended) for run in members]
        lines += _summary(members, swept, ended, names)
    better = directions(runs)
    shown, omitted = _truncated(lines, names, better)
    heads = ("run", *swept, *(() if ended else ("status",)))
    spread = tuple(label for name in names for label in (name, f"{name}_std"))
    return Table(
        (*heads, *names),
        tuple((*line.head, *(_with_deviation(line, name) for name in names)) for line in shown),
        notes=(*omitted, *_notes(runs, names, absent)),
        strong=_best(shown, names, len(heads), better),
        wide=Table((*heads, "runs", *spread), tuple(_wide(line, names) for line in lines)),
    )


def scored(runs: Sequence[Run]) -> tuple[str, ...]:
    """Return the main metrics that any run has, then a user's own metrics, then the time taken."""
    found = {name: None for run in runs for name in run.metrics}
    others = [name for name in found if name not in MAIN_METRICS]
    own = [name for name in others if any(_is_own(name, run) for run in runs)]
    cost = [name for name in COST if name in found][:1]
    return (*(name for name in MAIN_METRICS if name in found), *own, *cost)


def _is_own(name: str, run: Run) -> bool:
    """Return True for a metric whose function is not from nerfloss."""
    target = group(run.config, "eval", "metrics", name).get("_target_")
    return target is not None and not str(target).startswith("nerfloss.")


def check_known(names: Sequence[str], runs: Sequence[Run]) -> None:
    """Raise ValueError for a metric that no run has; no error if no run has any metric."""
    had = {name for run in runs for name in (*run.metrics, *run.reasons)}
    unknown = [name for name in names if name not in had]
    if unknown and had:
        raise ValueError(
            f"no run has the metric {', '.join(unknown)}: choose from {', '.join(sorted(had))}"
        )


def _single(run: Run, root: Path, swept: Sequence[str], ended: bool) -> _Line:
    path = run.folder.relative_to(root) if run.folder.is_relative_to(root) else run.folder
    name = str(path) if str(path) != "." else run.folder.resolve().name
    head = (name, *(run.setting(key) for key in swept), *(() if ended else (run.status,)))
    return _Line(head, run.metrics, {}, 1)


def _summary(
    runs: Sequence[Run], swept: Sequence[str], ended: bool, names: Sequence[str]
) -> list[_Line]:
    """Return means and sample standard deviations if finished runs differ in their seed."""
    finished = [run for run in runs if run.finished]
    if len({run.setting(SEED) for run in finished}) < 2:
        return []
    found = {n: [run.metrics[n] for run in finished if n in run.metrics] for n in names}
    values = {name: several for name, several in found.items() if several}
    whole = "" if len(finished) == len(runs) else f" (of {len(runs)})"
    settings = (runs[0].setting(key) if key != SEED else None for key in swept)
    return [
        _Line(
            (f"mean of {len(finished)}{whole}", *settings, *(() if ended else (None,))),
            {name: statistics.fmean(several) for name, several in values.items()},
            {name: statistics.stdev(sev) for name, sev in values.items() if len(sev) > 1},
            len(finished),
        )
    ]


def _truncated(
    lines: Sequence[_Line], names: Sequence[str], better: Mapping[str, str]
) -> tuple[Sequence[_Line], list[str]]:
    """Return the displayed lines, and a note on the others."""
    if len(lines) <= MAX_ROWS:
        return lines, []
    means = [line for line in lines if line.runs > 1]
    every, what = (means, "means over seeds") if means else (lines, "runs")
    metric = next((name for name in names if better.get(name)), names[0] if names else "")
    if len(every) <= TOP_ROWS:
        shown, by = every, "the"
    else:
        values = {i: line.values[metric] for i, line in enumerate(every) if metric in line.values}
        shown = [every[i] for i in best_of(values, better.get(metric, ""), TOP_ROWS)]
        by = f"the {len(shown)} best by {metric} of {len(every)}"
    runs = sum(line.runs == 1 for line in lines)
    return shown, [f"{runs} runs: shown are {by} {what}; report.csv, or -f csv, has every run"]


def _with_deviation(line: _Line, name: str) -> Cell:
    if name not in line.deviations:
        return line.values.get(name)
    return f"{line.values[name]:.5g} ± {line.deviations[name]:.2g}"


def _wide(line: _Line, names: Sequence[str]) -> tuple[Cell, ...]:
    pairs = ((line.values.get(name), line.deviations.get(name)) for name in names)
    return (*line.head, line.runs, *(cell for pair in pairs for cell in pair))


def _best(
    lines: Sequence[_Line], names: Sequence[str], offset: int, better: Mapping[str, str]
) -> frozenset[tuple[int, int]]:
    """Return the cells of the best run by each metric with a declared direction."""
    best = set()
    for column, name in enumerate(names, start=offset):
        scored = {
            row: line.values[name]
            for row, line in enumerate(lines)
            if line.runs == 1 and name in line.values
        }
        if len(scored) > 1 and better.get(name) in ("higher", "lower"):
            value = (max if better[name] == "higher" else min)(scored.values())
            best |= {(row, column) for row, other in scored.items() if other == value}
    return frozenset(best)


def _notes(runs: Sequence[Run], names: Sequence[str], absent: int) -> list[str]:
    """Return notes on missing runs and on scores that cannot be compared."""
    notes = []
    unfinished = sum(not run.finished for run in runs)
    if unfinished:
        notes.append(f"{unfinished} of {len(runs)} runs did not finish")
    if absent:
        notes.append(f"{absent} more runs of this sweep never started")
    changed = sum(bool(run.provenance.get("interventions")) for run in runs)
    if changed:
        notes.append(
            f"{changed} of {len(runs)} runs had weights changed by hand while they trained: their "
            f"settings do not determine their scores (interventions in provenance.json)"
        )
    resumed = sum(bool(run.provenance.get("changed")) for run in runs)
    if resumed:
        notes.append(
            f"{resumed} of {len(runs)} runs were resumed with other settings than they began with, "
            f"which are the ones shown (changed in provenance.json)"
        )
    for name in names:
        reasons = dict.fromkeys(run.reasons[name] for run in runs if name in run.reasons)
        notes += truncated([f"{name}: {reason}" for reason in reasons], "reasons")
        notes += incomparable(runs, name)
    return notes


def incomparable(runs: Sequence[Run], name: str) -> list[str]:
    """Return notes on conventions of a score in which runs differ.

    A convention that some runs do not state says nothing, but a protocol that only some follow.
    """
    stated = [run.conventions[name] for run in runs if name in run.conventions]
    notes = []
    for key in sorted({key for entry in stated for key in entry} - {SEED}):
        known = stated if key == PROTOCOL else [entry for entry in stated if key in entry]
        values = sorted({str(entry.get(key) or "none") for entry in known})
        if len(values) > 1:
            listed = " and ".join(truncated(values, "values"))
            notes.append(f"{name} cannot be compared: its {key} is {listed}")
    return notes
