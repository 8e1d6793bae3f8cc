"""Structural similarity (SSIM) of images, in Gaussian windows and over several scales.

Letters: m is the mean in a window, v the variance, c the covariance of both images there. C1 and
C2 stabilise the quotients where images are dark or flat; they are for colours in [0, 1].
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d

C1 = 0.01**2
C2 = 0.03**2
# Weights of five scales, from the finest, fitted to the judgements of observers (Wang et al. 2003).
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
# Below this mean similarity, a power between 0 and 1 is replaced by a straight line to 0, because
# the slope of the power is infinite at 0.
LINEAR_BELOW = 1e-4


def gaussian_window(size: int, sigma: float, like: Tensor) -> Float[Tensor, "size"]:
    """Return the weights of a Gaussian, normalised to sum 1, in the dtype and device of ``like``.

    The peak is at index ``size // 2``, so that an even window is off-centre, as is usual for SSIM.
    """
    offsets = torch.arange(size, dtype=like.dtype, device=like.device) - size // 2
    weights = (-offsets.square() / (2 * sigma**2)).exp()
    return weights / weights.sum()


def smallest_side(window: int, scales: int = 1) -> int:
    """Return the pixels per side of the smallest image in which a window fits at every scale."""
    return (window - 1) * 2 ** (scales - 1) + 1


def ssim_map(
    a: Float[Tensor, "images height width channels"],
    b: Float[Tensor, "images height width channels"],
    window: Float[Tensor, "size"],
    stride: int = 1,
) -> Float[Tensor, "images rows columns channels"]:
    """Return SSIM at every position where the window fits entirely; 1 where the images are equal.

    ``(2 m_a m_b + C1)(2 c + C2) / ((m_a^2 + m_b^2 + C1)(v_a + v_b + C2))``, in [-1, 1].

    Reference: Wang et al., "Image Quality Assessment: From Error Visibility to Structural
    Similarity", TIP 2004, equation 13.
    """
    luminance, structure = _factors(a, b, window, stride)
    return luminance * structure


def multiscale_ssim(
    a: Float[Tensor, "images height width channels"],
    b: Float[Tensor, "images height width channels"],
    window: Float[Tensor, "size"],
    scale_weights: Sequence[float],
) -> Float[Tensor, "images channels"]:
    """Return MS-SSIM: the product over scales of mean similarities to the power of their weights.

    Contrast and structure count at every scale, luminance at the coarsest; each scale halves the
    resolution. An odd side is padded by one row or column of zeros before it is halved, as
    pytorch-msssim does. The product is 0 where contrast and structure are not positive on average
    at some scale; a mean similarity below 1e-4 counts less than its power, so that the slope is
    finite.

    Reference: Wang et al., "Multi-Scale Structural Similarity for Image Quality Assessment",
    Asilomar 2003, equation 7.
    """
    similarity = a.new_ones(a.shape[0], a.shape[-1])
    for scale, weight in enumerate(scale_weights):
        if scale > 0:
            a, b = _halved(a), _halved(b)
        luminance, structure = _factors(a, b, window)
        coarsest = scale == len(scale_weights) - 1
        factor = luminance * structure if coarsest else structure
        similarity = similarity * _power(factor.mean((1, 2)), weight)
    return similarity


def _factors(
    a: Float[Tensor, "images height width channels"],
    b: Float[Tensor, "images height width channels"],
    window: Float[Tensor, "size"],
    stride: int = 1,
) -> tuple[Float[Tensor, "images rows columns channels"], ...]:
    """Return the similarity of luminance, and that of contrast and structure."""
    mean_a, mean_b = (x.detach().mean((1, 2), keepdim=True) for x in (a, b))
    # E[x^2] - E[x]^2 cancels on flat images far from 0; about their mean it keeps its digits.
    x, y = a - mean_a, b - mean_b
    moments = _blurred(torch.cat([x, y, x * x, y * y, x * y], -1), window, stride)
    m_x, m_y, xx, yy, xy = moments.chunk(5, -1)
    # Rounding may leave a variance just below 0.
    v = (xx - m_x.square()).clamp_min(0) + (yy - m_y.square()).clamp_min(0)
    c = xy - m_x * m_y
    m_a, m_b = m_x + mean_a, m_y + mean_b
    luminance = (2 * m_a * m_b + C1) / (m_a.square() + m_b.square() + C1)
    return luminance, (2 * c + C2) / (v + C2)


def _power(mean: Float[Tensor, "images channels"], weight: float) -> Tensor:
    near_zero = LINEAR_BELOW ** (weight - 1) * mean.clamp_min(0)
    return torch.where(mean > LINEAR_BELOW, mean.clamp_min(LINEAR_BELOW) ** weight, near_zero)


def _blurred(images: Tensor, window: Tensor, stride: int) -> Tensor:
    """Return windowed means by two passes: a Gaussian is separable into rows and columns."""
    stacked = images.movedim(-1, 1)
    flat = stacked.reshape(-1, 1, *stacked.shape[2:])
    down = conv2d(flat, window.reshape(1, 1, -1, 1), stride=(stride, 1))
    both = conv2d(down, window.reshape(1, 1, 1, -1), stride=(1, stride))
    return both.reshape(*stacked.shape[:2], *both.shape[2:]).movedim(1, -1)


def _halved(images: Tensor) -> Tensor:
    odd = [side % 2 for side in images.shape[1:3]]
    return avg_pool2d(images.movedim(-1, 1), 2, padding=odd).movedim(1, -1)
