"""The part of a box in which a renderer places samples, as a grid of cells."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True)
class Region:
    """Cells of a box; ``cells[x, y, z]`` is true where the renderer can place a sample.

    Positions are given as fractions of the box, 0 at its lower corner and 1 at its upper one.
    """

    cells: Bool[np.ndarray, "x y z"]

    @property
    def volume_fraction(self) -> float:
        """Fraction of the box that the region takes up."""
        return float(self.cells.mean())

    def contains(self, fractions: Float[np.ndarray, "points 3"]) -> Bool[np.ndarray, "points"]:
        """Return which positions lie in a cell of the region."""
        x, y, z = self._cell_of(fractions).T
        return self.cells[x, y, z]

    def overlap(
        self, low: Float[np.ndarray, "blocks 3"], high: Float[np.ndarray, "blocks 3"]
    ) -> tuple[Bool[np.ndarray, "blocks"], Bool[np.ndarray, "blocks"]]:
        """Return which blocks touch a cell of the region, and which lie wholly inside it."""
        first, last = self._cell_of(low), self._cell_of(high) + 1
        count = np.zeros(len(first), dtype=np.int64)
        # Inclusion and exclusion over the eight corners of the summed-volume table.
        for corner in np.ndindex(2, 2, 2):
            x, y, z = np.where(corner, last, first).T
            count += (-1) ** (3 - sum(corner)) * self._sums[x, y, z]
        return count > 0, count == (last - first).prod(1)

    @cached_property
    def _sums(self) -> Int[np.ndarray, "rows columns slices"]:
        sums = self.cells.astype(np.int64)
        for axis in range(3):
            sums = np.cumsum(sums, axis)
        return np.pad(sums, [(1, 0)] * 3)

    def _cell_of(self, fractions: np.ndarray) -> Int[np.ndarray, "points 3"]:
        shape = np.array(self.cells.shape)
        return np.clip(np.floor(fractions * shape).astype(np.int64), 0, shape - 1)
