"""The hash grid in plain PyTorch: slow, exact, on any device, differentiable to any order.

Every function reads a point's value off its cell's eight corners with trilinear weights
``w = a_x a_y a_z``; derivatives with respect to the point differ in the weights alone.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nerfloss.kernels.layout import HASH_FACTORS, GridLayout, Level

# bit k of a corner's number says which side of the cell it lies on along axis k
_SIDES = [[corner >> axis & 1 for axis in range(3)] for corner in range(8)]


def features(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    layout: GridLayout,
    active: int,
) -> Float[Tensor, "points channels"]:
    """Interpolate the grid: ``f = sum_corners w(x) table``; 0 for levels from ``active`` on."""
    found = [
        torch.einsum("nc,ncf->nf", _weights(points, grid), part[_rows(points, grid)])
        for grid, part in _parts(table, layout, active)
    ]
    return _pad(found, points, layout)


def vjp(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    grad: Float[Tensor, "points channels"],
    layout: GridLayout,
    active: int,
) -> Float[Tensor, "points 3"]:
    """Gradient of ``grad . f`` with respect to the point: ``J^T grad``, in the unit cube."""
    total = torch.zeros_like(points)
    grads = grad.split(layout.features, dim=1)
    for (grid, part), g in zip(_parts(table, layout, active), grads, strict=False):
        values = torch.einsum("ncf,nf->nc", part[_rows(points, grid)], g)
        total = total + torch.einsum("ncx,nc->nx", _slopes(points, grid), values)
    return total


def jvp(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    tangent: Float[Tensor, "points 3"],
    layout: GridLayout,
    active: int,
) -> Float[Tensor, "points channels"]:
    """Change of the features as the point moves: ``J tangent``."""
    found = []
    for grid, part in _parts(table, layout, active):
        weights = torch.einsum("ncx,nx->nc", _slopes(points, grid), tangent)
        found.append(torch.einsum("nc,ncf->nf", weights, part[_rows(points, grid)]))
    return _pad(found, points, layout)


def hvp(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    grad: Float[Tensor, "points channels"],
    tangent: Float[Tensor, "points 3"],
    layout: GridLayout,
    active: int,
) -> Float[Tensor, "points 3"]:
    """Second derivative of ``grad . f``, along ``tangent``: ``H tangent``.

    Inside a cell only the mixed partial derivatives differ from zero.
    """
    total = torch.zeros_like(points)
    grads = grad.split(layout.features, dim=1)
    for (grid, part), g in zip(_parts(table, layout, active), grads, strict=False):
        values = torch.einsum("ncf,nf->nc", part[_rows(points, grid)], g)
        total = total + torch.einsum("ncxy,ny,nc->nx", _bends(points, grid), tangent, values)
    return total


def scatter(
    points: Float[Tensor, "points 3"],
    grad: Float[Tensor, "points channels"],
    tangent: Float[Tensor, "points 3"] | None,
    slope_grad: Float[Tensor, "points channels"] | None,
    layout: GridLayout,
    active: int,
) -> Float[Tensor, "entries features"]:
    """Gradient of ``grad . f + slope_grad . J tangent`` with respect to the table.

    The second part is left out where ``tangent`` is None.
    """
    total = points.new_zeros(layout.entries, layout.features)
    for level, (grid, part) in enumerate(_parts(total, layout, active)):
        at = slice(level * layout.features, (level + 1) * layout.features)
        update = torch.einsum("nc,nf->ncf", _weights(points, grid), grad[:, at])
        if tangent is not None and slope_grad is not None:
            weights = torch.einsum("ncx,nx->nc", _slopes(points, grid), tangent)
            update = update + torch.einsum("nc,nf->ncf", weights, slope_grad[:, at])
        part.index_add_(0, _rows(points, grid).flatten(), update.flatten(0, 1))
    return total


def _parts(
    table: Float[Tensor, "entries features"], layout: GridLayout, active: int
) -> list[tuple[Level, Tensor]]:
    """The active levels, each with its own rows of the table.

    One split, since slices would cost autograd a gradient of the whole table per level.
    """
    parts = table.split([grid.entries for grid in layout.grids])
    return list(zip(layout.grids[:active], parts, strict=False))


def _cell(points: Float[Tensor, "points 3"], level: Level) -> Int[Tensor, "points 3"]:
    """The cell a point lies in. NaN counts as 0: its row must exist, its weights stay NaN."""
    scaled = points.detach() * level.resolution
    return torch.where(scaled > 0, scaled, 0.0).clamp_max(level.resolution - 1).long()


def _rows(points: Float[Tensor, "points 3"], level: Level) -> Int[Tensor, "points 8"]:
    """Where the level's part of the table holds the corners of each point's cell."""
    corner = _cell(points, level)[:, None] + torch.tensor(_SIDES, device=points.device)
    if level.dense:
        side = level.resolution + 1
        return corner[..., 0] + side * (corner[..., 1] + side * corner[..., 2])
    x, y, z = (corner[..., axis] * HASH_FACTORS[axis] for axis in range(3))
    return (x ^ y ^ z) & (level.entries - 1)


def _sides(points: Float[Tensor, "points 3"], level: Level) -> tuple[Tensor, Tensor]:
    """Weight of each corner along each axis ("points 8 3"), and its slope (+-resolution)."""
    fraction = (points * level.resolution - _cell(points, level))[:, None]
    upper = torch.tensor(_SIDES, device=points.device, dtype=torch.bool)
    weight = torch.where(upper, fraction, 1 - fraction)
    slope = torch.where(upper, level.resolution, -level.resolution).to(points.dtype)
    return weight, slope


def _weights(points: Float[Tensor, "points 3"], level: Level) -> Float[Tensor, "points 8"]:
    x, y, z = _sides(points, level)[0].unbind(-1)
    return x * y * z


def _slopes(points: Float[Tensor, "points 3"], level: Level) -> Float[Tensor, "points 8 3"]:
    """First derivatives of the weights."""
    weight, slope = _sides(points, level)
    x, y, z = weight.unbind(-1)
    return torch.stack([y * z, x * z, x * y], -1) * slope


def _bends(points: Float[Tensor, "points 3"], level: Level) -> Float[Tensor, "points 8 3 3"]:
    """Second derivatives of the weights."""
    weight, slope = _sides(points, level)
    x, y, z = weight.unbind(-1)
    none = torch.zeros_like(x)
    rows = [none, z, y, z, none, x, y, x, none]
    return torch.stack(rows, -1).unflatten(-1, (3, 3)) * slope[:, :, None] * slope[:, None]


def _pad(
    found: list[Float[Tensor, "points features"]],
    points: Float[Tensor, "points 3"],
    layout: GridLayout,
) -> Float[Tensor, "points channels"]:
    """All levels side by side, zeros for those that are not active."""
    missing = layout.channels - len(found) * layout.features
    return torch.cat([*found, points.new_zeros(len(points), missing)], -1)
