"""Opacity of slabs of constant density on a GPU, of densities or by VolSDF of signed distances.

`nerfloss.maths.compositing` and `nerfloss.maths.sdf_opacity` define it. With VolSDF the density is
made on the way and never written.
"""

from typing import Any

import torch
from torch import Tensor

from nerfloss.kernels.triton.language import blocks, constexpr, jit, launch, tl

BLOCK = 1024
_ROWS = torch.contiguous_format


@jit
def one_minus_exp(x):
    """``1 - exp(-x)``; by its series near 0, where the difference would lose all digits."""
    series = x * (1.0 - x * (0.5 - x * (1.0 / 6.0 - x * (1.0 / 24.0 - x * (1.0 / 120.0)))))
    return tl.where(tl.abs(x) < 0.1, series, 1.0 - tl.exp(-x))


@jit
def slab(
    values, starts, ends, sharpness, to_alphas, out, to_values, to_sharpness, count,
    SDF: constexpr, BACKWARD: constexpr, BLOCK: constexpr,
):  # fmt: skip
    """Write opacities, or with BACKWARD the derivatives, that by the sharpness summed per block."""
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
        given = tl.load(to_alphas + at, mask=inside, other=0.0)
        to_density = given * length * tl.exp(-density * length)
        if SDF:
            # the tail falls on both sides, and is taken from 1 inside: the slope is -s^2 tail
            tl.store(to_values + at, -s * s * tail * to_density, mask=inside)
            own = to_density * (share - s * value * tail)
            tl.store(to_sharpness + tl.program_id(0), tl.sum(tl.where(inside, own, 0.0), 0))
        else:
            tl.store(to_values + at, to_density, mask=inside)
    else:
        tl.store(out + at, one_minus_exp(density * length), mask=inside)


def slab_alphas(values: Tensor, starts: Tensor, ends: Tensor, sharpness: Tensor | None) -> Tensor:
    """``1 - exp(-density dt)``, of densities, or with a sharpness of signed distances (VolSDF)."""
    given, out = _flat(values, starts, ends), torch.empty_like(values, memory_format=_ROWS)
    spare = given[0]
    beta = spare if sharpness is None else sharpness.detach()
    _run(*given, beta, spare, out, spare, spare, SDF=sharpness is not None, BACKWARD=False)
    return out


def slab_alphas_backward(
    values: Tensor, starts: Tensor, ends: Tensor, sharpness: Tensor | None, to_alphas: Tensor
) -> tuple[Tensor, Tensor | None]:
    """Derivatives by densities or signed distances, and by the sharpness where there is one."""
    *given, to = _flat(values, starts, ends, to_alphas)
    to_values = torch.empty_like(values, memory_format=_ROWS)
    sums, known = to.new_empty(blocks(to.numel(), BLOCK)), sharpness is not None
    beta = to if sharpness is None else sharpness.detach()
    _run(*given, beta, to, to, to_values, sums, SDF=known, BACKWARD=True)
    return to_values, sums.sum() if known else None


def _flat(*tensors: Tensor) -> list[Tensor]:
    return [each.detach().contiguous() for each in tensors]


def _run(*arguments: Any, **flags: bool) -> None:
    count = arguments[0].numel()
    launch(slab, (blocks(count, BLOCK),), *arguments, count, BLOCK=BLOCK, num_warps=4, **flags)
