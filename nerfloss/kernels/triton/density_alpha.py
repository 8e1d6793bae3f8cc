"""Opacity of intervals of constant density on a GPU, from densities or VolSDF's signed distances.

Implements `nerfloss.kernels.compositing_kernel.DensityAlphaKernel`. VolSDF's density stays in
registers.
"""

from typing import Any

import torch
from torch import Tensor

from nerfloss.kernels.triton.language import cdiv, constexpr, jit, launch, tl

BLOCK = 1024
_ROWS = torch.contiguous_format


@jit
def one_minus_exp(x):
    """Return ``1 - exp(-x)``; near 0 by its series, since the difference would lose all digits."""
    series = x * (1.0 - x * (0.5 - x * (1.0 / 6.0 - x * (1.0 / 24.0 - x * (1.0 / 120.0)))))
    return tl.where(tl.abs(x) < 0.1, series, 1.0 - tl.exp(-x))


@jit
def density_alpha(
    values, starts, ends, sharpness, grad_alphas, out, grad_values, grad_sharpness, count,
    SDF: constexpr, BACKWARD: constexpr, BLOCK: constexpr,
):  # fmt: skip
    """Write opacities, or with BACKWARD gradients; that of the sharpness is summed per block."""
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < count
    value = tl.load(values + at, mask=inside, other=0.0)
    begin = tl.load(starts + at, mask=inside, other=0.0)
    length = tl.load(ends + at, mask=inside, other=0.0) - begin
    density, tail, share, s = value, value, value, 1.0
    if SDF:
        s = tl.load(sharpness)
        tail = 0.5 * tl.exp(-s * tl.abs(value))
        share = tl.where(value > 0, tail, 1.0 - tail)
        density = s * share
    if BACKWARD:
        grad = tl.load(grad_alphas + at, mask=inside, other=0.0)
        grad_density = grad * length * tl.exp(-density * length)
        if SDF:
            # the tail decays on both sides and is subtracted from 1 inside: derivative -s^2 tail
            tl.store(grad_values + at, -s * s * tail * grad_density, mask=inside)
            own = grad_density * (share - s * value * tail)
            tl.store(grad_sharpness + tl.program_id(0), tl.sum(tl.where(inside, own, 0.0), 0))
        else:
            tl.store(grad_values + at, grad_density, mask=inside)
    else:
        tl.store(out + at, one_minus_exp(density * length), mask=inside)


def density_alphas(
    values: Tensor, starts: Tensor, ends: Tensor, sharpness: Tensor | None
) -> Tensor:
    inputs, out = _flat(values, starts, ends), torch.empty_like(values, memory_format=_ROWS)
    unused = inputs[0]
    beta = unused if sharpness is None else sharpness.detach()
    _run(*inputs, beta, unused, out, unused, unused, SDF=sharpness is not None, BACKWARD=False)
    return out


def density_alphas_backward(
    values: Tensor, starts: Tensor, ends: Tensor, sharpness: Tensor | None, grad_alphas: Tensor
) -> tuple[Tensor, Tensor | None]:
    *inputs, to = _flat(values, starts, ends, grad_alphas)
    grad_values = torch.empty_like(values, memory_format=_ROWS)
    sums, known = to.new_empty(cdiv(to.numel(), BLOCK)), sharpness is not None
    beta = to if sharpness is None else sharpness.detach()
    _run(*inputs, beta, to, to, grad_values, sums, SDF=known, BACKWARD=True)
    return grad_values, sums.sum() if known else None


def _flat(*tensors: Tensor) -> list[Tensor]:
    return [each.detach().contiguous() for each in tensors]


def _run(*arguments: Any, **flags: bool) -> None:
    count = arguments[0].numel()
    launch(
        density_alpha, (cdiv(count, BLOCK),), *arguments, count, BLOCK=BLOCK, num_warps=4, **flags
    )
