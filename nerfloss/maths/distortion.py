"""Spread of a ray's weights along it, in time linear in the number of samples."""

import torch
from jaxtyping import Float
from torch import Tensor


def pairwise_spread(
    weights: Float[Tensor, "*rays samples"], positions: Float[Tensor, "*rays samples"]
) -> Float[Tensor, "*rays"]:
    """Return the weighted sum of all distances, ``sum_ij w_i w_j |x_i - x_j|``.

    Positions must increase, except behind the last sample of positive weight.
    """
    # Every pair on either side of a gap crosses it, so the double sum is twice the sum over gaps
    # of (gap) x (weight before) x (weight after). No difference of large numbers, unlike the
    # usual form with cumulative first moments.
    before = weights.cumsum(-1)
    after = before[..., -1:] - before
    gaps = positions.diff(dim=-1)
    return 2 * (gaps * before[..., :-1] * after[..., :-1]).sum(-1)


def mass_of_overlaps(
    begins: Float[Tensor, "rays samples"],
    ends: Float[Tensor, "rays samples"],
    weights: Float[Tensor, "rays others"],
    other_begins: Float[Tensor, "rays others"],
    other_ends: Float[Tensor, "rays others"],
) -> Float[Tensor, "rays samples"]:
    """Return the sum of the weights of all other intervals that overlap an interval.

    Intervals that only touch do not overlap. The other intervals are ordered along the ray; gaps
    between them and padding are allowed.

    Reference: Barron et al., "Mip-NeRF 360", CVPR 2022, equation 12.
    """
    before = torch.nn.functional.pad(weights.cumsum(-1), (1, 0))
    # Edges are only compared, which has no gradient.
    begins, ends, other_begins, other_ends = (
        each.detach().contiguous() for each in (begins, ends, other_begins, other_ends)
    )
    first = torch.searchsorted(other_ends, begins, right=True)
    last = torch.searchsorted(other_begins, ends)
    return before.gather(-1, torch.maximum(first, last)) - before.gather(-1, first)
