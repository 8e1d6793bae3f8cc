"""Gradient scaling near the cameras, against floaters."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nerfloss.geometry import Samples
from nerfloss.renderers.packed import Packed


def scale_gradients(packed: Packed, samples: Samples, radius: float) -> Packed:
    """Return the same values, with gradients multiplied by ``min(1, (t / radius)^2)``.

    ``t`` is the distance of a sample along its ray, at the middle of its interval; ``radius`` has
    the same unit, that of the scene. Rays are denser near a camera by the inverse of this factor.
    The gradients of all losses are scaled, also those of regularizers.

    Reference: Philip and Deschaintre, "Floaters No More: Radiance Field Gradient Scaling for
    Improved Near-Camera Training", EGSR 2023.
    """
    if packed.index is None:
        return packed
    t = 0.5 * (samples.t_starts + samples.t_ends).reshape(-1)[packed.index]
    factor = (t / radius).square().clamp_max(1)
    scaled = {name: _Scaled.apply(value, factor) for name, value in packed.values.items()}
    return replace(packed, values=scaled)


class _Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, factor: Tensor) -> Tensor:
        ctx.save_for_backward(factor)
        return value.view_as(value)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (factor,) = ctx.saved_tensors
        return grad * factor.view(-1, *[1] * (grad.dim() - 1)), None
