"""NeuS's opacity on a GPU: one kernel forward, one backward.

`nerfloss.maths.sdf_opacity` defines it. Gradients of the SDF are read in any memory layout. Every
number is read and written once, so the memory bandwidth bounds the speed.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from nerfloss.kernels.triton.language import cdiv, constexpr, jit, launch, tl, with_strides

BLOCK = 1024
# As in the definition: the floor of the denominator.
FLOOR = tl.constexpr(1e-5)
_ROWS = torch.contiguous_format


@jit
def neus_ends(sdf, cosine, length, sharpness, anneal_ratio):
    """Return the sigmoids at both ends of an interval, and half the change of the SDF."""
    relaxed = tl.maximum(0.5 - 0.5 * cosine, 0.0)
    descending = tl.maximum(-cosine, 0.0)
    change = -0.5 * (relaxed * (1.0 - anneal_ratio) + descending * anneal_ratio) * length
    return tl.sigmoid(sharpness * (sdf - change)), tl.sigmoid(sharpness * (sdf + change)), change


@jit
def sample_and_ray(samples, BLOCK: constexpr):
    """Return the flat indices of this program's samples, and of their rays."""
    first = tl.program_id(0).to(tl.int64) * BLOCK
    ray, lane = first // samples, tl.arange(0, BLOCK)
    # one long division for the block, short ones for its samples
    return first + lane, ray + ((first - ray * samples).to(tl.int32) + lane) // samples


@jit
def read_intervals(
    gradients, stride, axis_stride, directions, starts, ends, at, ray, inside,
):  # fmt: skip
    """Return the derivative of the SDF along the ray, and the interval's length."""
    cosine = tl.zeros_like(at).to(tl.float32)
    for axis in tl.static_range(3):
        slope = tl.load(gradients + at * stride + axis * axis_stride, mask=inside, other=0.0)
        cosine += slope * tl.load(directions + ray * 3 + axis, mask=inside, other=0.0)
    start = tl.load(starts + at, mask=inside, other=0.0)
    return cosine, tl.load(ends + at, mask=inside, other=0.0) - start


@jit
def neus(
    sdf, gradients, stride, axis_stride, directions, starts, ends, sharpness, anneal_ratio, out,
    samples, count, BLOCK: constexpr,
):  # fmt: skip
    """Write the opacities."""
    at, ray = sample_and_ray(samples, BLOCK)
    inside = at < count
    cosine, length = read_intervals(
        gradients, stride, axis_stride, directions, starts, ends, at, ray, inside
    )
    value, s = tl.load(sdf + at, mask=inside, other=0.0), tl.load(sharpness)
    before, after, _ = neus_ends(value, cosine, length, s, anneal_ratio)
    share = (before - after) / (before + FLOOR)
    tl.store(out + at, tl.minimum(tl.maximum(share, 0.0), 1.0), mask=inside)


@jit
def neus_backward(
    sdf, gradients, stride, axis_stride, directions, starts, ends, sharpness, anneal_ratio,
    grad_alphas, grad_sdf, grad_gradients, grad_stride, grad_axis_stride, grad_sharpness, samples,
    count, BLOCK: constexpr,
):  # fmt: skip
    """Write the gradients; that of the sharpness is summed per block."""
    at, ray = sample_and_ray(samples, BLOCK)
    inside = at < count
    cosine, length = read_intervals(
        gradients, stride, axis_stride, directions, starts, ends, at, ray, inside
    )
    value, s = tl.load(sdf + at, mask=inside, other=0.0), tl.load(sharpness)
    before, after, change = neus_ends(value, cosine, length, s, anneal_ratio)
    floored = before + FLOOR
    share = (before - after) / floored
    grad = tl.load(grad_alphas + at, mask=inside, other=0.0)
    grad_share = tl.where((share >= 0) & (share <= 1), grad, 0.0)
    # z_: gradients of the arguments of the two sigmoids
    z_before = grad_share * (after + FLOOR) / (floored * floored) * before * (1.0 - before)
    z_after = -grad_share / floored * after * (1.0 - after)
    tl.store(grad_sdf + at, s * (z_before + z_after), mask=inside)
    own = z_before * (value - change) + z_after * (value + change)
    tl.store(grad_sharpness + tl.program_id(0), tl.sum(tl.where(inside, own, 0.0), 0))
    relaxed = tl.where(cosine < 1, 0.5 * (1.0 - anneal_ratio), 0.0)
    slope = relaxed + tl.where(cosine < 0, anneal_ratio, 0.0)
    grad_cosine = s * (z_after - z_before) * 0.5 * length * slope
    for axis in tl.static_range(3):
        grad = grad_cosine * tl.load(directions + ray * 3 + axis, mask=inside, other=0.0)
        tl.store(grad_gradients + at * grad_stride + axis * grad_axis_stride, grad, mask=inside)


def neus_alphas(inputs: Sequence[Tensor], sharpness: Tensor, anneal_ratio: float) -> Tensor:
    out = torch.empty_like(inputs[0], memory_format=_ROWS)
    _run(
        neus,
        *_kernel_arguments(inputs),
        sharpness.detach(),
        float(anneal_ratio),
        out,
        out.shape[1],
        out.numel(),
    )
    return out


def neus_alphas_backward(
    inputs: Sequence[Tensor], sharpness: Tensor, anneal_ratio: float, grad_alphas: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    grad, arguments = grad_alphas.detach().contiguous(), _kernel_arguments(inputs)
    # in the layout of the gradients, so that the field's backward pass needs no copy
    grad_sdf, grad_gradients = torch.empty_like(grad), torch.empty_like(arguments[1])
    sums = grad.new_empty(cdiv(grad.numel(), BLOCK))
    _run(
        neus_backward, *arguments, sharpness.detach(), float(anneal_ratio), grad, grad_sdf,
        *with_strides(grad_gradients), sums, grad.shape[1], grad.numel(),
    )  # fmt: skip
    return grad_sdf, grad_gradients.view(inputs[1].shape), sums.sum()


def _kernel_arguments(inputs: Sequence[Tensor]) -> tuple[Any, ...]:
    """Return the kernels' arguments; the gradients are passed with strides, without a copy."""
    sdf, gradients, directions, starts, ends = inputs
    rest = (each.detach().contiguous() for each in (directions, starts, ends))
    return sdf.detach().contiguous(), *with_strides(gradients.flatten(0, 1)), *rest


def _run(kernel: Any, *arguments: Any) -> None:
    grid = (cdiv(arguments[-1], BLOCK),)
    launch(kernel, grid, *arguments, BLOCK=BLOCK, num_warps=4)
