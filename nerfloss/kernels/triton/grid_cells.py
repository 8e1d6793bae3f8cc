"""Cells of a block of points in one level of the hash grid, in Triton: corner rows and weights.

The same as `nerfloss.kernels.reference.grid_cells`. Corners are numbered 0 to 7, x alternating
fastest; the number is known at compile time. A level is a row of `level_table`.
"""

from functools import cache

import torch
from torch import Tensor

from nerfloss.kernels.grid_layout import HASH_FACTORS, GridLayout
from nerfloss.kernels.triton.language import constexpr, jit, tl

COLUMNS = tl.constexpr(8)


@cache
def level_table(
    device: torch.device, layout: GridLayout, copies: tuple[int, ...] | None = None
) -> Tensor:
    """Return per level: resolution, first row, rows - 1, dense, factors along y and z, copies, 0.

    Levels with several ``copies`` of their rows, for scattering, have them after the table's rows.
    """
    rows, behind = [], layout.entries
    for number, grid in enumerate(layout.grids):
        side, own = grid.resolution + 1, copies[number] if copies else 1
        factors = (side, side * side) if grid.dense else HASH_FACTORS[1:]
        first = grid.offset if own == 1 else behind
        behind += grid.entries * own if own > 1 else 0
        row = (grid.resolution, first, grid.entries - 1, int(grid.dense), *factors, own, 0)
        rows.append(row)
    return torch.tensor(rows, dtype=torch.int64, device=device)


@jit
def read_level(levels, level, REAL: constexpr):
    """Return a level's numbers, as the functions below take them."""
    at = levels + level * COLUMNS
    resolution = tl.load(at).to(REAL)
    first = tl.load(at + 1)
    mask = tl.load(at + 2).to(tl.uint32)
    dense = tl.load(at + 3) > 0
    factor_y = tl.load(at + 4).to(tl.uint32)
    factor_z = tl.load(at + 5).to(tl.uint32)
    return resolution, first, mask, dense, factor_y, factor_z


@jit
def read_vectors(vectors, point, inside, per_point, per_axis, REAL: constexpr):
    """Return x, y and z of every point, read with the given strides."""
    at = vectors + point * per_point
    x = tl.load(at, mask=inside, other=0.0).to(REAL)
    y = tl.load(at + per_axis, mask=inside, other=0.0).to(REAL)
    z = tl.load(at + per_axis + per_axis, mask=inside, other=0.0).to(REAL)
    return x, y, z


@jit
def cell(along, resolution):
    """Return the cell along an axis and the position in it; NaN gives cell 0, position NaN."""
    scaled = along * resolution
    held = tl.minimum(tl.where(scaled > 0, scaled, 0.0), resolution - 1)
    nearest = held.to(tl.int32)
    return nearest.to(tl.uint32), scaled - nearest


@jit
def corner_row(x, y, z, mask, dense, factor_y, factor_z, corner: constexpr):
    """Return the row of a corner, relative to the level's first."""
    a = x + (corner & 1)
    b = (y + ((corner >> 1) & 1)) * factor_y
    c = (z + (corner >> 2)) * factor_z
    return tl.where(dense, a + b + c, (a ^ b ^ c) & mask).to(tl.int64)


@jit
def corner_axis_weights(u, v, w, resolution, corner: constexpr):
    """Return the factors a, b, c of a corner's weight, and their derivatives."""
    a = u if corner & 1 else 1.0 - u
    b = v if corner & 2 else 1.0 - v
    c = w if corner & 4 else 1.0 - w
    da = resolution if corner & 1 else -resolution
    db = resolution if corner & 2 else -resolution
    dc = resolution if corner & 4 else -resolution
    return a, b, c, da, db, dc


@jit
def corner_weight_jvp(a, b, c, da, db, dc, s, t, r):
    """Return the change of a corner's weight ``a b c`` along the tangent ``(s, t, r)``."""
    return da * s * b * c + a * db * t * c + a * b * dc * r


@jit
def feature_mask(inside, lane, FEATURES: constexpr, LANES: constexpr):
    """Return the mask of features and points; per point without padding, for wide loads."""
    if LANES == FEATURES:
        return inside[:, None]
    else:  # noqa: RET505
        return inside[:, None] & (lane < FEATURES)[None, :]
