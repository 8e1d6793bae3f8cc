"""Solid shapes as signed distances: functions of points, negative inside, to be composed.

Every function here has a gradient of length at most one, so it never overstates the distance to
its surface: a ray may always step that far.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

Vector = Sequence[float | int]
Sdf = Callable[[Float[Tensor, "points 3"]], Float[Tensor, "points"]]


def balls(centers: Sequence[Vector], radius: float) -> Sdf:
    """The union of equal balls; exact outside all of them."""

    def sdf(points: Float[Tensor, "points 3"]) -> Float[Tensor, "points"]:
        middle = points.new_tensor(centers)
        if len(centers) == 1:
            return length(points - middle) - radius
        # |p - c|^2 - |p|^2 = |c|^2 - 2 p.c: one matrix product, four times as fast as distances.
        # Near a centre it loses digits, near the surface of a ball of sensible size it does not.
        nearest = torch.addmm(middle.square().sum(-1)[:, None], middle, points.T, alpha=-2).amin(0)
        return (nearest + length(points).square()).clamp_min(1e-12).sqrt() - radius

    return sdf


def length(vectors: Float[Tensor, "points 3"]) -> Float[Tensor, "points"]:
    """Euclidean length, floored at 1e-12 so that the gradient is finite at 0."""
    # Column by column: torch's norm over three numbers takes four times as long.
    x, y, z = vectors.unbind(-1)
    return (x * x + y * y + z * z).clamp_min(1e-24).sqrt()


def torus(center: Vector, axis: Vector, radius: float, thickness: float) -> Sdf:
    """A ring of the given radius about an axis, its tube ``thickness`` in radius; exact."""

    def sdf(points: Float[Tensor, "points 3"]) -> Float[Tensor, "points"]:
        unit = torch.nn.functional.normalize(points.new_tensor(axis), dim=0)
        offset = points - points.new_tensor(center)
        height = offset @ unit
        # The floor keeps the gradient finite on the axis itself.
        around = (length(offset).square() - height.square()).clamp_min(1e-12).sqrt()
        return torch.hypot(around - radius, height) - thickness

    return sdf


def box(
    center: Vector,
    half_size: Vector,
    axes: Sequence[Vector] = ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
) -> Sdf:
    """A box with sharp edges, its orthonormal axes as rows; exact."""

    def sdf(points: Float[Tensor, "points 3"]) -> Float[Tensor, "points"]:
        local = (points - points.new_tensor(center)) @ points.new_tensor(axes).T
        beyond = local.abs() - points.new_tensor(half_size)
        return length(beyond.clamp_min(0.0)) + beyond.amax(-1).clamp_max(0.0)

    return sdf


def frame(half_size: float, radius: float) -> Sdf:
    """Round rods along the twelve edges of a cube; exact."""

    def sdf(points: Float[Tensor, "points 3"]) -> Float[Tensor, "points"]:
        # Mirrored into one octant only three edges remain, one along each axis.
        beyond = points.abs() - half_size
        along = torch.eye(3, dtype=torch.bool, device=points.device)
        to_edges = [torch.where(axis, beyond.clamp_min(0.0), beyond) for axis in along]
        return torch.stack([length(offset) for offset in to_edges]).amin(0) - radius

    return sdf


def union(*shapes: Sdf, smooth: float = 0.0) -> Sdf:
    """Whatever lies in any of the shapes; ``smooth`` is the width over which seams are rounded.

    The blend is the quadratic one: its gradient is a convex combination of the shapes' gradients,
    hence no longer than one.
    """

    def sdf(points: Float[Tensor, "points 3"]) -> Float[Tensor, "points"]:
        total = shapes[0](points)
        for shape in shapes[1:]:
            other = shape(points)
            overlap = (smooth - (total - other).abs()).clamp_min(0.0)
            rounding = overlap.square() / (4 * smooth) if smooth > 0 else 0.0
            total = torch.minimum(total, other) - rounding
        return total

    return sdf


def intersection(*shapes: Sdf, smooth: float = 0.0) -> Sdf:
    """Whatever lies in all of the shapes, edges rounded over the width ``smooth``."""
    return complement(union(*(complement(shape) for shape in shapes), smooth=smooth))


def carve(body: Sdf, *tools: Sdf, smooth: float = 0.0) -> Sdf:
    """The body without what lies in any of the tools, rims rounded over the width ``smooth``."""
    return intersection(body, *(complement(tool) for tool in tools), smooth=smooth)


def complement(shape: Sdf) -> Sdf:
    """Inside out."""

    def sdf(points: Float[Tensor, "points 3"]) -> Float[Tensor, "points"]:
        return -shape(points)

    return sdf


def sdf_gradient(shape: Sdf, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points 3"]:
    """Gradient of a signed distance at the points, not normalised."""
    return sdf_and_gradient(shape, points)[1]


def sdf_and_gradient(
    shape: Sdf, points: Float[Tensor, "points 3"]
) -> tuple[Float[Tensor, "points"], Float[Tensor, "points 3"]]:
    """A signed distance at the points, and its gradient, not normalised."""
    with torch.enable_grad():
        free = points.detach().requires_grad_(True)
        values = shape(free)
        return values.detach(), torch.autograd.grad(values.sum(), free)[0]
