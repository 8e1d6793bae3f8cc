"""Columns of history.csv and diagnostics.csv as arrays over steps."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float

POINTS = 240  # per curve


@dataclass(frozen=True)
class Series:
    """Numeric columns (NaN: no value in this step) and columns of text (``words``)."""

    steps: Float[np.ndarray, "rows"] = field(default_factory=lambda: np.empty(0))
    numbers: Mapping[str, Float[np.ndarray, "rows"]] = field(default_factory=dict)
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def column(self, name: str) -> tuple[Float[np.ndarray, "known"], Float[np.ndarray, "known"]]:
        """Return the steps and values of the rows with a value."""
        values = self.numbers.get(name)
        if values is None:
            return np.empty(0), np.empty(0)
        known = np.isfinite(values)
        return self.steps[known], values[known]

    def names(self, prefix: str) -> list[str]:
        """Return the names of the numeric columns with this prefix, without it."""
        return [name.removeprefix(prefix) for name in self.numbers if name.startswith(prefix)]


def read_series(path: Path) -> Series:
    """Read the file; empty if it is missing or has no column ``step``.

    Lines of another length, e.g. a truncated last one, are skipped.
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
    """Return steps, mean, minimum and maximum of several runs' curves, averaged in bins.

    Averaging reduces the noise of single batches. Bins without a value are left out.
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
