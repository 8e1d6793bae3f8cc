"""Normalisation of network inputs, and distances between features."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

# ImageNet's mean and deviation, as LPIPS's published code writes them for colours in [-1, 1].
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)


def network_input(
    images: Float[Tensor, "images height width 3"],
) -> Float[Tensor, "images 3 height width"]:
    """Return colours in [0, 1] normalised by ImageNet's mean and deviation, channels first."""
    shift, scale = images.new_tensor(SHIFT), images.new_tensor(SCALE)
    return ((2 * images - 1 - shift) / scale).permute(0, 3, 1, 2)


def weighted_distance(
    ours: Sequence[Tensor], theirs: Sequence[Tensor], weights: Sequence[Float[Tensor, "_"]]
) -> Float[Tensor, "images"]:
    """Return the LPIPS distance of features: ``sum_l <sum_c w_c (x_c - y_c)^2>`` over pixels.

    Features are scaled to unit length over the channels; 1e-10 is added to the length, as in the
    published code, so a pixel without activation stays 0.

    Reference: Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual
    Metric", CVPR 2018, equation 1.
    """
    total = ours[0].new_zeros(len(ours[0]))
    for x, y, weight in zip(ours, theirs, weights, strict=True):
        x = x / (x.norm(dim=1, keepdim=True) + 1e-10)
        y = y / (y.norm(dim=1, keepdim=True) + 1e-10)
        total = total + torch.einsum("nchw,c->nhw", (x - y).square(), weight).mean((1, 2))
    return total


def gram_matrix(
    features: Float[Tensor, "images channels height width"],
) -> Float[Tensor, "images channels channels"]:
    """Return the Gram matrix of the channels: ``F F^T / (C H W)``.

    Reference: Johnson, Alahi and Fei-Fei, "Perceptual Losses for Real-Time Style Transfer and
    Super-Resolution", ECCV 2016, equation 3.
    """
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / (flat.shape[1] * flat.shape[2])
