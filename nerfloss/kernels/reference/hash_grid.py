"""The hash grid in plain PyTorch: slow, exact, on any device, differentiable to any order.

Every function reads a point's value off its cell's eight corners with trilinear weights
``w = a_x a_y a_z``; derivatives with respect to the point differ in the weights alone.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.kernels.grid_layout import GridLayout, Level
from nerfloss.kernels.reference.grid_cells import (
    corner_bends,
    corner_rows,
    corner_slopes,
    corner_tilt,
    corner_weights,
    read,
)


def features(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    layout: GridLayout,
    active: int,
) -> Float[Tensor, "points channels"]:
    """Interpolate the grid: ``f = sum_corners w(x) table``; 0 for levels from ``active`` on."""
    found = [
        (corner_weights(points, grid)[..., None] * read(part, corner_rows(points, grid))).sum(0)
        for grid, part in _parts(table, layout, active)
    ]
    return _pad(found, points, layout)


def features_and_jacobian(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    layout: GridLayout,
    active: int,
) -> tuple[Float[Tensor, "points channels"], Float[Tensor, "3 channels points"]]:
    """Features, and their derivatives ``J`` by the point, in the unit cube."""
    along = []
    for axis in range(3):
        found = [
            (
                corner_slopes(points, grid)[axis][..., None] * read(part, corner_rows(points, grid))
            ).sum(0)
            for grid, part in _parts(table, layout, active)
        ]
        along.append(_pad(found, points, layout).t())
    return features(points, table, layout, active), torch.stack(along)


def vjp_from_jacobian(
    jacobian: Float[Tensor, "3 channels points"], grad: Float[Tensor, "points channels"]
) -> Float[Tensor, "points 3"]:
    """``J^T grad``, from the jacobian."""
    return (jacobian * grad.t()).sum(1).t()


def jvp_from_jacobian(
    jacobian: Float[Tensor, "3 channels points"], tangent: Float[Tensor, "points 3"]
) -> Float[Tensor, "points channels"]:
    """``J tangent``, from the jacobian."""
    return (jacobian * tangent.t()[:, None]).sum(0).t()


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
        values = (read(part, corner_rows(points, grid)) * g).sum(-1)
        jacobian = corner_slopes(points, grid)
        total = total + torch.stack([(slope * values).sum(0) for slope in jacobian], -1)
    return total


def jvp(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    tangent: Float[Tensor, "points 3"],
    layout: GridLayout,
    active: int,
) -> Float[Tensor, "points channels"]:
    """Change of the features as the point moves: ``J tangent``."""
    found = [
        (corner_tilt(points, tangent, grid)[..., None] * read(part, corner_rows(points, grid))).sum(
            0
        )
        for grid, part in _parts(table, layout, active)
    ]
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
    u, v, w = tangent.unbind(-1)
    for (grid, part), g in zip(_parts(table, layout, active), grads, strict=False):
        values = (read(part, corner_rows(points, grid)) * g).sum(-1)
        yz, xz, xy = ((bend * values).sum(0) for bend in corner_bends(points, grid))
        total = total + torch.stack([xy * v + xz * w, xy * u + yz * w, xz * u + yz * v], -1)
    return total


def scatter(
    points: Float[Tensor, "points 3"],
    grad: Float[Tensor, "points channels"],
    tangent: Float[Tensor, "points 3"] | None,
    jvp_grad: Float[Tensor, "points channels"] | None,
    layout: GridLayout,
    active: int,
) -> Float[Tensor, "entries features"]:
    """Gradient of ``grad . f + jvp_grad . J tangent`` with respect to the table.

    The second part is left out where ``tangent`` is None.
    """
    total = points.new_zeros(layout.entries, layout.features)
    for level, (grid, part) in enumerate(_parts(total, layout, active)):
        at = slice(level * layout.features, (level + 1) * layout.features)
        update = corner_weights(points, grid)[..., None] * grad[:, at]
        if tangent is not None and jvp_grad is not None:
            update = update + corner_tilt(points, tangent, grid)[..., None] * jvp_grad[:, at]
        part.index_add_(0, corner_rows(points, grid).flatten(), update.flatten(0, 1))
    return total


def _parts(
    table: Float[Tensor, "entries features"], layout: GridLayout, active: int
) -> list[tuple[Level, Tensor]]:
    """The active levels, each with its own rows of the table.

    One split, since slices would cost autograd a gradient of the whole table per level.
    """
    parts = table.split([grid.entries for grid in layout.grids])
    return list(zip(layout.grids[:active], parts, strict=False))


def _pad(
    found: list[Float[Tensor, "points features"]],
    points: Float[Tensor, "points 3"],
    layout: GridLayout,
) -> Float[Tensor, "points channels"]:
    """All levels side by side, zeros for those that are not active."""
    missing = layout.channels - len(found) * layout.features
    return torch.cat([*found, points.new_zeros(len(points), missing)], -1)
