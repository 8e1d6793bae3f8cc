"""Opacity and compositing on a GPU.

Implements `nerfloss.kernels.compositing_kernel.CompositingKernel`.
"""

from torch import Tensor

from nerfloss.kernels.triton.compositing_weights import weights, weights_backward
from nerfloss.kernels.triton.neus_alpha import neus_alphas, neus_alphas_backward
from nerfloss.kernels.triton.ray_sums import composited, composited_backward

__all__ = [
    "composited",
    "composited_backward",
    "neus_alphas",
    "neus_alphas_backward",
    "saved_inputs",
    "weights",
    "weights_backward",
]


def saved_inputs(*inputs: Tensor) -> list[Tensor]:
    # not made contiguous: a copy costs as much as a pass
    return list(inputs)
