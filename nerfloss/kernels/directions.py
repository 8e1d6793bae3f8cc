"""Unit vectors and spherical harmonics: compiled on the CPU, the formulas elsewhere."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from nerfloss.kernels.backend_selection import implementation
from nerfloss.kernels.numba.array_arguments import is_cpu_float32
from nerfloss.maths import directions as formulas
from nerfloss.maths import spherical_harmonics as harmonics


def unit(vectors: Float[Tensor, "*rays 3"]) -> Float[Tensor, "*rays 3"]:
    """Return vectors of length one: `nerfloss.maths.directions.unit`."""
    if not is_cpu_float32(vectors):
        return formulas.unit(vectors)
    return _Unit.apply(vectors)


def spherical_harmonics(directions: Float[Tensor, "rays 3"]) -> Float[Tensor, "rays 16"]:
    """Return the harmonics: `nerfloss.maths.spherical_harmonics.spherical_harmonics`."""
    if not is_cpu_float32(directions) or directions.requires_grad:
        return harmonics.spherical_harmonics(directions)
    # One row per harmonic, the layout that the networks read.
    out = directions.new_empty(16, len(directions))
    loops = implementation("directions", "cpu")
    loops.harmonics(directions.contiguous().numpy(), out.numpy())
    return out.t()


class _Unit(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, vectors: Tensor) -> Tensor:
        vectors = vectors.contiguous()
        ctx.save_for_backward(vectors)
        out = torch.empty_like(vectors)
        implementation("directions", "cpu").unit(_rows(vectors), _rows(out))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_unit: Tensor) -> Tensor:
        (vectors,) = ctx.saved_tensors
        out = torch.empty_like(vectors)
        loops = implementation("directions", "cpu")
        loops.unit_backward(_rows(vectors), _rows(grad_unit.contiguous()), _rows(out))
        return out


def _rows(tensor: Tensor) -> Any:
    return tensor.detach().view(-1, 3).numpy()
