"""Views that see a cell in front of or at the surface of a grid of densities, counted per cell."""

import math

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from nerfloss.kernels.numba.compile import compiled

# Kinds of visible cells: in front of the surface, where the light is absorbed, or at it.
IN_FRONT, AT_SURFACE = 0, 1


def new_view_counts(resolution: int) -> Int[Tensor, "2 2 depth height width"]:
    """Return the counts (0) and the last view counted in each cell (-1), for `count_view`."""
    counts = torch.zeros((2, 2, resolution, resolution, resolution), dtype=torch.int32)
    counts[1] = -1
    return counts


def count_view(
    counts: Int[Tensor, "2 2 depth height width"],
    view: int,
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    enter: Float[Tensor, "rays"],
    leave: Float[Tensor, "rays"],
    densities: Float[Tensor, "depth height width"],
    box: Float[Tensor, "2 3"],
    *,
    step: float,
    spent: float,
) -> None:
    """Add the cells that one view's rays see to the counts, each at most once per kind.

    A ray takes equal steps; its surface is the step in which more than ``spent`` of its light is
    absorbed. That step and its two neighbours are at the surface, all earlier steps in front of it.
    """
    arrays = [
        each.contiguous().numpy() for each in (origins, directions, enter, leave, densities, box)
    ]
    # The sum of densities along a ray at which this share of the light is absorbed.
    limit = -math.log1p(-spent) / step
    _count_view(*arrays, np.float32(step), np.float32(limit), *counts.numpy(), view)


@compiled
def _count_view(origins, directions, enter, leave, densities, box, step, limit, counts, last, view):
    resolution = densities.shape[0]
    # In units of cells, so that a look-up costs no division.
    x, y, z = (resolution / (box[1, 0] - box[0, 0]), resolution / (box[1, 1] - box[0, 1]),
               resolution / (box[1, 2] - box[0, 2]))  # fmt: skip
    for ray in range(len(origins)):
        first = enter[ray] + np.float32(0.5) * step
        steps = int((leave[ray] - enter[ray]) / step + np.float32(0.5))
        d = (directions[ray, 0] * x, directions[ray, 1] * y, directions[ray, 2] * z)
        o = ((origins[ray, 0] - box[0, 0]) * x + first * d[0],
             (origins[ray, 1] - box[0, 1]) * y + first * d[1],
             (origins[ray, 2] - box[0, 2]) * z + first * d[2])  # fmt: skip
        passed, stop = np.float32(0), steps + 1
        for index in range(steps):
            passed += densities[_cell(o, d, index * step, resolution)]
            if passed > limit:
                stop = index
                break
        for index in range(min(stop + 2, steps)):
            kind = int(index >= stop - 1)
            k, j, i = _cell(o, d, index * step, resolution)
            if last[kind, k, j, i] != view:
                last[kind, k, j, i] = view
                counts[kind, k, j, i] += 1


@compiled
def _cell(o, d, t, resolution):
    x, y, z = int(o[0] + t * d[0]), int(o[1] + t * d[1]), int(o[2] + t * d[2])
    last = resolution - 1
    return min(max(z, 0), last), min(max(y, 0), last), min(max(x, 0), last)
