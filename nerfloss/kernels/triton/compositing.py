"""Opacity and compositing on a GPU, by Triton's kernels: what `cpu_compositing` is for the CPU."""

from torch import Tensor

from nerfloss.kernels.triton.compositing_weights import weights, weights_backward
from nerfloss.kernels.triton.density_alpha import slab_alphas, slab_alphas_backward
from nerfloss.kernels.triton.neus_alpha import neus_alphas, neus_alphas_backward
from nerfloss.kernels.triton.ray_sums import composited, composited_backward

__all__ = [
    "composited", "composited_backward", "held", "neus_alphas", "neus_alphas_backward",
    "slab_alphas", "slab_alphas_backward", "weights", "weights_backward",
]  # fmt: skip


def held(*given: Tensor) -> list[Tensor]:
    """What both passes are given: as it lies, for a copy costs as much as a pass."""
    return list(given)
