"""Contraction of unbounded space into a ball of radius 2."""

import torch
from jaxtyping import Float
from torch import Tensor


def contract(points: Float[Tensor, "*points 3"]) -> Float[Tensor, "*points 3"]:
    """Map space into the ball of radius 2: ``(2 - 1/r) x/r`` for ``r = |x| > 1``, else ``x``.

    Infinity lies on the sphere of radius 2.

    Reference: Barron et al., "Mip-NeRF 360: Unbounded Anti-Aliased Neural Radiance Fields", CVPR
    2022, eq. 10.
    """
    radius = points.norm(dim=-1, keepdim=True).clamp_min(1.0)
    return points * (2 - 1 / radius) / radius


def uncontract(points: Float[Tensor, "*points 3"]) -> Float[Tensor, "*points 3"]:
    """Invert `contract`, for points within radius 2 - 1e-6."""
    radius = points.norm(dim=-1, keepdim=True).clamp(1.0, 2 - 1e-6)
    return points / (radius * (2 - radius))


def inverse_radius(contracted: Float[Tensor, "*points 3"]) -> Float[Tensor, "*points"]:
    """Return ``1/r`` in [0, 1] of the points, given contracted; 1 inside of the unit ball.

    Reference: Zhang et al., "NeRF++: Analyzing and Improving Neural Radiance Fields", 2020,
    section 4, the inverted sphere.
    """
    return (2 - contracted.norm(dim=-1)).clamp(0.0, 1.0)


def disparity_midpoints(
    starts: Float[Tensor, "*rays samples"], ends: Float[Tensor, "*rays samples"]
) -> Float[Tensor, "*rays samples"]:
    """Return the distance whose inverse is halfway between those of the two ends."""
    return 2 * starts * ends / torch.clamp(starts + ends, min=1e-9)
