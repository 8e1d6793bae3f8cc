"""How different the patch of a surface looks in several views: compiled on the CPU."""

from typing import Any

import torch
from jaxtyping import Float, Int, Integer
from torch import Tensor
from torch.autograd.function import once_differentiable

from nerfloss.kernels.backend_selection import implementation
from nerfloss.kernels.numba.array_arguments import as_arrays, is_cpu_float32
from nerfloss.kernels.threads import parallel_for
from nerfloss.maths import patch_consistency as formulas


def patch_consistency(
    points: Float[Tensor, "rays 3"],
    normals: Float[Tensor, "rays 3"],
    pixel: Float[Tensor, "rays 2"],
    view: Int[Tensor, "rays"],
    sources: Int[Tensor, "rays sources"],
    images: Integer[Tensor, "views height width 3"],
    projections: Float[Tensor, "views 3 4"],
    *,
    patch: int,
    best: int,
) -> Float[Tensor, "rays"]:
    """Return the costs: `nerfloss.maths.patch_consistency.patch_consistency`."""
    given = (points, normals, pixel, view, sources, images, projections)
    floats = (points, normals, pixel, projections)
    if not is_cpu_float32(*floats) or images.dtype != torch.uint8:
        return formulas.patch_consistency(*given, patch=patch, best=best)
    return _PatchConsistency.apply(*given, patch, best)


class _PatchConsistency(torch.autograd.Function):
    """The derivatives are computed beside the costs: a patch has six unknowns and many pixels."""

    @staticmethod
    def forward(ctx: Any, *given: Any) -> Tensor:
        *tensors, patch, best = given
        points = tensors[0]
        costs = points.new_empty(len(points))
        derivatives = points.new_empty(2, *points.shape)
        loop = implementation("patch_consistency", "cpu").costs_and_derivatives
        arrays = as_arrays(*tensors, costs, derivatives)
        parallel_for(
            len(points),
            lambda begin, end: loop(*arrays, patch, best, begin, end),
            least=16,
            block=1,
        )
        ctx.save_for_backward(derivatives)
        return costs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_costs: Tensor) -> tuple[Tensor | None, ...]:
        (derivatives,) = ctx.saved_tensors
        return *(grad_costs[:, None] * derivatives), *[None] * 7
