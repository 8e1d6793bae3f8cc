"""Structural similarity: how alike two images are in brightness, contrast and pattern.

Letters: m is the mean in a window, v the variance, c the covariance of both images there. C1 and
C2 steady the quotients where images are dark or flat; they are for colours in [0, 1].
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d

C1 = 0.01**2
C2 = 0.03**2
# Under this similarity a power between 0 and 1 is replaced by a straight line to 0: its slope is
# infinite there.
FAINTEST = 1e-4


def gaussian_window(size: int, sigma: float, like: Tensor) -> Float[Tensor, "size"]:
    """Weights of a Gaussian that sum to 1, of the kind of ``like``.

    A window of even size has no middle; it peaks at the pixel behind, as is usual for SSIM.
    """
    offsets = torch.arange(size, dtype=like.dtype, device=like.device) - size // 2
    weights = (-offsets.square() / (2 * sigma**2)).exp()
    return weights / weights.sum()


def window_similarities(
    a: Float[Tensor, "images height width channels"],
    b: Float[Tensor, "images height width channels"],
    window: Float[Tensor, "size"],
    stride: int = 1,
) -> tuple[Float[Tensor, "images rows columns channels"], ...]:
    """Similarity of brightness, and of contrast and pattern, wherever the window fits whole.

    ``(2 m_a m_b + C1) / (m_a^2 + m_b^2 + C1)`` and ``(2 c + C2) / (v_a + v_b + C2)``: their product
    is SSIM. Equal images have 1 in both, exactly.

    Reference: Wang et al., "Image Quality Assessment: From Error Visibility to Structural
    Similarity", TIP 2004, equation 13.
    """
    middle_a, middle_b = (x.detach().mean((1, 2), keepdim=True) for x in (a, b))
    # E[x^2] - E[x]^2 loses its digits on flat images far from 0; about their mean it keeps them.
    x, y = a - middle_a, b - middle_b
    moments = _blurred(torch.cat([x, y, x * x, y * y, x * y], -1), window, stride)
    m_x, m_y, xx, yy, xy = moments.chunk(5, -1)
    # Rounding may leave a variance just below 0.
    v = (xx - m_x.square()).clamp_min(0) + (yy - m_y.square()).clamp_min(0)
    c = xy - m_x * m_y
    m_a, m_b = m_x + middle_a, m_y + middle_b
    brightness = (2 * m_a * m_b + C1) / (m_a.square() + m_b.square() + C1)
    return brightness, (2 * c + C2) / (v + C2)


def multiscale_similarity(
    a: Float[Tensor, "images height width channels"],
    b: Float[Tensor, "images height width channels"],
    window: Float[Tensor, "size"],
    scale_weights: Sequence[float],
) -> Float[Tensor, "images channels"]:
    """Product over scales, each half the one before, of mean similarities to the scale's weight.

    Contrast and pattern count at every scale, brightness at the last. An odd side is padded by one
    row or column of zeros before it is halved, as pytorch-msssim does. Where contrast and pattern
    are not positive at some scale the product is 0.

    Reference: Wang et al., "Multi-Scale Structural Similarity for Image Quality Assessment",
    Asilomar 2003, equation 7.
    """
    similarity = a.new_ones(a.shape[0], a.shape[-1])
    for scale, weight in enumerate(scale_weights):
        if scale > 0:
            a, b = _halved(a), _halved(b)
        brightness, pattern = window_similarities(a, b, window)
        last = scale == len(scale_weights) - 1
        similarity = similarity * _power((brightness * pattern if last else pattern), weight)
    return similarity


def _power(similarities: Tensor, weight: float) -> Float[Tensor, "images channels"]:
    mean = similarities.mean((1, 2))
    near_zero = FAINTEST ** (weight - 1) * mean.clamp_min(0)
    return torch.where(mean > FAINTEST, mean.clamp_min(FAINTEST) ** weight, near_zero)


def _blurred(images: Tensor, window: Tensor, stride: int) -> Tensor:
    """Windowed means, by two passes: a Gaussian is the product of its rows and columns."""
    stacked = images.movedim(-1, 1)
    flat = stacked.reshape(-1, 1, *stacked.shape[2:])
    down = conv2d(flat, window.reshape(1, 1, -1, 1), stride=(stride, 1))
    both = conv2d(down, window.reshape(1, 1, 1, -1), stride=(1, stride))
    return both.reshape(*stacked.shape[:2], *both.shape[2:]).movedim(1, -1)


def _halved(images: Tensor) -> Tensor:
    odd = [side % 2 for side in images.shape[1:3]]
    return avg_pool2d(images.movedim(-1, 1), 2, padding=odd).movedim(1, -1)
