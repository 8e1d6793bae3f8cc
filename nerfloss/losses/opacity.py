"""Opacity terms: a ray meets something or nothing, rarely half of something."""

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.losses.requirements import requires
from nerfloss.losses.settings_checks import clamp_margin, positive


@requires(clamp_margin("eps"))
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


@requires(positive("threshold"))
def ray_entropy(
    weights: Float[Tensor, "rays samples"],
    opacity: Float[Tensor, "rays"],
    *,
    threshold: float = 0.1,
) -> Float[Tensor, "rays"]:
    """Entropy of where along a ray light is stopped: pulls a ray's weight into few samples.

    ``-sum_i p_i log p_i`` with ``p_i = w_i / o``, in nats, at most the logarithm of the number of
    samples. 0 for rays of which no more than ``threshold`` is stopped: they may be empty, and a
    share of next to nothing means nothing. Shares are floored at 1e-10 in the logarithm.

    Reference: Kim et al., "InfoNeRF: Ray Entropy Minimization for Few-Shot Neural Volume
    Rendering", CVPR 2022; it normalises opacities of samples where we take compositing weights,
    which leave out what is hidden.
    """
    shares = weights / opacity.clamp_min(threshold)[:, None]
    entropy = -(shares * shares.clamp_min(1e-10).log()).sum(-1)
    return torch.where(opacity > threshold, entropy, 0.0)
