"""Mask terms: a ray is stopped where the object is seen, and nowhere else."""

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.losses.requirements import requires
from nerfloss.losses.semantic import binary_cross_entropy
from nerfloss.losses.settings_checks import clamp_margin, condition, not_negative
from nerfloss.losses.spatial_bce import spatial_bce as spatial_bce

# Where less than this of a ray is stopped or asked for, in sum, two masks are both empty.
EMPTY = 1e-6


@requires(clamp_margin("eps"))
def mask_bce(
    opacity: Float[Tensor, "*shape"], target_mask: Float[Tensor, "*shape"], *, eps: float = 1e-3
) -> Float[Tensor, "*shape"]:
    """Binary cross entropy, ``-m log o - (1 - m) log(1 - o)``; masks may be soft.

    The opacity is clamped to ``[eps, 1 - eps]``; outside, the gradient is 0, so a ray that no
    sample stops at all is not pulled back by this term.

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
    """Binary cross entropy that looks away from rays that are right already; masks may be soft.

    ``-alpha m (1 - o)^gamma log o - (1 - alpha)(1 - m) o^gamma log(1 - o)``: ``gamma`` sets how
    soon a ray counts as right, ``alpha`` the share of rays on the object. With ``gamma`` 0 and
    ``alpha`` 1/2 it is half of ``mask_bce``. The opacity is clamped to ``[eps, 1 - eps]``;
    outside, the gradient is 0.

    Reference: Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, equation 5.
    """
    o = opacity.clamp(eps, 1 - eps)
    on = alpha * target_mask * (1 - o) ** gamma * o.log()
    off = (1 - alpha) * (1 - target_mask) * o**gamma * (1 - o).log()
    return -(on + off)


def mask_hinge(
    opacity: Float[Tensor, "*shape"], target_mask: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """Hinge on opacity and mask, both taken to [-1, 1]: ``max(0, 1 - (2m - 1)(2o - 1))``.

    In [0, 2], falling along a straight line to 0 where a hard mask is met exactly: unlike a cross
    entropy it never pulls harder than 2. A mask of 1/2 asks for nothing.

    Reference: Cortes and Vapnik, "Support-Vector Networks", Machine Learning 20, 1995, whose slack
    it is.
    """
    return (1 - (2 * target_mask - 1) * (2 * opacity - 1)).clamp_min(0)


def mask_iou(
    opacity: Float[Tensor, "*shape"], target_mask: Float[Tensor, "*shape"]
) -> Float[Tensor, ""]:
    """One minus the soft intersection over union, over all rays together.

    ``1 - sum(o m) / sum(o + m - o m)``, in [0, 1]: a small object weighs as much as a large one.
    0, without a slope, where both are empty.

    Reference: Rahman and Wang, "Optimizing Intersection-Over-Union in Deep Neural Networks for
    Image Segmentation", ISVC 2016.
    """
    both = (opacity * target_mask).sum()
    return _one_minus_share(both, opacity.sum() + target_mask.sum() - both)


def mask_dice(
    opacity: Float[Tensor, "*shape"], target_mask: Float[Tensor, "*shape"]
) -> Float[Tensor, ""]:
    """One minus the soft Dice coefficient, over all rays together.

    ``1 - 2 sum(o m) / (sum o + sum m)``, in [0, 1]: what ``mask_iou`` says, milder where little
    overlaps. 0, without a slope, where both are empty.

    Reference: Milletari et al., "V-Net: Fully Convolutional Neural Networks for Volumetric Medical
    Image Segmentation", 3DV 2016, with sums instead of sums of squares below.
    """
    return _one_minus_share(2 * (opacity * target_mask).sum(), opacity.sum() + target_mask.sum())


def _one_minus_share(part: Float[Tensor, ""], whole: Float[Tensor, ""]) -> Float[Tensor, ""]:
    return torch.where(whole > EMPTY, 1 - part / whole.clamp_min(EMPTY), 0.0)
