"""Depth terms that look at where along a ray the light stops, not only at its mean."""

from jaxtyping import Float
from torch import Tensor


def depth_nll(
    weights: Float[Tensor, "rays samples"],
    t_starts: Float[Tensor, "rays samples"],
    t_ends: Float[Tensor, "rays samples"],
    target_depth: Float[Tensor, "rays"],
    *,
    sigma: float,
) -> Float[Tensor, "rays"]:
    """Ask for weight where a depth D was observed, blurred by its uncertainty ``sigma``.

    ``-sum_k log(w_k) exp(-(t_k - D)^2 / (2 sigma^2)) dt_k`` with mid-points t; D and ``sigma`` in
    scene units. 1e-5 is added to the weights: a floor that still pulls weight up from 0. Choose
    ``sigma`` no finer than the samples lie, or the term sees none of them.

    Reference: Deng et al., "Depth-supervised NeRF: Fewer Views and Faster Training for Free",
    CVPR 2022.
    """
    middles = 0.5 * (t_starts + t_ends)
    near = (-(middles - target_depth[..., None]).square() / (2 * sigma**2)).exp()
    return -((weights + 1e-5).log() * near * (t_ends - t_starts)).sum(-1)
