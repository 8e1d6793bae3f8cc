"""What a run recorded along its steps: columns of history.csv and diagnostics.csv as arrays."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float

POINTS = 240  # of a curve in a figure; more are not seen at its width


@dataclass(frozen=True)
class Series:
    """``numbers`` by column, NaN where a step has none; ``words`` are columns that hold text."""

    steps: Float[np.ndarray, "rows"] = field(default_factory=lambda: np.empty(0))
    numbers: Mapping[str, Float[np.ndarray, "rows"]] = field(default_factory=dict)
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def column(self, name: str) -> tuple[Float[np.ndarray, "some"], Float[np.ndarray, "some"]]:
        """Steps and values of the rows that have one."""
        values = self.numbers.get(name)
        if values is None:
            return np.empty(0), np.empty(0)
        known = np.isfinite(values)
        return self.steps[known], values[known]

    def names(self, prefix: str) -> list[str]:
        """What follows ``prefix`` in the names of the columns with numbers, in the file's order."""
        return [name.removeprefix(prefix) for name in self.numbers if name.startswith(prefix)]


def read_series(path: Path) -> Series:
    """The file's columns; nothing where there is no file, or not one of ours.

    A last line that a crash cut is left out, and so is a line of another length.
    """
    if not path.is_file():
        return Series()
    with open(path, newline="") as file:
        header, *rows = list(csv.reader(file)) or [[]]
    rows = [row for row in rows if len(row) == len(header) and _number(row[0]) is not None]
    if header[:1] != ["step"] or not rows:
        return Series()
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    steps = _numbers(columns.pop("step"))
    words = {name: cells for name, cells in columns.items() if _is_text(cells)}
    numbers = {name: _numbers(cells) for name, cells in columns.items() if name not in words}
    return Series(steps, numbers, words)


def mean_curve(
    curves: Sequence[tuple[np.ndarray, np.ndarray]], points: int = POINTS
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Steps, mean, lowest and highest of several runs' curves, each averaged into ``points`` bins.

    A bin without a value in any curve is left out; averaging shows the trend below the noise of
    single batches.
    """
    curves = [(steps, values) for steps, values in curves if len(steps)]
    if not curves:
        return np.empty(0), np.empty(0), np.empty(0), np.empty(0)
    low = min(steps[0] for steps, _ in curves)
    high = max(steps[-1] for steps, _ in curves)
    longest = max(len(steps) for steps, _ in curves)
    edges = np.linspace(low, high + 1e-9, min(points, longest) + 1)
    rows = np.stack([_binned(steps, values, edges) for steps, values in curves])
    kept = np.isfinite(rows).any(0)
    rows, middle = rows[:, kept], 0.5 * (edges[1:] + edges[:-1])[kept]
    return middle, np.nanmean(rows, 0), np.nanmin(rows, 0), np.nanmax(rows, 0)


def _binned(steps: np.ndarray, values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    places = np.clip(np.searchsorted(edges, steps, side="right") - 1, 0, len(edges) - 2)
    count = np.bincount(places, minlength=len(edges) - 1)
    total = np.bincount(places, values, minlength=len(edges) - 1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _numbers(cells: Iterable[str]) -> Float[np.ndarray, "rows"]:
    found = [_number(cell) for cell in cells]
    return np.array([np.nan if number is None else number for number in found], dtype=float)


def _is_text(cells: Iterable[str]) -> bool:
    return any(cell and _number(cell) is None for cell in cells)
