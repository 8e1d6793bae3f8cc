"""Structural terms: similarity of patches in pattern and edges instead of pixel by pixel."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from nerfloss.losses.requirements import requires
from nerfloss.losses.settings_checks import condition, count, odd, positive
from nerfloss.maths.finite_differences import forward_differences
from nerfloss.maths.ssim import (
    SCALE_WEIGHTS,
    gaussian_window,
    multiscale_ssim,
    smallest_side,
    ssim_map,
)


@requires(count("window"), odd("window"), positive("sigma"), smallest_patch=lambda window: window)
def dssim(
    patch_rgb: Float[Tensor, "patches height width 3"],
    patch_target_rgb: Float[Tensor, "patches height width 3"],
    *,
    window: int = 11,
    sigma: float = 1.5,
) -> Float[Tensor, "patches rows columns 3"]:
    """Return one minus the structural similarity, wherever the window fits entirely.

    ``1 - (2 m_a m_b + C1)(2 c + C2) / ((m_a^2 + m_b^2 + C1)(v_a + v_b + C2))`` with the means m,
    variances v and covariance c in a Gaussian window, in [0, 2]; 0 where both agree. For colours
    in [0, 1]; ``window`` and ``sigma`` in pixels. Its mean is one minus the metric ``ssim``.
    Raises ValueError where a patch is smaller than the window.

    Reference: Wang et al., "Image Quality Assessment: From Error Visibility to Structural
    Similarity", TIP 2004, equation 13; as a loss in Kerbl et al., "3D Gaussian Splatting for
    Real-Time Radiance Field Rendering", SIGGRAPH 2023, equation 7.
    """
    _check_size("dssim", patch_rgb, window, 1)
    return 1 - ssim_map(patch_rgb, patch_target_rgb, gaussian_window(window, sigma, patch_rgb))


@requires(
    count("window"),
    odd("window"),
    positive("sigma"),
    condition(
        "one weight >= 0 per scale for scale_weights",
        lambda scale_weights: bool(scale_weights) and all(weight >= 0 for weight in scale_weights),
    ),
    smallest_patch=lambda window, scale_weights: smallest_side(window, len(scale_weights)),
)
def ms_ssim(
    patch_rgb: Float[Tensor, "patches height width 3"],
    patch_target_rgb: Float[Tensor, "patches height width 3"],
    *,
    window: int = 11,
    sigma: float = 1.5,
    scale_weights: Sequence[float] = SCALE_WEIGHTS,
) -> Float[Tensor, "patches 3"]:
    """Return one minus the structural similarity over several scales, per patch and channel.

    ``1 - prod_j s_j^w_j``: s_j is the mean similarity of contrast and structure at a scale, times
    that of luminance at the coarsest; each scale halves the resolution. In [0, 1]. Where contrast
    and structure are not positive at some scale, the value is 1 and the gradient 0: combine it with
    a pointwise term. ``window`` is in pixels of each scale. The five published weights need patches
    of 161 pixels a side (``(window - 1) 2^(scales - 1) + 1``): give smaller patches fewer weights
    and a smaller window. Raises ValueError where a patch is smaller.

    Reference: Wang et al., "Multi-Scale Structural Similarity for Image Quality Assessment",
    Asilomar 2003, equation 7; as a loss in Zhao et al., "Loss Functions for Image Restoration with
    Neural Networks", TCI 2017.
    """
    _check_size("ms_ssim", patch_rgb, window, len(scale_weights))
    weights = gaussian_window(window, sigma, patch_rgb)
    return 1 - multiscale_ssim(patch_rgb, patch_target_rgb, weights, scale_weights)


@requires(smallest_patch=2)
def image_gradient(
    patch_rgb: Float[Tensor, "patches height width 3"],
    patch_target_rgb: Float[Tensor, "patches height width 3"],
) -> Float[Tensor, "patches rows columns 3"]:
    """Return the absolute difference of the image gradients of rendered and observed patches.

    ``|d_x a - d_x b| + |d_y a - d_y b|`` with forward differences, at every pixel that has a right
    and a lower neighbour; in colour per pixel. A constant colour offset costs nothing.

    Reference: Li and Snavely, "MegaDepth: Learning Single-View Depth Prediction from Internet
    Photos", CVPR 2018, the gradient matching term at one scale.
    """
    across, down = forward_differences(patch_rgb - patch_target_rgb)
    return across.abs() + down.abs()


def _check_size(term: str, patches: Tensor, window: int, scales: int) -> None:
    height, width = patches.shape[1:3]
    smallest = smallest_side(window, scales)
    if min(height, width) < smallest:
        raise ValueError(
            f"{term} with window={window} over {scales} scale(s) needs patches of at least "
            f"{smallest} pixels a side, got {height} x {width}: raise batch.height and "
            f"batch.width, or lower 'window'"
        )
