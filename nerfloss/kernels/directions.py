"""Unit vectors and their harmonics: compiled on the CPU, and the plain formulas elsewhere."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from nerfloss.kernels.numba.array_arguments import is_cpu_float32
from nerfloss.maths import directions as defined
from nerfloss.maths import spherical_harmonics as basis


def unit(vectors: Float[Tensor, "*rays 3"]) -> Float[Tensor, "*rays 3"]:
    """Vectors of length one: `nerfloss.maths.directions.unit`."""
    if not is_cpu_float32(vectors):
        return defined.unit(vectors)
    return _Unit.apply(vectors)


def spherical_harmonics(directions: Float[Tensor, "rays 3"]) -> Float[Tensor, "rays 16"]:
    """Harmonics of directions: `nerfloss.maths.spherical_harmonics.spherical_harmonics`."""
    if not is_cpu_float32(directions) or directions.requires_grad:
        return basis.spherical_harmonics(directions)
    from nerfloss.kernels.numba import directions as cpu_directions

    # A row for each harmonic, as the networks want them.
    out = directions.new_empty(16, len(directions))
    cpu_directions.harmonics(directions.contiguous().numpy(), out.numpy())
    return out.t()


class _Unit(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, vectors: Tensor) -> Tensor:
        from nerfloss.kernels.numba import directions as cpu_directions

        vectors = vectors.contiguous()
        ctx.save_for_backward(vectors)
        out = torch.empty_like(vectors)
        cpu_directions.unit(_rows(vectors), _rows(out))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_unit: Tensor) -> Tensor:
        from nerfloss.kernels.numba import directions as cpu_directions

        (vectors,) = ctx.saved_tensors
        out = torch.empty_like(vectors)
        cpu_directions.unit_backward(_rows(vectors), _rows(to_unit.contiguous()), _rows(out))
        return out


def _rows(tensor: Tensor) -> Any:
    return tensor.detach().view(-1, 3).numpy()
