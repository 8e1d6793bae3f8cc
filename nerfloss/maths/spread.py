"""How far a ray's weight is spread out: pairwise distances, in time linear in the samples."""

from jaxtyping import Float
from torch import Tensor


def pairwise_spread(
    weights: Float[Tensor, "*rays samples"], positions: Float[Tensor, "*rays samples"]
) -> Float[Tensor, "*rays"]:
    """Weighted sum of all distances, ``sum_ij w_i w_j |x_i - x_j|``, for rising positions.

    Samples of weight 0 after the last one that counts may lie anywhere.
    """
    # Every pair on either side of a gap crosses it, so the double sum is twice the sum over gaps
    # of (gap) x (weight before) x (weight after). No difference of large numbers, unlike the
    # usual form with cumulative first moments.
    before = weights.cumsum(-1)
    after = before[..., -1:] - before
    gaps = positions.diff(dim=-1)
    return 2 * (gaps * before[..., :-1] * after[..., :-1]).sum(-1)
