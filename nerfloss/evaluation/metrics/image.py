"""Metrics of rendered images and masks against the observed ones.

The positional parameters of a metric are quantities, each laid out as one image, its keyword-only
parameters are settings. Colours are in [0, 1].
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nerfloss.evaluation.errors import UndefinedMetric
from nerfloss.evaluation.metrics.metadata import CORRELATION, FRACTION, RATIO, UNBOUNDED, metric
from nerfloss.maths.ssim import (
    SCALE_WEIGHTS,
    gaussian_window,
    multiscale_ssim,
    smallest_side,
    ssim_map,
)


@metric(unit="dB", better="higher", range=UNBOUNDED)
def psnr(
    rgb: Float[Tensor, "height width 3"], target_rgb: Float[Tensor, "height width 3"]
) -> Float[Tensor, ""]:
    """Peak signal-to-noise ratio over the whole image, ``-10 log10 MSE``, in dB.

    Infinite for equal images.
    """
    return -10 * (rgb - target_rgb).square().mean().log10()


@metric(unit="dB", better="higher", range=UNBOUNDED)
def psnr_masked(
    rgb: Float[Tensor, "height width 3"],
    target_rgb: Float[Tensor, "height width 3"],
    target_mask: Float[Tensor, "height width"],
) -> Float[Tensor, ""]:
    """PSNR over the pixels of the mask only, in dB.

    Raises UndefinedMetric where the mask is empty.

    Reference: Wang et al., "NeuS: Learning Neural Implicit Surfaces by Volume Rendering for
    Multi-view Reconstruction", NeurIPS 2021.
    """
    inside = target_mask > 0.5
    if not inside.any():
        raise UndefinedMetric("the mask of this view is empty")
    return -10 * (rgb[inside] - target_rgb[inside]).square().mean().log10()


def _require_size(image: Tensor, smallest: int, name: str) -> None:
    height, width = image.shape[:2]
    if min(height, width) < smallest:
        raise UndefinedMetric(
            f"{name} needs images of at least {smallest} pixels a side, got {height} x {width}"
        )


@metric(unit=RATIO, better="higher", range=CORRELATION)
def ssim(
    rgb: Float[Tensor, "height width 3"],
    target_rgb: Float[Tensor, "height width 3"],
    *,
    window: int = 11,
    sigma: float = 1.5,
) -> Float[Tensor, ""]:
    """Structural similarity with a Gaussian window, mean over channels and over valid positions.

    Raises UndefinedMetric where the image is smaller than the window.

    Reference: Wang et al., "Image Quality Assessment: From Error Visibility to Structural
    Similarity", TIP 2004.
    """
    _require_size(rgb, window, "ssim")
    return ssim_map(rgb[None], target_rgb[None], gaussian_window(window, sigma, rgb)).mean()


@metric(unit=RATIO, better="higher", range=CORRELATION)
def ms_ssim(
    rgb: Float[Tensor, "height width 3"],
    target_rgb: Float[Tensor, "height width 3"],
    *,
    window: int = 11,
    sigma: float = 1.5,
) -> Float[Tensor, ""]:
    """Multi-scale structural similarity over five scales, each half as large as the last.

    Raises UndefinedMetric where the window does not fit the coarsest scale (161 pixels for 11).

    Reference: Wang et al., "Multi-Scale Structural Similarity for Image Quality Assessment",
    Asilomar 2003.
    """
    _require_size(rgb, smallest_side(window, len(SCALE_WEIGHTS)), "ms_ssim")
    weights = gaussian_window(window, sigma, rgb)
    return multiscale_ssim(rgb[None], target_rgb[None], weights, SCALE_WEIGHTS).mean()


def _thresholded(
    opacity: Tensor, target_mask: Tensor, threshold: float
) -> tuple[Bool[Tensor, "height width"], Bool[Tensor, "height width"]]:
    return opacity > threshold, target_mask > threshold


def _fraction(part: Tensor, whole: Tensor, reason: str) -> Float[Tensor, ""]:
    if not whole.any():
        raise UndefinedMetric(reason)
    return part.sum() / whole.sum()


@metric(unit=RATIO, better="higher", range=FRACTION)
def mask_iou(
    opacity: Float[Tensor, "height width"],
    target_mask: Float[Tensor, "height width"],
    *,
    threshold: float = 0.5,
) -> Float[Tensor, ""]:
    """Intersection over union of opacity and mask, thresholded; undefined where both are empty."""
    rendered, observed = _thresholded(opacity, target_mask, threshold)
    reason = "neither the rendering nor the mask shows an object"
    return _fraction(rendered & observed, rendered | observed, reason)


@metric(unit=RATIO, better="higher", range=FRACTION)
def mask_accuracy(
    opacity: Float[Tensor, "height width"],
    target_mask: Float[Tensor, "height width"],
    *,
    threshold: float = 0.5,
) -> Float[Tensor, ""]:
    """Fraction of pixels on which the thresholded opacity and mask agree."""
    rendered, observed = _thresholded(opacity, target_mask, threshold)
    return (rendered == observed).float().mean()


@metric(unit=RATIO, better="higher", range=FRACTION)
def mask_precision(
    opacity: Float[Tensor, "height width"],
    target_mask: Float[Tensor, "height width"],
    *,
    threshold: float = 0.5,
) -> Float[Tensor, ""]:
    """Fraction of rendered pixels inside the mask; undefined where nothing is rendered."""
    rendered, observed = _thresholded(opacity, target_mask, threshold)
    return _fraction(rendered & observed, rendered, "the rendering shows no object")


@metric(unit=RATIO, better="higher", range=FRACTION)
def mask_recall(
    opacity: Float[Tensor, "height width"],
    target_mask: Float[Tensor, "height width"],
    *,
    threshold: float = 0.5,
) -> Float[Tensor, ""]:
    """Fraction of the mask that is rendered; undefined where the mask is empty."""
    rendered, observed = _thresholded(opacity, target_mask, threshold)
    return _fraction(rendered & observed, observed, "the mask of this view is empty")


@metric(unit=RATIO, better="higher", range=FRACTION)
def mask_fbeta(
    opacity: Float[Tensor, "height width"],
    target_mask: Float[Tensor, "height width"],
    *,
    beta: float = 1.0,
    threshold: float = 0.5,
) -> Float[Tensor, ""]:
    """F measure ``(b^2 + 1) p r / (b^2 p + r)``; 0 where nothing overlaps."""
    precision = mask_precision(opacity, target_mask, threshold=threshold)
    recall = mask_recall(opacity, target_mask, threshold=threshold)
    weighted = beta**2 * precision + recall
    # Without overlap the numerator is 0: the floor avoids 0 / 0.
    return (beta**2 + 1) * precision * recall / torch.clamp_min(weighted, 1e-12)
