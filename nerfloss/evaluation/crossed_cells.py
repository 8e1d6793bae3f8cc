"""Cells that a surface crosses: fog, whose surface fills the box, is told before it is meshed."""

import logging

import numpy as np
import torch
from jaxtyping import Bool

from nerfloss.evaluation.errors import UndefinedMetric
from nerfloss.evaluation.sparse_lattice import COARSEST, SparseLattice
from nerfloss.files import format_bytes
from nerfloss.memory import free_memory

log = logging.getLogger(__name__)

FACES_PER_CELL = 2.5  # of marching cubes in fog, measured
BYTES_PER_FACE = 600  # with what an export derives from it, measured
# Cells that the surface of a ball crosses, per squared cell of its diameter: pi for its area, times
# the mean of |x| + |y| + |z| of its normals, 3 / 2.
CELLS_OF_BALL = 4.7
FOG = 6  # balls: no object that fills the box has as much surface


def crossed_cells(
    inside: Bool[np.ndarray, "x y z"], known: Bool[np.ndarray, "x y z"] | None = None
) -> int:
    """Return the number of cells with corners on both sides, all of which are ``known``."""
    crossed = _over_corners(inside, np.logical_or) & ~_over_corners(inside, np.logical_and)
    if known is not None:
        crossed &= _over_corners(known, np.logical_and)
    return int(crossed.sum())


def check_crossed_cells(cells: int, lattice: SparseLattice) -> None:
    """Log a warning for a surface of many more cells than that of an object.

    Raises UndefinedMetric, with a resolution that fits, where the memory does not suffice for its
    faces.
    """
    side = int(lattice.cells.max())
    free = free_memory(torch.device("cpu"))
    needed = int(cells * FACES_PER_CELL * BYTES_PER_FACE)
    if free is not None and needed > free:
        # The cells of fog grow with the third power of the resolution.
        fits = int(side * (free / needed) ** (1 / 3)) // COARSEST * COARSEST
        raise UndefinedMetric(
            f"the surface crosses {cells} cells: it is fog, or noise. Its faces need about "
            f"{format_bytes(needed)} of memory and {format_bytes(free)} are free; use "
            f"eval.mesh.resolution={max(fits, COARSEST)}"
        )
    balls = cells / (CELLS_OF_BALL * side**2)
    if balls > FOG:
        log.warning(
            "the surface crosses %d cells, %.0f times as many as that of a ball as large as the "
            "box: it is fog, or noise, and all that follows is slow; a lower resolution is faster "
            "(--resolution, eval.mesh.resolution)",
            cells,
            balls,
        )


def _over_corners(values: Bool[np.ndarray, "x y z"], join: np.ufunc) -> np.ndarray:
    """Return for each cell the values at its eight corners, joined."""
    for axis in range(3):
        count = values.shape[axis]
        low, high = (values.take(range(*ends), axis) for ends in ((0, count - 1), (1, count)))
        values = join(low, high)
    return values
