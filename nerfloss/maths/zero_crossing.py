"""First intersection of a ray with a surface, from signed distances at points along it."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

# Floor of the decrease of the SDF at a crossing, which bounds the derivative.
SMALLEST_DECREASE = 1e-6


def first_crossing(
    sdf: Float[Tensor, "*rays samples"],
    t: Float[Tensor, "*rays samples"],
    known: Bool[Tensor, "*rays samples"],
) -> tuple[Float[Tensor, "*rays"], Bool[Tensor, "*rays"]]:
    """Return the distance to the first crossing into the object, and True where there is one.

    Between the first neighbours, both ``known``, with ``f_i > 0 >= f_i+1`` the SDF is interpolated
    linearly, ``t = t_i + (t_i+1 - t_i) f_i / (f_i - f_i+1)``; without such a pair the distance is
    0. It is differentiable with respect to both values of the pair.

    Reference: Fu et al., "Geo-Neus: Geometry-Consistent Neural Implicit Surfaces Learning for
    Multi-view Reconstruction", NeurIPS 2022, whose photometric term starts from this point.
    """
    crosses = (sdf[..., :-1] > 0) & (sdf[..., 1:] <= 0) & known[..., :-1] & known[..., 1:]
    hit = crosses.any(-1)
    if crosses.shape[-1] == 0:
        return torch.zeros_like(t[..., 0]), hit
    # argmax returns the first of equal values.
    first = crosses.to(torch.uint8).argmax(-1, keepdim=True)
    before, after = _pair(sdf, first)
    near, far = _pair(t, first)
    # Where nothing crosses the result is discarded, but must be finite for the gradient.
    before, after = torch.where(hit, before, 1.0), torch.where(hit, after, -1.0)
    share = before / (before - after).clamp_min(SMALLEST_DECREASE)
    return torch.where(hit, near + share * (far - near), 0.0), hit


def _pair(values: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
    """Return the values at an index along the last axis and at the next one."""
    return values.gather(-1, first).squeeze(-1), values.gather(-1, first + 1).squeeze(-1)
