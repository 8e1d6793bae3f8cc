"""Opacity and compositing along rays: compiled kernels where one can run, the formulas elsewhere.

`nerfloss.maths` defines what is computed. ``backend`` is a name in
`nerfloss.kernels.backend_selection.BACKENDS`. The kernels differentiate once, and not with respect
to positions along the ray: where those require gradients the formulas are used.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from nerfloss.kernels.backend_selection import implementation, select_float32_backend
from nerfloss.kernels.compositing_kernel import CompositingKernel, DensityAlphaKernel
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
    backend: str = "auto",
) -> Float[Tensor, "rays samples"]:
    """Return NeuS's opacity: `nerfloss.maths.sdf_opacity.neus_alphas`."""
    kernel = _kernel("compositing", backend, sdf, gradients, fixed=(directions, t_starts, t_ends))
    if kernel is None:
        return sdf_opacity.neus_alphas(
            sdf, gradients, directions, t_starts, t_ends, sharpness, progress, anneal_end=anneal_end
        )
    ratio = min(1.0, progress / anneal_end) if anneal_end > 0 else 1.0
    return _NeusAlphas.apply(sdf, gradients, directions, t_starts, t_ends, sharpness, ratio, kernel)


def density_alphas(
    densities: Float[Tensor, "rays samples"],
    t_starts: Float[Tensor, "rays samples"],
    t_ends: Float[Tensor, "rays samples"],
    *,
    backend: str = "auto",
) -> Float[Tensor, "rays samples"]:
    """Return the opacity of a density: `nerfloss.maths.compositing.density_alphas`."""
    kernel = _kernel("density_alpha", backend, densities, fixed=(t_starts, t_ends))
    if kernel is None:
        return compositing.density_alphas(densities, t_starts, t_ends)
    return _DensityAlphas.apply(densities, t_starts, t_ends, None, kernel)


def volsdf_alphas(
    sdf: Float[Tensor, "rays samples"],
    t_starts: Float[Tensor, "rays samples"],
    t_ends: Float[Tensor, "rays samples"],
    sharpness: Float[Tensor, ""],
    *,
    backend: str = "auto",
) -> Float[Tensor, "rays samples"]:
    """Return VolSDF's opacity: that of `nerfloss.maths.sdf_opacity.volsdf_densities`."""
    kernel = _kernel("density_alpha", backend, sdf, fixed=(t_starts, t_ends))
    if kernel is None:
        densities = sdf_opacity.volsdf_densities(sdf, sharpness)
        return compositing.density_alphas(densities, t_starts, t_ends)
    return _DensityAlphas.apply(sdf, t_starts, t_ends, sharpness, kernel)


def compositing_weights(
    alphas: Float[Tensor, "rays samples"], *, backend: str = "auto"
) -> Float[Tensor, "rays samples"]:
    """Return the weight of each sample: `nerfloss.maths.compositing.compositing_weights`."""
    kernel = _kernel("compositing", backend, alphas)
    if kernel is None:
        return compositing.compositing_weights(alphas)
    return _Weights.apply(alphas, kernel)


def composited(
    weights: Float[Tensor, "rays samples"],
    values: Float[Tensor, "rays samples channels"],
    *,
    backend: str = "auto",
) -> Float[Tensor, "rays channels"]:
    """Return each ray's weighted sum of values: `nerfloss.maths.compositing.composited`."""
    kernel = _kernel("compositing", backend, weights, values)
    if kernel is None:
        return compositing.composited(weights, values)
    return _Composited.apply(weights, values, kernel)


def _kernel(operation: str, backend: str, *inputs: Tensor, fixed: tuple[Tensor, ...] = ()) -> Any:
    """Return the kernel; None for the formulas, also where one of ``fixed`` needs a gradient."""
    name = select_float32_backend(backend, *inputs, *fixed)
    if any(each.requires_grad for each in fixed):
        return None
    return implementation(operation, name)


class _NeusAlphas(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> Tensor:
        *inputs, sharpness, anneal_ratio, kernel = arguments
        inputs = kernel.saved_inputs(*inputs)
        ctx.save_for_backward(*inputs, sharpness)
        ctx.anneal_ratio, ctx.kernel = anneal_ratio, kernel
        return kernel.neus_alphas(inputs, sharpness, anneal_ratio)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_alphas: Tensor) -> tuple[Tensor | None, ...]:
        *inputs, sharpness = ctx.saved_tensors
        grad_sdf, grad_gradients, grad_sharpness = ctx.kernel.neus_alphas_backward(
            inputs, sharpness, ctx.anneal_ratio, grad_alphas
        )
        return grad_sdf, grad_gradients, None, None, None, grad_sharpness, None, None


class _DensityAlphas(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        values: Tensor,
        t_starts: Tensor,
        t_ends: Tensor,
        sharpness: Tensor | None,
        kernel: DensityAlphaKernel,
    ) -> Tensor:
        ctx.save_for_backward(values, t_starts, t_ends, sharpness)
        ctx.kernel = kernel
        return kernel.density_alphas(values, t_starts, t_ends, sharpness)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_alphas: Tensor) -> tuple[Tensor | None, ...]:
        inputs = ctx.saved_tensors
        grad_values, grad_sharpness = ctx.kernel.density_alphas_backward(*inputs, grad_alphas)
        return grad_values, None, None, grad_sharpness, None


class _Weights(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, alphas: Tensor, kernel: CompositingKernel) -> Tensor:
        (alphas,) = kernel.saved_inputs(alphas)
        ctx.save_for_backward(alphas)
        ctx.kernel = kernel
        return kernel.weights(alphas)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_weights: Tensor) -> tuple[Tensor, None]:
        return ctx.kernel.weights_backward(*ctx.saved_tensors, grad_weights), None


class _Composited(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weights: Tensor, values: Tensor, kernel: CompositingKernel) -> Tensor:
        weights, values = kernel.saved_inputs(weights, values)
        ctx.save_for_backward(weights, values)
        ctx.kernel = kernel
        return kernel.composited(weights, values)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_sums: Tensor) -> tuple[Tensor, Tensor, None]:
        return *ctx.kernel.composited_backward(*ctx.saved_tensors, grad_sums), None
