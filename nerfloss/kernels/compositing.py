"""Opacity and compositing weights: compiled passes where these can run, the formulas elsewhere.

`nerfloss.maths` defines all of them. ``backend`` is what `nerfloss.kernels.backend_selection` calls one: by
default the fastest that can run where the tensors lie.
"""

from importlib import import_module
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from nerfloss.kernels.backend_selection import select_float32_backend
from nerfloss.maths import compositing, sdf_opacity

# Passes along rays, tensors in and out; the formulas have none. Slabs have them in Triton alone.
FILES = {"cpu": "numba.compositing", "triton": "triton.compositing"}


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
    """NeuS's opacity, as `nerfloss.maths.sdf_opacity.neus_alphas` defines it."""
    passes = _passes(backend, sdf, gradients, fixed=(directions, t_starts, t_ends))
    if passes is None:
        return sdf_opacity.neus_alphas(
            sdf, gradients, directions, t_starts, t_ends, sharpness, progress, anneal_end=anneal_end
        )
    late = min(1.0, progress / anneal_end) if anneal_end > 0 else 1.0
    return _NeusAlphas.apply(sdf, gradients, directions, t_starts, t_ends, sharpness, late, passes)


def density_alphas(
    densities: Float[Tensor, "rays samples"],
    t_starts: Float[Tensor, "rays samples"],
    t_ends: Float[Tensor, "rays samples"],
    *,
    backend: str = "auto",
) -> Float[Tensor, "rays samples"]:
    """Opacity of slabs of constant density: `nerfloss.maths.compositing.density_alphas`."""
    passes = _passes(backend, densities, fixed=(t_starts, t_ends))
    if not hasattr(passes, "slab_alphas"):
        return compositing.density_alphas(densities, t_starts, t_ends)
    return _SlabAlphas.apply(densities, t_starts, t_ends, None, passes)


def volsdf_alphas(
    sdf: Float[Tensor, "rays samples"],
    t_starts: Float[Tensor, "rays samples"],
    t_ends: Float[Tensor, "rays samples"],
    sharpness: Float[Tensor, ""],
    *,
    backend: str = "auto",
) -> Float[Tensor, "rays samples"]:
    """VolSDF's opacity: of slabs of `nerfloss.maths.sdf_opacity.volsdf_densities`."""
    passes = _passes(backend, sdf, fixed=(t_starts, t_ends))
    if not hasattr(passes, "slab_alphas"):
        densities = sdf_opacity.volsdf_densities(sdf, sharpness)
        return compositing.density_alphas(densities, t_starts, t_ends)
    return _SlabAlphas.apply(sdf, t_starts, t_ends, sharpness, passes)


def compositing_weights(
    alphas: Float[Tensor, "rays samples"], *, backend: str = "auto"
) -> Float[Tensor, "rays samples"]:
    """Share of light that each sample stops: `nerfloss.maths.compositing.compositing_weights`."""
    passes = _passes(backend, alphas)
    if passes is None:
        return compositing.compositing_weights(alphas)
    return _Weights.apply(alphas, passes)


def composited(
    weights: Float[Tensor, "rays samples"],
    values: Float[Tensor, "rays samples channels"],
    *,
    backend: str = "auto",
) -> Float[Tensor, "rays channels"]:
    """What a ray sees: `nerfloss.maths.compositing.composited`."""
    passes = _passes(backend, weights, values)
    if passes is None:
        return compositing.composited(weights, values)
    return _Composited.apply(weights, values, passes)


def _passes(backend: str, *moving: Tensor, fixed: tuple[Tensor, ...] = ()) -> Any:
    """The passes that serve; None: the formula, also where what is ``fixed`` for them may move."""
    name = select_float32_backend(backend, *moving, *fixed)
    if name not in FILES or any(each.requires_grad for each in fixed):
        return None
    return import_module(f"nerfloss.kernels.{FILES[name]}")


class _NeusAlphas(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> Tensor:
        *given, sharpness, late, passes = arguments
        given = passes.held(*given)
        ctx.save_for_backward(*given, sharpness)
        ctx.late, ctx.passes = late, passes
        return passes.neus_alphas(given, sharpness, late)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_alphas: Tensor) -> tuple[Tensor | None, ...]:
        *given, sharpness = ctx.saved_tensors
        to_sdf, to_gradients, to_sharpness = ctx.passes.neus_alphas_backward(
            given, sharpness, ctx.late, to_alphas
        )
        return to_sdf, to_gradients, None, None, None, to_sharpness, None, None


class _SlabAlphas(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, values: Tensor, starts: Tensor, ends: Tensor, sharpness: Any, passes: Any
    ) -> Tensor:
        ctx.save_for_backward(values, starts, ends, sharpness)
        ctx.passes = passes
        return passes.slab_alphas(values, starts, ends, sharpness)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_alphas: Tensor) -> tuple[Tensor | None, ...]:
        given = ctx.saved_tensors
        to_values, to_sharpness = ctx.passes.slab_alphas_backward(*given, to_alphas)
        return to_values, None, None, to_sharpness, None


class _Weights(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, alphas: Tensor, passes: Any) -> Tensor:
        (alphas,) = passes.held(alphas)
        ctx.save_for_backward(alphas)
        ctx.passes = passes
        return passes.weights(alphas)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_weights: Tensor) -> tuple[Tensor, None]:
        return ctx.passes.weights_backward(*ctx.saved_tensors, to_weights), None


class _Composited(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weights: Tensor, values: Tensor, passes: Any) -> Tensor:
        weights, values = passes.held(weights, values)
        ctx.save_for_backward(weights, values)
        ctx.passes = passes
        return passes.composited(weights, values)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_sums: Tensor) -> tuple[Tensor, Tensor, None]:
        return *ctx.passes.composited_backward(*ctx.saved_tensors, to_sums), None
