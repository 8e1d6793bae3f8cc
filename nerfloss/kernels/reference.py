"""The hash grid in plain PyTorch: slow, exact, on any device, differentiable to any order.

Every function reads a point's value off its cell's eight corners with trilinear weights
``w = a_x a_y a_z``; derivatives with respect to the point differ in the weights alone.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from nerfloss.kernels.layout import HASH_FACTORS, GridLayout, Level


def features(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    layout: GridLayout,
    active: int,
) -> Float[Tensor, "points channels"]:
    """Interpolate the grid: ``f = sum_corners w(x) table``; 0 for levels from ``active`` on."""
    found = [
        (_weights(points, grid)[..., None] * _read(part, _rows(points, grid))).sum(0)
        for grid, part in _parts(table, layout, active)
    ]
    return _pad(found, points, layout)


def features_and_slopes(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    layout: GridLayout,
    active: int,
) -> tuple[Float[Tensor, "points channels"], Float[Tensor, "3 channels points"]]:
    """Features, and their derivatives ``J`` by the point, in the unit cube."""
    along = []
    for axis in range(3):
        found = [
            (_slopes(points, grid)[axis][..., None] * _read(part, _rows(points, grid))).sum(0)
            for grid, part in _parts(table, layout, active)
        ]
        along.append(_pad(found, points, layout).t())
    return features(points, table, layout, active), torch.stack(along)


def pull_back(
    slopes: Float[Tensor, "3 channels points"], grad: Float[Tensor, "points channels"]
) -> Float[Tensor, "points 3"]:
    """``J^T grad``, from the slopes."""
    return (slopes * grad.t()).sum(1).t()


def push_forward(
    slopes: Float[Tensor, "3 channels points"], tangent: Float[Tensor, "points 3"]
) -> Float[Tensor, "points channels"]:
    """``J tangent``, from the slopes."""
    return (slopes * tangent.t()[:, None]).sum(0).t()


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
        values = (_read(part, _rows(points, grid)) * g).sum(-1)
        slopes = _slopes(points, grid)
        total = total + torch.stack([(slope * values).sum(0) for slope in slopes], -1)
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
        (_tilt(points, tangent, grid)[..., None] * _read(part, _rows(points, grid))).sum(0)
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
        values = (_read(part, _rows(points, grid)) * g).sum(-1)
        yz, xz, xy = ((bend * values).sum(0) for bend in _bends(points, grid))
        total = total + torch.stack([xy * v + xz * w, xy * u + yz * w, xz * u + yz * v], -1)
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
        update = _weights(points, grid)[..., None] * grad[:, at]
        if tangent is not None and slope_grad is not None:
            update = update + _tilt(points, tangent, grid)[..., None] * slope_grad[:, at]
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


def _rows(points: Float[Tensor, "points 3"], level: Level) -> Int[Tensor, "8 points"]:
    """Where the level's part of the table holds the corners of each point's cell."""
    side = level.resolution + 1
    factors = (1, side, side**2) if level.dense else HASH_FACTORS
    ends = torch.tensor([[0], [1]], device=points.device)
    x, y, z = (
        (coordinate + ends) * factor
        for coordinate, factor in zip(_cell(points, level).unbind(-1), factors, strict=True)
    )
    if level.dense:
        return _corners(x, y, z, torch.add)
    return _corners(x, y, z, torch.bitwise_xor) & (level.entries - 1)


def _read(
    part: Float[Tensor, "rows features"], rows: Int[Tensor, "8 points"]
) -> Float[Tensor, "8 points features"]:
    # four times faster than part[rows]
    return part.index_select(0, rows.flatten()).unflatten(0, rows.shape)


def _sides(points: Float[Tensor, "points 3"], level: Level) -> tuple[list[Tensor], Tensor]:
    """Per axis the weights of a cell's two ends ("2 points"), and their slope, the same for all."""
    fraction = points * level.resolution - _cell(points, level)
    ends = [torch.stack([1 - along, along]) for along in fraction.unbind(-1)]
    return ends, level.resolution * points.new_tensor([[-1.0], [1.0]])


def _weights(points: Float[Tensor, "points 3"], level: Level) -> Float[Tensor, "8 points"]:
    (x, y, z), _ = _sides(points, level)
    return _corners(x, y, z, torch.mul)


def _slopes(points: Float[Tensor, "points 3"], level: Level) -> list[Float[Tensor, "8 points"]]:
    """First derivatives of the weights, axis by axis."""
    (x, y, z), d = _sides(points, level)
    return [_corners(*ends, torch.mul) for ends in ((d, y, z), (x, d, z), (x, y, d))]


def _tilt(
    points: Float[Tensor, "points 3"], tangent: Float[Tensor, "points 3"], level: Level
) -> Float[Tensor, "8 points"]:
    """Change of the weights as the points move along their tangents."""
    slopes = zip(_slopes(points, level), tangent.unbind(-1), strict=True)
    return torch.stack([slope * along for slope, along in slopes]).sum(0)


def _bends(points: Float[Tensor, "points 3"], level: Level) -> list[Float[Tensor, "8 points"]]:
    """Mixed second derivatives of the weights: by y and z, by x and z, by x and y."""
    (x, y, z), d = _sides(points, level)
    return [_corners(*ends, torch.mul) for ends in ((x, d, d), (d, y, d), (d, d, z))]


def _corners(
    x: Tensor, y: Tensor, z: Tensor, combine: Callable[[Tensor, Tensor], Tensor]
) -> Shaped[Tensor, "8 points"]:
    """Combine what belongs to the ends of the axes for every corner; x alternates fastest."""
    plane = combine(z[:, None], y[None]).flatten(0, 1)
    return combine(plane[:, None], x[None]).flatten(0, 1)


def _pad(
    found: list[Float[Tensor, "points features"]],
    points: Float[Tensor, "points 3"],
    layout: GridLayout,
) -> Float[Tensor, "points channels"]:
    """All levels side by side, zeros for those that are not active."""
    missing = layout.channels - len(found) * layout.features
    return torch.cat([*found, points.new_zeros(len(points), missing)], -1)
