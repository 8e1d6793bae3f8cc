"""Bilinear interpolation of grey values from 8-bit images."""

import torch
from jaxtyping import Bool, Float, Int, Integer
from torch import Tensor

# Weights of red, green and blue in luma (Rec. 601).
LUMA = (0.299, 0.587, 0.114)


def grey_at(
    images: Integer[Tensor, "images height width 3"],
    image: Int[Tensor, "*points"],
    pixels: Float[Tensor, "*points 2"],
) -> Float[Tensor, "*points"]:
    """Return grey values in [0, 1], interpolated bilinearly between pixel centres (at .5).

    Outside, the value of the border is taken. ``image`` is the index of the image, ``pixels`` are
    column and row. Only the bytes that are needed are converted. Not differentiable.
    """
    return grey_and_slope_at(images, image, pixels)[0]


@torch.no_grad()
def grey_and_slope_at(
    images: Integer[Tensor, "images height width 3"],
    image: Int[Tensor, "*points"],
    pixels: Float[Tensor, "*points 2"],
) -> tuple[Float[Tensor, "*points"], Float[Tensor, "*points 2"]]:
    """Return the values of `grey_at` and their derivatives by column and row, per pixel."""
    height, width = images.shape[1:3]
    # Clamped, so that pixels far outside, or nowhere, have indices that exist.
    x = (pixels[..., 0] - 0.5).nan_to_num(0.0).clamp(0, width - 1)
    y = (pixels[..., 1] - 0.5).nan_to_num(0.0).clamp(0, height - 1)
    left = x.long().clamp_max(max(width - 2, 0))
    top = y.long().clamp_max(max(height - 2, 0))
    corner = (image * height + top) * width + left
    right, below = min(1, width - 1), min(1, height - 1) * width
    corners = torch.stack([corner, corner + right, corner + below, corner + below + right])
    weights = torch.tensor(LUMA).to(pixels) / 255
    colors = images.reshape(-1, 3).index_select(0, corners.view(-1)).to(pixels.dtype)
    a, b, c, d = (colors @ weights).view(corners.shape)
    along, down = x - left, y - top
    upper, lower = b - a, d - c
    by_column = upper + down * (lower - upper)
    first, second = a + along * upper, c + along * lower
    by_row = second - first
    return first + down * by_row, torch.stack([by_column, by_row], -1)


def inside(pixels: Float[Tensor, "*points 2"], height: int, width: int) -> Bool[Tensor, "*points"]:
    """Return True for pixels whose grey value is interpolated, not extrapolated from the border."""
    x, y = pixels.unbind(-1)
    return (x >= 0.5) & (x <= width - 0.5) & (y >= 0.5) & (y <= height - 0.5)
