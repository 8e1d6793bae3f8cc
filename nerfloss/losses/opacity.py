"""Opacity terms: a ray meets something or nothing, rarely half of something."""

from jaxtyping import Float
from torch import Tensor


def opacity_entropy(
    opacity: Float[Tensor, "*shape"], *, eps: float = 1e-3
) -> Float[Tensor, "*shape"]:
    """Entropy of a ray being stopped, ``-o log o - (1 - o) log(1 - o)``: pulls to 0 or to 1.

    In nats, at most log 2. The opacity is clamped to ``[eps, 1 - eps]``, where it may rest.

    Reference: Lombardi et al., "Neural Volumes: Learning Dynamic Renderable Volumes from Images",
    SIGGRAPH 2019, which uses a beta prior to the same end.
    """
    clamped = opacity.clamp(eps, 1 - eps)
    return -(clamped * clamped.log() + (1 - clamped) * (1 - clamped).log())
