"""How well rendered images and masks agree with the observed ones.

A metric is a function whose positional parameters are quantities, laid out as one image, and whose
keyword-only parameters are settings. Colours are in [0, 1].
"""

import torch
from jaxtyping import Bool, Float
from pytorch_msssim import ms_ssim as multiscale_ssim
from pytorch_msssim import ssim as gaussian_ssim
from torch import Tensor

from nerfloss.evaluation.errors import UndefinedMetric

SCALES = 5  # of MS-SSIM: the published weights are five


def psnr(
    rgb: Float[Tensor, "height width 3"], target_rgb: Float[Tensor, "height width 3"]
) -> Float[Tensor, ""]:
    """Peak signal-to-noise ratio over the whole image, ``-10 log10 MSE``, in dB.

    Infinite where the images are equal.
    """
    return -10 * (rgb - target_rgb).square().mean().log10()


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


def _batched(image: Float[Tensor, "height width 3"]) -> Float[Tensor, "1 3 height width"]:
    return image.permute(2, 0, 1)[None]


def _require(image: Tensor, smallest: int, what: str) -> None:
    height, width = image.shape[:2]
    if min(height, width) < smallest:
        raise UndefinedMetric(
            f"{what} needs images of at least {smallest} pixels a side, got {height} x {width}"
        )


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
    _require(rgb, window, "ssim")
    return gaussian_ssim(
        _batched(rgb), _batched(target_rgb), data_range=1.0, win_size=window, win_sigma=sigma
    )


def ms_ssim(
    rgb: Float[Tensor, "height width 3"],
    target_rgb: Float[Tensor, "height width 3"],
    *,
    window: int = 11,
    sigma: float = 1.5,
) -> Float[Tensor, ""]:
    """Multi-scale structural similarity over five scales, each half the one before.

    Raises UndefinedMetric where the window does not fit the coarsest scale (160 pixels for 11).

    Reference: Wang et al., "Multi-Scale Structural Similarity for Image Quality Assessment",
    Asilomar 2003.
    """
    _require(rgb, (window - 1) * 2 ** (SCALES - 1) + 1, "ms_ssim")
    return multiscale_ssim(
        _batched(rgb), _batched(target_rgb), data_range=1.0, win_size=window, win_sigma=sigma
    )


def _overlap(
    opacity: Tensor, target_mask: Tensor, threshold: float
) -> tuple[Bool[Tensor, "height width"], Bool[Tensor, "height width"]]:
    return opacity > threshold, target_mask > threshold


def _share(part: Tensor, whole: Tensor, reason: str) -> Float[Tensor, ""]:
    if not whole.any():
        raise UndefinedMetric(reason)
    return part.sum() / whole.sum()


def mask_iou(
    opacity: Float[Tensor, "height width"],
    target_mask: Float[Tensor, "height width"],
    *,
    threshold: float = 0.5,
) -> Float[Tensor, ""]:
    """Intersection over union of opacity and mask, thresholded; undefined where both are empty."""
    ours, theirs = _overlap(opacity, target_mask, threshold)
    return _share(
        ours & theirs, ours | theirs, "neither the rendering nor the mask shows an object"
    )


def mask_accuracy(
    opacity: Float[Tensor, "height width"],
    target_mask: Float[Tensor, "height width"],
    *,
    threshold: float = 0.5,
) -> Float[Tensor, ""]:
    """Share of pixels on which the thresholded opacity and mask agree."""
    ours, theirs = _overlap(opacity, target_mask, threshold)
    return (ours == theirs).float().mean()


def mask_precision(
    opacity: Float[Tensor, "height width"],
    target_mask: Float[Tensor, "height width"],
    *,
    threshold: float = 0.5,
) -> Float[Tensor, ""]:
    """Share of what was rendered that the mask has too; undefined where nothing was rendered."""
    ours, theirs = _overlap(opacity, target_mask, threshold)
    return _share(ours & theirs, ours, "the rendering shows no object")


def mask_recall(
    opacity: Float[Tensor, "height width"],
    target_mask: Float[Tensor, "height width"],
    *,
    threshold: float = 0.5,
) -> Float[Tensor, ""]:
    """Share of the mask that was rendered; undefined where the mask is empty."""
    ours, theirs = _overlap(opacity, target_mask, threshold)
    return _share(ours & theirs, theirs, "the mask of this view is empty")


def mask_fbeta(
    opacity: Float[Tensor, "height width"],
    target_mask: Float[Tensor, "height width"],
    *,
    beta: float = 1.0,
    threshold: float = 0.5,
) -> Float[Tensor, ""]:
    """F measure ``(b^2 + 1) p r / (b^2 p + r)`` ; 0 where nothing overlaps."""
    precision = mask_precision(opacity, target_mask, threshold=threshold)
    recall = mask_recall(opacity, target_mask, threshold=threshold)
    both = beta**2 * precision + recall
    # Without overlap both are 0 and so is the product: the floor only avoids 0 / 0.
    return (beta**2 + 1) * precision * recall / torch.clamp_min(both, 1e-12)
