"""Opacity terms: entropies that make rays opaque or empty, and weights concentrated."""

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.losses.requirements import requires
from nerfloss.losses.settings_checks import clamp_margin, positive


@requires(clamp_margin("eps"))
def opacity_entropy(
    opacity: Float[Tensor, "*shape"], *, eps: float = 1e-3
) -> Float[Tensor, "*shape"]:
    """Return the entropy of the opacity, ``-o log o - (1 - o) log(1 - o)``: least at 0 and at 1.

    In nats, at most log 2. The opacity is clamped to ``[eps, 1 - eps]``; outside, the gradient is
    0.

    Reference: Lombardi et al., "Neural Volumes: Learning Dynamic Renderable Volumes from Images",
    SIGGRAPH 2019, which uses a beta prior to the same end.
    """
    clamped = opacity.clamp(eps, 1 - eps)
    return -(clamped * clamped.log() + (1 - clamped) * (1 - clamped).log())


@requires(positive("threshold"))
def ray_entropy(
    weights: Float[Tensor, "rays samples"],
    opacity: Float[Tensor, "rays"],
    *,
    threshold: float = 0.1,
) -> Float[Tensor, "rays"]:
    """Return the entropy of a ray's normalised weights, which concentrates them in few samples.

    ``-sum_i p_i log p_i`` with ``p_i = w_i / o``, in nats, at most the logarithm of the number of
    samples. 0 for rays with an opacity of at most ``threshold``, which may be empty. The normalised
    weights are floored at 1e-10 in the logarithm.

    Reference: Kim et al., "InfoNeRF: Ray Entropy Minimization for Few-Shot Neural Volume
    Rendering", CVPR 2022; it normalises opacities of samples where we take compositing weights,
    which leave out what is hidden.
    """
    shares = weights / opacity.clamp_min(threshold)[:, None]
    entropy = -(shares * shares.clamp_min(1e-10).log()).sum(-1)
    return torch.where(opacity > threshold, entropy, 0.0)
