"""Smaller gradients near the cameras, which have many more samples there than elsewhere."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nerfloss.geometry import Samples
from nerfloss.renderers.packed import Packed


def scaled_near_camera(packed: Packed, samples: Samples, full_from: float) -> Packed:
    """Return the values, with gradients multiplied by ``min(1, (distance / full_from)^2)``.

    The distance is that of the middle of a sample's interval along its ray, and ``full_from`` where
    gradients are whole, in scene units. The density of rays falls with the squared distance.

    Reference: Philip and Deschaintre, "Floaters No More: Radiance Field Gradient Scaling for
    Improved Near-Camera Training", EGSR 2023.
    """
    if packed.index is None:
        return packed
    distance = 0.5 * (samples.t_starts + samples.t_ends).reshape(-1)[packed.index]
    factor = (distance / full_from).square().clamp_max(1)
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
