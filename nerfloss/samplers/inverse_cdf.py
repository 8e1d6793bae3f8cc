"""Inverse-CDF sampling of a histogram along each ray."""

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.maths.per_ray_random import per_ray


def invert_cdf(
    edges: Float[Tensor, "rays edges"],
    mass: Float[Tensor, "rays edges-1"],
    samples: int,
    generator: torch.Generator | None,
) -> Float[Tensor, "rays samples"]:
    """Return distances at evenly spaced quantiles of a piecewise constant density along each ray.

    With a generator all quantiles of a ray are shifted by one random fraction of their spacing,
    without one by half of it. A ray without mass is sampled uniformly.

    Reference: Barron et al., "Mip-NeRF 360", CVPR 2022, appendix.
    """
    mass = mass + 1e-6 * (edges[:, 1:] - edges[:, :-1])
    cdf = torch.cumsum(mass, -1)
    cdf = torch.cat([torch.zeros_like(cdf[:, :1]), cdf / cdf[:, -1:].clamp_min(1e-12)], -1)
    shift = (
        torch.full_like(edges[:, :1], 0.5)
        if generator is None
        else per_ray((len(edges), 1), generator, edges.device)
    )
    quantiles = (torch.arange(samples, device=edges.device) + shift) / samples
    above = torch.searchsorted(cdf, quantiles.contiguous(), right=True).clamp(1, mass.shape[-1])
    low, high = cdf.gather(-1, above - 1), cdf.gather(-1, above)
    share = ((quantiles - low) / (high - low).clamp_min(1e-12)).clamp(0, 1)
    begin, end = edges.gather(-1, above - 1), edges.gather(-1, above)
    return begin + share * (end - begin)
