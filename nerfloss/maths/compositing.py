"""Compositing along a ray: from opacities to weights, and from weights to colour and depth."""

import torch
from jaxtyping import Float
from torch import Tensor

# Smallest divisor of the expected distance: below this opacity it fades to 0.
SMALLEST_OPACITY = 1e-3


def transmittance(alphas: Float[Tensor, "*rays samples"]) -> Float[Tensor, "*rays samples"]:
    """Return the fraction of light that reaches each sample: ``T_i = prod_{j<i} (1 - a_j)``.

    Opacities are clamped to 1 - 1e-7 here, so that the derivative of the logarithm stays finite
    behind an opaque sample.

    Reference: Max, "Optical Models for Direct Volume Rendering", TVCG 1995, eq. 9.
    """
    # A sum of logarithms, because the derivative of cumprod divides by its factors.
    passed = torch.log1p(-alphas.clamp_max(1 - 1e-7))
    before = torch.cumsum(passed, -1) - passed
    return torch.exp(before)


def compositing_weights(alphas: Float[Tensor, "*rays samples"]) -> Float[Tensor, "*rays samples"]:
    """Return the weight of each sample, ``w_i = T_i a_i``; they sum to at most 1.

    Reference: Mildenhall et al., "NeRF", ECCV 2020, eq. 3.
    """
    return transmittance(alphas) * alphas


def composited(
    weights: Float[Tensor, "*rays samples"], values: Float[Tensor, "*rays samples channels"]
) -> Float[Tensor, "*rays channels"]:
    """Return the composited values ``sum_i w_i v_i``, on a black background.

    Reference: Mildenhall et al., "NeRF", ECCV 2020, eq. 3.
    """
    return (weights[..., None] * values).sum(-2)


def density_alphas(
    densities: Float[Tensor, "*rays samples"],
    t_starts: Float[Tensor, "*rays samples"],
    t_ends: Float[Tensor, "*rays samples"],
) -> Float[Tensor, "*rays samples"]:
    """Return the opacity of intervals of constant density, ``1 - exp(-sigma dt)``.

    Reference: Mildenhall et al., "NeRF", ECCV 2020, eq. 3.
    """
    # 1 - exp(-x) loses all digits near 0; expm1 keeps them.
    return -torch.expm1(-densities * (t_ends - t_starts))


def expected_distance(
    weights: Float[Tensor, "*rays samples"],
    t_starts: Float[Tensor, "*rays samples"],
    t_ends: Float[Tensor, "*rays samples"],
) -> Float[Tensor, "*rays"]:
    """Return the expected distance along a ray, in scene units.

    ``sum_i w_i t_i / sum_i w_i`` with the mid-points t; the divisor is floored at 1e-3, so the
    distance is 0 where nothing is hit.
    """
    middle = 0.5 * (t_starts + t_ends)
    return (weights * middle).sum(-1) / weights.sum(-1).clamp_min(SMALLEST_OPACITY)


def median_distance(
    weights: Float[Tensor, "*rays samples"],
    t_starts: Float[Tensor, "*rays samples"],
    t_ends: Float[Tensor, "*rays samples"],
) -> Float[Tensor, "*rays"]:
    """Return the distance at which half of the light is absorbed, in scene units.

    The weights are spread evenly over their intervals; 0 where less than half is absorbed in all.
    Unlike the expected distance it lies on one of two surfaces, not between them.
    """
    absorbed = weights.cumsum(-1)
    reached = absorbed >= 0.5
    index = reached.to(torch.uint8).argmax(-1, keepdim=True)
    weight, after, start, end = (
        value.gather(-1, index)[..., 0] for value in (weights, absorbed, t_starts, t_ends)
    )
    # The interval that reaches one half has a weight; the floor keeps the others finite.
    share = (0.5 - (after - weight)) / weight.clamp_min(1e-12)
    return torch.where(reached[..., -1], start + share * (end - start), 0.0)
