"""Composable solids as signed distance functions, negative inside.

Every function has a gradient of norm at most 1, so that its value is a lower bound of the distance
to the surface, a safe step for sphere tracing.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

Vector = Sequence[float | int]
Sdf = Callable[[Float[Tensor, "points 3"]], Float[Tensor, "points"]]


def balls(centers: Sequence[Vector], radius: float) -> Sdf:
    """Return the union of balls of equal radius; exact outside."""

    def sdf(points: Float[Tensor, "points 3"]) -> Float[Tensor, "points"]:
        middle = points.new_tensor(centers)
        if len(centers) == 1:
            return length(points - middle) - radius
        # |p - c|^2 - |p|^2 = |c|^2 - 2 p.c: one matrix product, four times as fast as distances.
        # Cancellation costs digits near a centre only, not near the surface.
        nearest = torch.addmm(middle.square().sum(-1)[:, None], middle, points.T, alpha=-2).amin(0)
        return (nearest + length(points).square()).clamp_min(1e-12).sqrt() - radius

    return sdf


def length(vectors: Float[Tensor, "points 3"]) -> Float[Tensor, "points"]:
    """Return the Euclidean norm, floored at 1e-12 so that its gradient is finite at 0."""
    # By columns: torch's norm over an axis of length 3 takes four times as long.
    x, y, z = vectors.T
    return (x * x + y * y + z * z).clamp_min(1e-24).sqrt()


def torus(center: Vector, axis: Vector, radius: float, thickness: float) -> Sdf:
    """Return a torus around an axis; ``thickness`` is the radius of its tube; exact."""

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
    """Return a box; the rows of ``axes`` are its orthonormal axes; exact."""

    def sdf(points: Float[Tensor, "points 3"]) -> Float[Tensor, "points"]:
        local = (points - points.new_tensor(center)) @ points.new_tensor(axes).T
        beyond = local.abs() - points.new_tensor(half_size)
        return length(beyond.clamp_min(0.0)) + beyond.amax(-1).clamp_max(0.0)

    return sdf


def frame(half_size: float, radius: float) -> Sdf:
    """Return cylindrical rods along the twelve edges of a cube; exact."""

    def sdf(points: Float[Tensor, "points 3"]) -> Float[Tensor, "points"]:
        # By symmetry only the three edges of one octant matter, one along each axis.
        beyond = points.abs() - half_size
        along = torch.eye(3, dtype=torch.bool, device=points.device)
        to_edges = [torch.where(axis, beyond.clamp_min(0.0), beyond) for axis in along]
        return torch.stack([length(offset) for offset in to_edges]).amin(0) - radius

    return sdf


def union(*shapes: Sdf, smooth: float = 0.0) -> Sdf:
    """Return the union of shapes, blended over a width of ``smooth`` where they meet.

    The quadratic blend's gradient is a convex combination of the shapes' gradients, so that its
    norm is at most 1.
    """

    def sdf(points: Float[Tensor, "points 3"]) -> Float[Tensor, "points"]:
        total = shapes[0](points)
        for shape in shapes[1:]:
            other = shape(points)
            lower = torch.minimum(total, other)
            if smooth > 0:
                overlap = (smooth - (total - other).abs()).clamp_min(0.0)
                lower = lower - overlap.square() / (4 * smooth)
            total = lower
        return total

    return sdf


def intersection(*shapes: Sdf, smooth: float = 0.0) -> Sdf:
    """Return the intersection of shapes, edges blended over a width of ``smooth``."""
    return complement(union(*(complement(shape) for shape in shapes), smooth=smooth))


def carve(body: Sdf, *tools: Sdf, smooth: float = 0.0) -> Sdf:
    """Return the body minus the tools, edges blended over a width of ``smooth``."""
    return intersection(body, *(complement(tool) for tool in tools), smooth=smooth)


def complement(shape: Sdf) -> Sdf:
    """Return the complement of a shape: the negated distance."""

    def sdf(points: Float[Tensor, "points 3"]) -> Float[Tensor, "points"]:
        return -shape(points)

    return sdf


def sdf_gradient(shape: Sdf, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points 3"]:
    """Return the gradient of a signed distance at the points, not normalised."""
    return sdf_and_gradient(shape, points)[1]


def sdf_and_gradient(
    shape: Sdf, points: Float[Tensor, "points 3"]
) -> tuple[Float[Tensor, "points"], Float[Tensor, "points 3"]]:
    """Return a signed distance at the points and its gradient, not normalised."""
    with torch.enable_grad():
        free = points.detach().requires_grad_(True)
        values = shape(free)
        return values.detach(), torch.autograd.grad(values.sum(), free)[0]
