"""Opacity and compositing weights: compiled on the CPU, and the plain formulas elsewhere."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from nerfloss.maths import compositing, sdf_opacity


def neus_alphas(
    sdf: Float[Tensor, "rays samples"],
    gradients: Float[Tensor, "rays samples 3"],
    directions: Float[Tensor, "rays 3"],
    t_starts: Float[Tensor, "rays samples"],
    t_ends: Float[Tensor, "rays samples"],
    sharpness: Float[Tensor, ""],
    progress: float,
    *,
    anneal_end: float = 0.0,
) -> Float[Tensor, "rays samples"]:
    """NeuS's opacity, as `nerfloss.maths.sdf_opacity.neus_alphas` defines it."""
    moving = directions.requires_grad or t_starts.requires_grad or t_ends.requires_grad
    if moving or not _compiled(sdf):
        return sdf_opacity.neus_alphas(
            sdf, gradients, directions, t_starts, t_ends, sharpness, progress, anneal_end=anneal_end
        )
    late = min(1.0, progress / anneal_end) if anneal_end > 0 else 1.0
    # Component by component, as a field's gradients lie in memory: no copy.
    cosine = sum(gradients[..., axis] * directions[:, axis, None] for axis in range(3))
    return _NeusAlphas.apply(sdf, cosine, t_ends - t_starts, sharpness, late)


def compositing_weights(
    alphas: Float[Tensor, "rays samples"],
) -> Float[Tensor, "rays samples"]:
    """Share of light that each sample stops: `nerfloss.maths.compositing.compositing_weights`."""
    if not _compiled(alphas):
        return compositing.compositing_weights(alphas)
    return _Weights.apply(alphas)


class _NeusAlphas(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, sdf: Tensor, cosine: Tensor, length: Tensor, sharpness: Tensor, late: float
    ) -> Tensor:
        from nerfloss.kernels import cpu_rays

        given = tuple(each.contiguous() for each in (sdf, cosine, length))
        ctx.save_for_backward(*given, sharpness)
        ctx.late = late
        out = torch.empty_like(given[0])
        cpu_rays.alphas(*_flat(given), *_scalars(sharpness, late), out.view(-1).numpy())
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_alphas: Tensor) -> tuple[Tensor | None, ...]:
        from nerfloss.kernels import cpu_rays

        *given, sharpness = ctx.saved_tensors
        found = [torch.empty_like(given[0]) for _ in range(3)]
        cpu_rays.alphas_backward(
            *_flat(given), *_scalars(sharpness, ctx.late), *_flat([to_alphas]), *_flat(found)
        )
        to_sdf, to_cosine, to_sharpness = found
        return to_sdf, to_cosine, None, to_sharpness.sum(), None


class _Weights(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, alphas: Tensor) -> Tensor:
        from nerfloss.kernels import cpu_rays

        alphas = alphas.contiguous()
        ctx.save_for_backward(alphas)
        out = torch.empty_like(alphas)
        cpu_rays.weights(alphas.detach().numpy(), out.numpy())
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_weights: Tensor) -> Tensor:
        from nerfloss.kernels import cpu_rays

        (alphas,) = ctx.saved_tensors
        out = torch.empty_like(alphas)
        cpu_rays.weights_backward(
            alphas.detach().numpy(), to_weights.contiguous().numpy(), out.numpy()
        )
        return out


def _compiled(tensor: Tensor) -> bool:
    return tensor.device.type == "cpu" and tensor.dtype == torch.float32


def _flat(tensors: Any) -> list[Any]:
    return [each.detach().numpy().reshape(-1) for each in tensors]


def _scalars(sharpness: Tensor, late: float) -> tuple[Any, Any]:
    return np.float32(sharpness.item()), np.float32(late)
