"""NeuS's opacity on a GPU: one pass forward, one backward, from gradients as the field has them.

`nerfloss.maths.sdf_opacity` defines it. Every sample reads and writes each of its numbers once: the
bandwidth of the memory bounds it.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from nerfloss.kernels.triton.language import blocks, constexpr, jit, launch, strided, tl

BLOCK = 1024
# As in the definition: below this light a sample is transparent.
DARK = tl.constexpr(1e-5)
# What NeuS's opacity is made of: sdf, gradients, directions, t_starts, t_ends.
Given = Sequence[Tensor]
_ROWS = torch.contiguous_format


@jit
def neus_ends(sdf, cosine, length, sharpness, late):
    """The sigmoids at both ends of an interval, and half the change of the SDF between them."""
    early = tl.maximum(0.5 - 0.5 * cosine, 0.0)
    falling = tl.maximum(-cosine, 0.0)
    change = -0.5 * (early * (1.0 - late) + falling * late) * length
    return tl.sigmoid(sharpness * (sdf - change)), tl.sigmoid(sharpness * (sdf + change)), change


@jit
def place_of(samples, BLOCK: constexpr):
    """Flat indices of this program's samples, and their rays'."""
    first = tl.program_id(0).to(tl.int64) * BLOCK
    ray, lane = first // samples, tl.arange(0, BLOCK)
    # one long division for the block, short ones for its samples
    return first + lane, ray + ((first - ray * samples).to(tl.int32) + lane) // samples


@jit
def read_intervals(
    gradients, stride, axis_stride, directions, starts, ends, at, ray, inside,
):  # fmt: skip
    """The slope of the SDF along the ray, and the interval's length."""
    cosine = tl.zeros_like(at).to(tl.float32)
    for axis in tl.static_range(3):
        slope = tl.load(gradients + at * stride + axis * axis_stride, mask=inside, other=0.0)
        cosine += slope * tl.load(directions + ray * 3 + axis, mask=inside, other=0.0)
    start = tl.load(starts + at, mask=inside, other=0.0)
    return cosine, tl.load(ends + at, mask=inside, other=0.0) - start


@jit
def neus(
    sdf, gradients, stride, axis_stride, directions, starts, ends, sharpness, late, out, samples,
    count, BLOCK: constexpr,
):  # fmt: skip
    """Write opacities."""
    at, ray = place_of(samples, BLOCK)
    inside = at < count
    cosine, length = read_intervals(
        gradients, stride, axis_stride, directions, starts, ends, at, ray, inside
    )
    value, s = tl.load(sdf + at, mask=inside, other=0.0), tl.load(sharpness)
    before, after, _ = neus_ends(value, cosine, length, s, late)
    share = (before - after) / (before + DARK)
    tl.store(out + at, tl.minimum(tl.maximum(share, 0.0), 1.0), mask=inside)


@jit
def neus_backward(
    sdf, gradients, stride, axis_stride, directions, starts, ends, sharpness, late, to_alphas,
    to_sdf, to_gradients, to_stride, to_axis_stride, to_sharpness, samples, count, BLOCK: constexpr,
):  # fmt: skip
    """Write the derivatives; that by the sharpness is summed per block."""
    at, ray = place_of(samples, BLOCK)
    inside = at < count
    cosine, length = read_intervals(
        gradients, stride, axis_stride, directions, starts, ends, at, ray, inside
    )
    value, s = tl.load(sdf + at, mask=inside, other=0.0), tl.load(sharpness)
    before, after, change = neus_ends(value, cosine, length, s, late)
    floored = before + DARK
    share = (before - after) / floored
    given = tl.load(to_alphas + at, mask=inside, other=0.0)
    passing = tl.where((share >= 0) & (share <= 1), given, 0.0)
    # z_: derivatives by what stands in the two sigmoids
    z_before = passing * (after + DARK) / (floored * floored) * before * (1.0 - before)
    z_after = -passing / floored * after * (1.0 - after)
    tl.store(to_sdf + at, s * (z_before + z_after), mask=inside)
    own = z_before * (value - change) + z_after * (value + change)
    tl.store(to_sharpness + tl.program_id(0), tl.sum(tl.where(inside, own, 0.0), 0))
    early = tl.where(cosine < 1, 0.5 * (1.0 - late), 0.0)
    bend = early + tl.where(cosine < 0, late, 0.0)
    to_cosine = s * (z_after - z_before) * 0.5 * length * bend
    for axis in tl.static_range(3):
        to = to_cosine * tl.load(directions + ray * 3 + axis, mask=inside, other=0.0)
        tl.store(to_gradients + at * to_stride + axis * to_axis_stride, to, mask=inside)


def neus_alphas(given: Given, sharpness: Tensor, late: float) -> Tensor:
    """NeuS's opacity; ``late`` is the share of the annealing that is done."""
    out = torch.empty_like(given[0], memory_format=_ROWS)
    _run(neus, *_laid_out(given), sharpness.detach(), float(late), out, out.shape[1], out.numel())
    return out


def neus_alphas_backward(
    given: Given, sharpness: Tensor, late: float, to_alphas: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Derivatives by sdf, gradients and sharpness."""
    to, held = to_alphas.detach().contiguous(), _laid_out(given)
    # laid out as the gradients are: the field takes its own back without a copy
    to_sdf, to_gradients = torch.empty_like(to), torch.empty_like(held[1])
    sums = to.new_empty(blocks(to.numel(), BLOCK))
    _run(
        neus_backward, *held, sharpness.detach(), float(late), to, to_sdf, *strided(to_gradients),
        sums, to.shape[1], to.numel(),
    )  # fmt: skip
    return to_sdf, to_gradients.view(given[1].shape), sums.sum()


def _laid_out(given: Given) -> tuple[Any, ...]:
    """As the kernels take them: a row per sample of the gradients, however these lie."""
    sdf, gradients, directions, starts, ends = given
    rest = (each.detach().contiguous() for each in (directions, starts, ends))
    return sdf.detach().contiguous(), *strided(gradients.flatten(0, 1)), *rest


def _run(kernel: Any, *arguments: Any) -> None:
    grid = (blocks(arguments[-1], BLOCK),)
    launch(kernel, grid, *arguments, BLOCK=BLOCK, num_warps=4)
