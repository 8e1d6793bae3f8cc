"""The hash grid in plain PyTorch: slow, on any device, differentiable to any order.

Defines `nerfloss.kernels.hash_grid.HashGridKernel` for all backends. Every function is a sum over a
cell's eight corners with trilinear weights ``w = a_x a_y a_z``; derivatives with respect to the
point replace the weights by their derivatives.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.kernels.grid_layout import GridLayout, Level
from nerfloss.kernels.reference.grid_cells import (
    corner_rows,
    corner_weight_gradients,
    corner_weight_jvp,
    corner_weight_second_derivatives,
    corner_weights,
    gather_rows,
)


def features(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    layout: GridLayout,
    active: int,
) -> Float[Tensor, "points channels"]:
    found = [
        (
            corner_weights(points, grid)[..., None] * gather_rows(part, corner_rows(points, grid))
        ).sum(0)
        for grid, part in _parts(table, layout, active)
    ]
    return _pad(found, points, layout)


def features_and_jacobian(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    layout: GridLayout,
    active: int,
) -> tuple[Float[Tensor, "points channels"], Float[Tensor, "3 channels points"]]:
    along = []
    for axis in range(3):
        found = [
            (
                corner_weight_gradients(points, grid)[axis][..., None]
                * gather_rows(part, corner_rows(points, grid))
            ).sum(0)
            for grid, part in _parts(table, layout, active)
        ]
        along.append(_pad(found, points, layout).t())
    return features(points, table, layout, active), torch.stack(along)


def vjp_from_jacobian(
    jacobian: Float[Tensor, "3 channels points"], grad: Float[Tensor, "points channels"]
) -> Float[Tensor, "points 3"]:
    return (jacobian * grad.t()).sum(1).t()


def jvp_from_jacobian(
    jacobian: Float[Tensor, "3 channels points"], tangent: Float[Tensor, "points 3"]
) -> Float[Tensor, "points channels"]:
    return (jacobian * tangent.t()[:, None]).sum(0).t()


def vjp(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    grad: Float[Tensor, "points channels"],
    layout: GridLayout,
    active: int,
) -> Float[Tensor, "points 3"]:
    total = torch.zeros_like(points)
    grads = grad.split(layout.features, dim=1)
    for (grid, part), g in zip(_parts(table, layout, active), grads, strict=False):
        values = (gather_rows(part, corner_rows(points, grid)) * g).sum(-1)
        jacobian = corner_weight_gradients(points, grid)
        total = total + torch.stack([(slope * values).sum(0) for slope in jacobian], -1)
    return total


def jvp(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    tangent: Float[Tensor, "points 3"],
    layout: GridLayout,
    active: int,
) -> Float[Tensor, "points channels"]:
    found = [
        (
            corner_weight_jvp(points, tangent, grid)[..., None]
            * gather_rows(part, corner_rows(points, grid))
        ).sum(0)
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
    total = torch.zeros_like(points)
    grads = grad.split(layout.features, dim=1)
    u, v, w = tangent.unbind(-1)
    for (grid, part), g in zip(_parts(table, layout, active), grads, strict=False):
        values = (gather_rows(part, corner_rows(points, grid)) * g).sum(-1)
        yz, xz, xy = (
            (bend * values).sum(0) for bend in corner_weight_second_derivatives(points, grid)
        )
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
    total = points.new_zeros(layout.entries, layout.features)
    for level, (grid, part) in enumerate(_parts(total, layout, active)):
        at = slice(level * layout.features, (level + 1) * layout.features)
        update = corner_weights(points, grid)[..., None] * grad[:, at]
        if tangent is not None and jvp_grad is not None:
            update = update + corner_weight_jvp(points, tangent, grid)[..., None] * jvp_grad[:, at]
        part.index_add_(0, corner_rows(points, grid).flatten(), update.flatten(0, 1))
    return total


def _parts(
    table: Float[Tensor, "entries features"], layout: GridLayout, active: int
) -> list[tuple[Level, Tensor]]:
    """Return the active levels, each with its rows of the table.

    One split: of a slice per level autograd would make a gradient of the whole table each.
    """
    parts = table.split([grid.entries for grid in layout.grids])
    return list(zip(layout.grids[:active], parts, strict=False))


def _pad(
    found: list[Float[Tensor, "points features"]],
    points: Float[Tensor, "points 3"],
    layout: GridLayout,
) -> Float[Tensor, "points channels"]:
    """Concatenate the levels, with zeros for inactive ones."""
    missing = layout.channels - len(found) * layout.features
    return torch.cat([*found, points.new_zeros(len(points), missing)], -1)
