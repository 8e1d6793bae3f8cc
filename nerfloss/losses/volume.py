"""Terms on how a ray's weight is distributed, for any field."""

from jaxtyping import Float
from torch import Tensor

from nerfloss.maths.spread import pairwise_spread


def distortion(
    weights: Float[Tensor, "rays samples"],
    t_starts: Float[Tensor, "rays samples"],
    t_ends: Float[Tensor, "rays samples"],
) -> Float[Tensor, "rays"]:
    """Pull a ray's weight into one short interval; per ray, in scene units.

    ``sum_ij w_i w_j |m_i - m_j| + 1/3 sum_i w_i^2 (t_i+1 - t_i)`` with mid-points m, in time
    linear in the samples. Samples are ordered along the ray; padding at its end adds nothing.

    Reference: Barron et al., "Mip-NeRF 360: Unbounded Anti-Aliased Neural Radiance Fields", CVPR
    2022, equation 15.
    """
    between = pairwise_spread(weights, 0.5 * (t_starts + t_ends))
    within = (weights.square() * (t_ends - t_starts)).sum(-1) / 3
    return between + within
