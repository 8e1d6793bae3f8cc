"""The hash grid by tinycudann, where it is installed: the same function of the same table.

Implements `nerfloss.kernels.hash_grid.HashGridKernel`. tinycudann gives the values and first
derivatives of an encoding; `jvp`, `hvp` and the second-order term of `scatter` are those of the
kernel that ``auto`` selects. Every level is an encoding with one grid, because only then can its
resolution be a given integer. tinycudann has its vertices at ``(k - 1/2) / scale``: points are
shifted by half a cell, and kept ``BORDER`` away from the border of the unit cube, where it would
read vertices outside.

Tested with a stand-in, not yet with tinycudann itself.
"""

from functools import cache
from importlib import import_module
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.kernels import hash_grid
from nerfloss.kernels.grid_layout import GridLayout, Level
from nerfloss.kernels.reference.hash_grid import jvp_from_jacobian, vjp_from_jacobian

__all__ = [
    "features",
    "features_and_jacobian",
    "hvp",
    "jvp",
    "jvp_from_jacobian",
    "scatter",
    "vjp",
    "vjp_from_jacobian",
]

BORDER = 1e-6
# tinycudann rounds the rows of a grid up to a multiple of this.
ROWS = 8


def features(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    layout: GridLayout,
    active: int,
) -> Float[Tensor, "points channels"]:
    out = points.new_zeros(len(points), layout.channels)
    with torch.no_grad():
        for level, part in enumerate(_parts(table, layout, active)):
            out[:, _own(level, layout)] = _read(points, part, layout.grids[level])
    return out


def features_and_jacobian(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    layout: GridLayout,
    active: int,
) -> tuple[Float[Tensor, "points channels"], Float[Tensor, "3 channels points"]]:
    out = points.new_zeros(len(points), layout.channels)
    jacobian = points.new_zeros(3, layout.channels, len(points))
    for level, part in enumerate(_parts(table, layout, active)):
        with torch.enable_grad():
            moving = points.detach().requires_grad_()
            found = _read(moving, part, layout.grids[level])
            sums = found.sum(0).unbind()
        out[:, _own(level, layout)] = found.detach()
        for channel, total in enumerate(sums, start=level * layout.features):
            (along,) = torch.autograd.grad(total, moving, retain_graph=True)
            jacobian[:, channel] = along.t()
    return out, jacobian


def vjp(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    grad: Float[Tensor, "points channels"],
    layout: GridLayout,
    active: int,
) -> Float[Tensor, "points 3"]:
    total = torch.zeros_like(points)
    for level, part in enumerate(_parts(table, layout, active)):
        with torch.enable_grad():
            moving = points.detach().requires_grad_()
            found = _read(moving, part, layout.grids[level])
        total += torch.autograd.grad(found, moving, grad[:, _own(level, layout)].to(found.dtype))[0]
    return total


def jvp(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    tangent: Float[Tensor, "points 3"],
    layout: GridLayout,
    active: int,
) -> Float[Tensor, "points channels"]:
    return hash_grid.select_kernel("auto", table).jvp(points, table, tangent, layout, active)


def hvp(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    grad: Float[Tensor, "points channels"],
    tangent: Float[Tensor, "points 3"],
    layout: GridLayout,
    active: int,
) -> Float[Tensor, "points 3"]:
    return hash_grid.select_kernel("auto", table).hvp(points, table, grad, tangent, layout, active)


def scatter(
    points: Float[Tensor, "points 3"],
    grad: Float[Tensor, "points channels"],
    tangent: Float[Tensor, "points 3"] | None,
    jvp_grad: Float[Tensor, "points channels"] | None,
    layout: GridLayout,
    active: int,
) -> Float[Tensor, "entries features"]:
    if tangent is not None and jvp_grad is not None:
        both = hash_grid.select_kernel("auto", points)
        return both.scatter(points, grad, tangent, jvp_grad, layout, active)
    total = points.new_zeros(layout.entries, layout.features)
    for level, part in enumerate(_parts(total, layout, active)):
        with torch.enable_grad():
            rows = part.detach().requires_grad_()
            found = _read(points.detach(), rows, layout.grids[level])
        own = grad[:, _own(level, layout)].to(found.dtype)
        part += torch.autograd.grad(found, rows, own)[0]
    return total


def _parts(table: Tensor, layout: GridLayout, active: int) -> tuple[Tensor, ...]:
    return table.detach().split([grid.entries for grid in layout.grids])[:active]


def _own(level: int, layout: GridLayout) -> slice:
    return slice(level * layout.features, (level + 1) * layout.features)


def _read(
    points: Float[Tensor, "points 3"], part: Float[Tensor, "rows features"], grid: Level
) -> Float[Tensor, "points features"]:
    """One level's features, differentiable once in points and rows."""
    encoding = _encoding(
        grid.resolution, part.shape[1], (grid.entries - 1).bit_length(), part.dtype
    )
    rows = torch.nn.functional.pad(part, (0, 0, 0, -len(part) % ROWS if grid.dense else 0))
    held = points.detach().clamp(BORDER, 1 - BORDER)
    # A shift, so that the derivative by a point on the border is not lost.
    moved = points + (held - points.detach()) - 0.5 / grid.resolution
    # The encoding owns parameters; it is evaluated with ours in their place.
    given = {"params": rows.flatten()}
    return torch.func.functional_call(encoding, given, (moved,)).to(points.dtype)


@cache
def _encoding(resolution: int, features: int, log2_rows: int, dtype: torch.dtype) -> Any:
    """An encoding that has this one grid: its scale is one less than its base resolution."""
    config = {
        "otype": "HashGrid",
        "n_levels": 1,
        "n_features_per_level": features,
        "log2_hashmap_size": log2_rows,
        "base_resolution": resolution + 1,
        "per_level_scale": 1.0,
        "interpolation": "Linear",
    }
    return import_module("tinycudann").Encoding(3, config, dtype=dtype)
