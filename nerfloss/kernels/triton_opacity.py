"""Opacities of samples on a GPU, each one pass forward and one backward: NeuS, VolSDF, density.

`nerfloss.maths.sdf_opacity` and `nerfloss.maths.compositing` define what is computed. Every sample
reads and writes each of its numbers once: the bandwidth of the memory bounds it.
"""

from typing import Any

import torch
from torch import Tensor

from nerfloss.kernels.triton_language import blocks, constexpr, jit, launch, tl

BLOCK = 1024
# As in the definitions: below this light a NeuS sample is transparent.
DARK = tl.constexpr(1e-5)


@jit
def neus_ends(sdf, cosine, length, sharpness, late):
    """The sigmoids at both ends of an interval, and half the change of the SDF between them."""
    early = tl.maximum(0.5 - 0.5 * cosine, 0.0)
    falling = tl.maximum(-cosine, 0.0)
    change = -0.5 * (early * (1.0 - late) + falling * late) * length
    return tl.sigmoid(sharpness * (sdf - change)), tl.sigmoid(sharpness * (sdf + change)), change


@jit
def neus(
    sdf, cosine, length, sharpness, late, to_alphas, out, to_sdf, to_cosine, to_sharpness, count,
    BACKWARD: constexpr, BLOCK: constexpr,
):  # fmt: skip
    """Write opacities, or with BACKWARD the derivatives, that by the sharpness summed per block."""
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < count
    f, c, long = _three(sdf, cosine, length, at, inside)
    s = tl.load(sharpness)
    before, after, change = neus_ends(f, c, long, s, late)
    floored = before + DARK
    share = (before - after) / floored
    if BACKWARD:
        given = tl.load(to_alphas + at, mask=inside, other=0.0)
        passing = tl.where((share >= 0) & (share <= 1), given, 0.0)
        # z_: derivatives by what stands in the two sigmoids
        z_before = passing * (after + DARK) / (floored * floored) * before * (1.0 - before)
        z_after = -passing / floored * after * (1.0 - after)
        early = tl.where(c < 1, 0.5 * (1.0 - late), 0.0)
        bend = early + tl.where(c < 0, late, 0.0)
        tl.store(to_sdf + at, s * (z_before + z_after), mask=inside)
        tl.store(to_cosine + at, s * (z_after - z_before) * 0.5 * long * bend, mask=inside)
        own = z_before * (f - change) + z_after * (f + change)
        tl.store(to_sharpness + tl.program_id(0), tl.sum(tl.where(inside, own, 0.0), 0))
    else:
        tl.store(out + at, tl.minimum(tl.maximum(share, 0.0), 1.0), mask=inside)


@jit
def _three(first, second, third, at, inside):
    a = tl.load(first + at, mask=inside, other=0.0)
    b = tl.load(second + at, mask=inside, other=0.0)
    return a, b, tl.load(third + at, mask=inside, other=0.0)


@jit
def one_minus_exp(x):
    """``1 - exp(-x)``; by its series near 0, where the difference would lose all digits."""
    series = x * (1.0 - x * (0.5 - x * (1.0 / 6.0 - x * (1.0 / 24.0 - x * (1.0 / 120.0)))))
    return tl.where(tl.abs(x) < 0.1, series, 1.0 - tl.exp(-x))


@jit
def slab(
    values, length, sharpness, to_alphas, out, to_values, to_sharpness, count,
    SDF: constexpr, BACKWARD: constexpr, BLOCK: constexpr,
):  # fmt: skip
    """Opacity of slabs of constant density, given as such or with SDF by VolSDF's conversion."""
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < count
    value = tl.load(values + at, mask=inside, other=0.0)
    long = tl.load(length + at, mask=inside, other=0.0)
    density, tail, share, s = value, value, value, 1.0
    if SDF:
        s = tl.load(sharpness)
        tail = 0.5 * tl.exp(-s * tl.abs(value))
        share = tl.where(value > 0, tail, 1.0 - tail)
        density = s * share
    if BACKWARD:
        given = tl.load(to_alphas + at, mask=inside, other=0.0)
        to_density = given * long * tl.exp(-density * long)
        if SDF:
            # the tail falls on both sides, and is taken from 1 inside: the slope is -s^2 tail
            tl.store(to_values + at, -s * s * tail * to_density, mask=inside)
            own = to_density * (share - s * value * tail)
            tl.store(to_sharpness + tl.program_id(0), tl.sum(tl.where(inside, own, 0.0), 0))
        else:
            tl.store(to_values + at, to_density, mask=inside)
    else:
        tl.store(out + at, one_minus_exp(density * long), mask=inside)


def neus_alphas(
    sdf: Tensor, cosine: Tensor, length: Tensor, sharpness: Tensor, late: float
) -> Tensor:
    """NeuS's opacity; ``late`` is the share of the annealing that is done."""
    given, out = _flat(sdf, cosine, length), torch.empty_like(sdf, memory_format=_ROWS)
    spare = given[0]
    _run(neus, *given, sharpness, late, spare, out, spare, spare, spare, BACKWARD=False)
    return out


def neus_alphas_backward(
    sdf: Tensor, cosine: Tensor, length: Tensor, sharpness: Tensor, late: float, to_alphas: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Derivatives by sdf, cosine and sharpness."""
    *given, to = _flat(sdf, cosine, length, to_alphas)
    to_sdf, to_cosine = (torch.empty_like(sdf, memory_format=_ROWS) for _ in range(2))
    sums = to.new_empty(blocks(to.numel(), BLOCK))
    _run(neus, *given, sharpness, late, to, to, to_sdf, to_cosine, sums, BACKWARD=True)
    return to_sdf, to_cosine, sums.sum()


def slab_alphas(values: Tensor, length: Tensor, sharpness: Tensor | None) -> Tensor:
    """``1 - exp(-density dt)``, of densities, or with a sharpness of signed distances (VolSDF)."""
    given, out = _flat(values, length), torch.empty_like(values, memory_format=_ROWS)
    spare = given[0]
    beta = spare if sharpness is None else sharpness
    _run(slab, *given, beta, spare, out, spare, spare, SDF=sharpness is not None, BACKWARD=False)
    return out


def slab_alphas_backward(
    values: Tensor, length: Tensor, sharpness: Tensor | None, to_alphas: Tensor
) -> tuple[Tensor, Tensor | None]:
    """Derivatives by densities or signed distances, and by the sharpness where there is one."""
    *given, to = _flat(values, length, to_alphas)
    to_values = torch.empty_like(values, memory_format=_ROWS)
    sums, known = to.new_empty(blocks(to.numel(), BLOCK)), sharpness is not None
    beta = to if sharpness is None else sharpness
    _run(slab, *given, beta, to, to, to_values, sums, SDF=known, BACKWARD=True)
    return to_values, sums.sum() if known else None


_ROWS = torch.contiguous_format


def _flat(*tensors: Tensor) -> list[Tensor]:
    return [each.detach().contiguous() for each in tensors]


def _run(kernel: Any, *arguments: Any, **flags: bool) -> None:
    count = arguments[0].numel()
    grid = (blocks(count, BLOCK),)
    held = [each.detach() if isinstance(each, Tensor) else each for each in arguments]
    launch(kernel, grid, *held, count, BLOCK=BLOCK, num_warps=4, **flags)
