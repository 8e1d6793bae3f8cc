"""Mask terms: a ray is stopped where the object is seen, and nowhere else."""

from jaxtyping import Float
from torch import Tensor


def mask_bce(
    opacity: Float[Tensor, "*shape"], target_mask: Float[Tensor, "*shape"], *, eps: float = 1e-3
) -> Float[Tensor, "*shape"]:
    """Binary cross entropy, ``-m log o - (1 - m) log(1 - o)``; masks may be soft.

    The opacity is clamped to ``[eps, 1 - eps]``; outside, the gradient is 0, so a ray that no
    sample stops at all is not pulled back by this term.

    Reference: Wang et al., "NeuS: Learning Neural Implicit Surfaces by Volume Rendering for
    Multi-view Reconstruction", NeurIPS 2021, section 3.3.
    """
    clamped = opacity.clamp(eps, 1 - eps)
    return -(target_mask * clamped.log() + (1 - target_mask) * (1 - clamped).log())
