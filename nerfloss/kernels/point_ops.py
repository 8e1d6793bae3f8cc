"""Operations on points that a step needs: compiled on the CPU, the formulas elsewhere."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nerfloss.kernels.backend_selection import implementation
from nerfloss.kernels.numba.array_arguments import as_arrays, is_cpu_float32


def nonempty_intervals(
    t_starts: Float[Tensor, "rays samples"],
    t_ends: Float[Tensor, "rays samples"],
    count: int | None = None,
) -> Int[Tensor, "kept"]:
    """Return the flat indices of the intervals of positive length.

    ``count`` is their number, if it is known. Without it a GPU is synchronised with, because the
    number is the size of the result.
    """
    if not _use_loops(t_starts):
        mask = (t_ends > t_starts).reshape(-1)
        return mask.nonzero().squeeze(-1) if count is None else nonzero_with_count(mask, count)
    index = torch.empty(t_starts.numel(), dtype=torch.int64)
    loops = implementation("point_ops", "cpu")
    return index[: loops.nonempty_intervals(*as_arrays(t_starts, t_ends, index))]


def nonzero_with_count(mask: Bool[Tensor, "entries"], count: int) -> Int[Tensor, "count"]:
    """Return the ascending indices of the ``count`` true entries, without synchronising a GPU."""
    # Each true entry writes its index to its rank; all false ones write to one slot at the end.
    rank = torch.where(mask, torch.cumsum(mask, 0) - 1, count)
    out = torch.empty(count + 1, dtype=torch.int64, device=mask.device)
    return out.scatter_(0, rank, torch.arange(len(mask), device=mask.device))[:count]


def interval_midpoints(
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    t_starts: Float[Tensor, "rays samples"],
    t_ends: Float[Tensor, "rays samples"],
    index: Int[Tensor, "kept"],
) -> Float[Tensor, "kept 3"]:
    """Return the midpoints, in the world frame, of the intervals with these flat indices."""
    inputs = (origins, directions, t_starts, t_ends)
    if not _use_loops(*inputs):
        ray = index // t_starts.shape[1]
        middle = 0.5 * (t_starts + t_ends).reshape(-1)[index]
        # index_select, whose backward pass adds rows in a fixed order.
        along = middle[:, None] * directions.index_select(0, ray)
        return origins.index_select(0, ray) + along
    out = origins.new_empty(3, len(index))
    implementation("point_ops", "cpu").interval_midpoints(*as_arrays(*inputs, index, out))
    return out.t()


def to_unit_cube(
    points: Float[Tensor, "points 3"], box: Float[Tensor, "2 3"]
) -> tuple[Float[Tensor, "points 3"], Float[Tensor, "points 3"]]:
    """Return points mapped from a box to the unit cube and clamped, and the derivative per axis.

    The derivative is 1 / extent inside and 0 along the axes in which a point lies outside.
    """
    if not _use_loops(points, box):
        lower, upper = box
        free = (points - lower) / (upper - lower)
        unit = free.clamp(0, 1)
        return unit, torch.where(free == unit, 1 / (upper - lower), 0.0)
    unit, scale = (points.new_empty(3, len(points)) for _ in range(2))
    implementation("point_ops", "cpu").to_unit_cube(*as_arrays(points.t(), box, unit, scale))
    return unit.t(), scale.t()


def region_cells_below(
    values: Float[Tensor, "size size size"],
    region: Bool[Tensor, "size size size"],
    limit: float,
) -> Int[Tensor, "cells"]:
    """Return the flat indices of the region's cells whose absolute value is below ``limit``."""
    if not _use_loops(values):
        return (region & (values.abs() < limit)).reshape(-1).nonzero().squeeze(-1)
    index = torch.empty(values.numel(), dtype=torch.int64)
    arrays = as_arrays(values, region, index)
    loops = implementation("point_ops", "cpu")
    return index[: loops.region_cells_below(*arrays[:2], np.float32(limit), arrays[2])]


def region_cells_in_turn(
    values: Float[Tensor, "size size size"],
    region: Bool[Tensor, "size size size"],
    threshold: float,
    turn: int,
    intervals: tuple[int, int],
) -> Int[Tensor, "cells"]:
    """Return the flat indices of those cells of the region whose turn it is.

    A cell above the threshold has one turn in as many as the first of ``intervals``, by diagonal,
    so that its neighbours have others; any other one in as many as the second, by index.
    """
    size, (of_dense, of_other) = len(values), intervals
    if not _use_loops(values):
        index = region.reshape(-1).nonzero().squeeze(-1)
        diagonal = index % size + index // size % size + index // size**2
        dense = values.reshape(-1)[index] > threshold
        due = torch.where(dense, (diagonal - turn) % of_dense, (index - turn) % of_other) == 0
        return index[due]
    index = torch.empty(values.numel(), dtype=torch.int64)
    arrays = as_arrays(values, region, index)
    loop = implementation("point_ops", "cpu").region_cells_in_turn
    settings = np.float32(threshold), turn, of_dense, of_other
    return index[: loop(*arrays[:2], *settings, arrays[2])]


def points_in_cells(
    index: Int[Tensor, "cells"],
    size: int,
    box: Float[Tensor, "2 3"],
    generator: torch.Generator | None = None,
) -> Float[Tensor, "cells 3"]:
    """Return a point in each cell of ``index``: its centre, or with a generator a random one."""
    offsets = box.new_empty(0, 3)
    if generator is not None:
        offsets = torch.rand(len(index), 3, generator=generator, device=box.device)
    if not _use_loops(box):
        corner = torch.stack([index % size, index // size % size, index // size**2], -1)
        share = offsets if generator is not None else 0.5
        return box[0] + (corner + share) / size * (box[1] - box[0])
    out = box.new_empty(3, len(index))
    arrays = as_arrays(index, box, offsets, out)
    implementation("point_ops", "cpu").points_in_cells(arrays[0], size, *arrays[1:])
    return out.t()


def _use_loops(*tensors: Tensor) -> bool:
    """Return True where compiled loops apply: float32 on the CPU, without autograd."""
    return is_cpu_float32(*tensors) and not any(each.requires_grad for each in tensors)
