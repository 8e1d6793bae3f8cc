"""Mask terms: opacity agrees with the object mask."""

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.losses.requirements import requires
from nerfloss.losses.semantic import binary_cross_entropy
from nerfloss.losses.settings_checks import clamp_margin, condition, not_negative
from nerfloss.losses.spatial_bce import spatial_bce as spatial_bce

# Two masks of a smaller sum than this, in rays, are both empty.
EMPTY = 1e-6


@requires(clamp_margin("eps"))
def mask_bce(
    opacity: Float[Tensor, "*shape"], target_mask: Float[Tensor, "*shape"], *, eps: float = 1e-3
) -> Float[Tensor, "*shape"]:
    """Return the binary cross entropy, ``-m log o - (1 - m) log(1 - o)``; masks may be soft.

    The opacity is clamped to ``[eps, 1 - eps]``; outside, the gradient is 0, so a ray of opacity 0
    gets no gradient from this term.

    Reference: Wang et al., "NeuS: Learning Neural Implicit Surfaces by Volume Rendering for
    Multi-view Reconstruction", NeurIPS 2021, section 3.3.
    """
    return binary_cross_entropy(opacity, target_mask, eps=eps)


@requires(
    not_negative("gamma"),
    condition("alpha in [0, 1]", lambda alpha: 0 <= alpha <= 1),
    clamp_margin("eps"),
)
def mask_focal(
    opacity: Float[Tensor, "*shape"],
    target_mask: Float[Tensor, "*shape"],
    *,
    gamma: float = 2.0,
    alpha: float = 0.25,
    eps: float = 1e-3,
) -> Float[Tensor, "*shape"]:
    """Return the focal loss: binary cross entropy with less weight on rays that are right.

    ``-alpha m (1 - o)^gamma log o - (1 - alpha)(1 - m) o^gamma log(1 - o)``: ``gamma`` sets how
    fast the weight falls, ``alpha`` the share of rays on the object; masks may be soft. With
    ``gamma`` 0 and ``alpha`` 1/2 it is half of ``mask_bce``. The opacity is clamped to
    ``[eps, 1 - eps]``; outside, the gradient is 0.

    Reference: Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, equation 5.
    """
    o = opacity.clamp(eps, 1 - eps)
    on = alpha * target_mask * (1 - o) ** gamma * o.log()
    off = (1 - alpha) * (1 - target_mask) * o**gamma * (1 - o).log()
    return -(on + off)


def mask_hinge(
    opacity: Float[Tensor, "*shape"], target_mask: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """Return the hinge loss of opacity and mask: ``max(0, 1 - (2m - 1)(2o - 1))``.

    In [0, 2] and linear in the opacity; 0 only where a hard mask is matched exactly. Unlike a cross
    entropy its gradient is bounded (by 2). A mask of 1/2 has no gradient.

    Reference: Cortes and Vapnik, "Support-Vector Networks", Machine Learning 20, 1995, whose slack
    it is.
    """
    return (1 - (2 * target_mask - 1) * (2 * opacity - 1)).clamp_min(0)


def mask_iou(
    opacity: Float[Tensor, "*shape"], target_mask: Float[Tensor, "*shape"]
) -> Float[Tensor, ""]:
    """Return one minus the soft intersection over union, over all rays together.

    ``1 - sum(o m) / sum(o + m - o m)``, in [0, 1]; independent of the size of the object. 0, with
    gradient 0, where both are empty.

    Reference: Rahman and Wang, "Optimizing Intersection-Over-Union in Deep Neural Networks for
    Image Segmentation", ISVC 2016.
    """
    intersection = (opacity * target_mask).sum()
    return _one_minus_ratio(intersection, opacity.sum() + target_mask.sum() - intersection)


def mask_dice(
    opacity: Float[Tensor, "*shape"], target_mask: Float[Tensor, "*shape"]
) -> Float[Tensor, ""]:
    """Return one minus the soft Dice coefficient, over all rays together.

    ``1 - 2 sum(o m) / (sum o + sum m)``, in [0, 1]; compared with ``mask_iou`` it penalises small
    overlaps less. 0, with gradient 0, where both are empty.

    Reference: Milletari et al., "V-Net: Fully Convolutional Neural Networks for Volumetric Medical
    Image Segmentation", 3DV 2016, with sums instead of sums of squares below.
    """
    return _one_minus_ratio(2 * (opacity * target_mask).sum(), opacity.sum() + target_mask.sum())


def _one_minus_ratio(part: Float[Tensor, ""], whole: Float[Tensor, ""]) -> Float[Tensor, ""]:
    return torch.where(whole > EMPTY, 1 - part / whole.clamp_min(EMPTY), 0.0)
