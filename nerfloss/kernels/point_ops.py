"""Points in space that a step needs: compiled on the CPU, and the plain formulas elsewhere."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nerfloss.kernels.numba.array_arguments import as_arrays, is_cpu_float32


def nonempty_intervals(
    t_starts: Float[Tensor, "rays samples"],
    t_ends: Float[Tensor, "rays samples"],
    count: int | None = None,
) -> Int[Tensor, "kept"]:
    """Flat indices of the intervals that have length.

    ``count`` is how many they are, where that is known: it is the size of everything that the field
    makes of them, so without it the host waits for a GPU that counts.
    """
    if not _compiled(t_starts):
        has_length = (t_ends > t_starts).reshape(-1)
        return (
            has_length.nonzero().squeeze(-1)
            if count is None
            else nonzero_with_count(has_length, count)
        )
    from nerfloss.kernels.numba import point_ops as cpu_places

    index = torch.empty(t_starts.numel(), dtype=torch.int64)
    return index[: cpu_places.nonempty_intervals(*as_arrays(t_starts, t_ends, index))]


def nonzero_with_count(mask: Bool[Tensor, "places"], count: int) -> Int[Tensor, "count"]:
    """Where a mask is true, ascending, for one that is true in ``count`` places: asks no GPU."""
    # Each place that counts writes itself where it belongs; all the others write into one beyond.
    to = torch.where(mask, torch.cumsum(mask, 0) - 1, count)
    found = torch.empty(count + 1, dtype=torch.int64, device=mask.device)
    places = torch.arange(len(mask), device=mask.device)
    return found.scatter_(0, to, places)[:count]


def interval_midpoints(
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    t_starts: Float[Tensor, "rays samples"],
    t_ends: Float[Tensor, "rays samples"],
    index: Int[Tensor, "kept"],
) -> Float[Tensor, "kept 3"]:
    """Mid-points of the intervals with these flat indices, world frame."""
    given = (origins, directions, t_starts, t_ends)
    if not _compiled(*given):
        ray = index // t_starts.shape[1]
        middle = 0.5 * (t_starts + t_ends).reshape(-1)[index]
        return origins[ray] + middle[:, None] * directions[ray]
    from nerfloss.kernels.numba import point_ops as cpu_places

    out = origins.new_empty(3, len(index))
    cpu_places.interval_midpoints(*as_arrays(*given, index, out))
    return out.t()


def to_unit(
    points: Float[Tensor, "points 3"], box: Float[Tensor, "2 3"]
) -> tuple[Float[Tensor, "points 3"], Float[Tensor, "points 3"]]:
    """Points in the unit cube, clamped to it, and the derivative of that, axis by axis.

    The derivative is 1 / extent inside and 0 along the axes in which a point lies outside.
    """
    if not _compiled(points, box):
        lower, upper = box
        free = (points - lower) / (upper - lower)
        unit = free.clamp(0, 1)
        return unit, torch.where(free == unit, 1 / (upper - lower), 0.0)
    from nerfloss.kernels.numba import point_ops as cpu_places

    unit, scale = (points.new_empty(3, len(points)) for _ in range(2))
    cpu_places.to_unit(*as_arrays(points.t(), box, unit, scale))
    return unit.t(), scale.t()


def region_cells_below(
    values: Float[Tensor, "size size size"],
    region: Bool[Tensor, "size size size"],
    reach: float,
) -> Int[Tensor, "cells"]:
    """Flat indices of cells of a region whose value is smaller than ``reach``."""
    if not _compiled(values):
        return (region & (values.abs() < reach)).reshape(-1).nonzero().squeeze(-1)
    from nerfloss.kernels.numba import point_ops as cpu_places

    index = torch.empty(values.numel(), dtype=torch.int64)
    given = as_arrays(values, region, index)
    return index[: cpu_places.region_cells_below(*given[:2], np.float32(reach), given[2])]


def points_in_cells(
    index: Int[Tensor, "cells"],
    size: int,
    box: Float[Tensor, "2 3"],
    generator: torch.Generator | None = None,
) -> Float[Tensor, "cells 3"]:
    """Points in cells with these flat indices: their centres, or random ones with a generator."""
    inside = box.new_empty(0, 3)
    if generator is not None:
        inside = torch.rand(len(index), 3, generator=generator, device=box.device)
    if not _compiled(box):
        corner = torch.stack([index % size, index // size % size, index // size**2], -1)
        share = inside if generator is not None else 0.5
        return box[0] + (corner + share) / size * (box[1] - box[0])
    from nerfloss.kernels.numba import point_ops as cpu_places

    out = box.new_empty(3, len(index))
    given = as_arrays(index, box, inside, out)
    cpu_places.points_in_cells(given[0], size, *given[1:])
    return out.t()


def _compiled(*tensors: Tensor) -> bool:
    """Whether compiled loops serve: they keep no history."""
    return is_cpu_float32(*tensors) and not any(each.requires_grad for each in tensors)
