"""Opacity and compositing weights: compiled on the CPU, and the plain formulas elsewhere."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from nerfloss.kernels.cpu_tensors import as_arrays, on_cpu
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
    if moving or not on_cpu(sdf):
        return sdf_opacity.neus_alphas(
            sdf, gradients, directions, t_starts, t_ends, sharpness, progress, anneal_end=anneal_end
        )
    late = min(1.0, progress / anneal_end) if anneal_end > 0 else 1.0
    return _NeusAlphas.apply(sdf, gradients, directions, t_starts, t_ends, sharpness, late)


def compositing_weights(
    alphas: Float[Tensor, "rays samples"],
) -> Float[Tensor, "rays samples"]:
    """Share of light that each sample stops: `nerfloss.maths.compositing.compositing_weights`."""
    if not on_cpu(alphas):
        return compositing.compositing_weights(alphas)
    return _Weights.apply(alphas)


def composited(
    weights: Float[Tensor, "rays samples"], values: Float[Tensor, "rays samples channels"]
) -> Float[Tensor, "rays channels"]:
    """What a ray sees: `nerfloss.maths.compositing.composited`."""
    if not on_cpu(weights):
        return compositing.composited(weights, values)
    return _Composited.apply(weights, values)


class _NeusAlphas(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        sdf: Tensor,
        gradients: Tensor,
        directions: Tensor,
        t_starts: Tensor,
        t_ends: Tensor,
        sharpness: Tensor,
        late: float,
    ) -> Tensor:
        from nerfloss.kernels import cpu_rays

        given = [each.contiguous() for each in (sdf, gradients, directions, t_starts, t_ends)]
        ctx.save_for_backward(*given, sharpness)
        ctx.late = late
        out = torch.empty_like(given[0])
        cpu_rays.alphas(*as_arrays(*given), *_scalars(sharpness, late), out.numpy())
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_alphas: Tensor) -> tuple[Tensor | None, ...]:
        from nerfloss.kernels import cpu_rays

        *given, sharpness = ctx.saved_tensors
        to_sdf, to_gradients = torch.empty_like(given[0]), torch.empty_like(given[1])
        to_sharpness = cpu_rays.alphas_backward(
            *as_arrays(*given),
            *_scalars(sharpness, ctx.late),
            *as_arrays(to_alphas, to_sdf, to_gradients),
        )
        by_sharpness = sharpness.new_tensor(to_sharpness)
        return to_sdf, to_gradients, None, None, None, by_sharpness, None


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


class _Composited(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weights: Tensor, values: Tensor) -> Tensor:
        from nerfloss.kernels import cpu_rays

        weights, values = weights.contiguous(), values.contiguous()
        ctx.save_for_backward(weights, values)
        out = weights.new_empty(len(weights), values.shape[2])
        cpu_rays.sums(*as_arrays(weights, values, out))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_sums: Tensor) -> tuple[Tensor, Tensor]:
        from nerfloss.kernels import cpu_rays

        weights, values = ctx.saved_tensors
        to_weights, to_values = torch.empty_like(weights), torch.empty_like(values)
        cpu_rays.sums_backward(*as_arrays(weights, values, to_sums, to_weights, to_values))
        return to_weights, to_values


def _scalars(sharpness: Tensor, late: float) -> tuple[Any, Any]:
    return np.float32(sharpness.item()), np.float32(late)
