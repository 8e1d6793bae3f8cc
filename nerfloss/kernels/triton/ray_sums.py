"""Weighted sums along rays on a GPU: one kernel for both passes.

`nerfloss.maths.compositing` defines them. The products are not stored: they would take as much
memory as the values.
"""

import torch
from torch import Tensor

from nerfloss.kernels.triton.language import (
    cdiv,
    constexpr,
    jit,
    launch,
    next_power_of_two,
    tl,
    with_strides,
)

# Samples per program, as whole rays: these take 156 registers on compute capability 9.0, twice as
# many take 254.
TILE = 1024


@jit
def sum_by_weight(
    weights, values, stride, channel_stride, out, grad_weights, grad_values, grad_stride,
    grad_channel_stride, rays, samples,
    CHANNELS: constexpr, RAYS: constexpr, SAMPLES: constexpr, BACKWARD: constexpr,
):  # fmt: skip
    """Write the sums, or with BACKWARD read their gradient (``out``) and write the others."""
    ray, sample = tl.program_id(0) * RAYS + tl.arange(0, RAYS), tl.arange(0, SAMPLES)
    at = ray.to(tl.int64)[:, None] * samples + sample[None, :]
    known = ray < rays
    inside = known[:, None] & (sample < samples)[None, :]
    weight = tl.load(weights + at, mask=inside, other=0.0)
    grad_weight = tl.zeros((RAYS, SAMPLES), tl.float32)
    for channel in range(CHANNELS):
        seen = tl.load(values + at * stride + channel * channel_stride, mask=inside, other=0.0)
        own = out + ray.to(tl.int64) * CHANNELS + channel
        if BACKWARD:
            given = tl.load(own, mask=known, other=0.0)[:, None]
            grad_weight += seen * given
            to = grad_values + at * grad_stride + channel * grad_channel_stride
            tl.store(to, weight * given, mask=inside)
        else:
            tl.store(own, tl.sum(weight * seen, 1), mask=known)
    if BACKWARD:
        tl.store(grad_weights + at, grad_weight, mask=inside)


def composited(weights: Tensor, values: Tensor) -> Tensor:
    # zeros: without samples no kernel is launched
    out = weights.new_zeros(len(weights), values.shape[2])
    weights, values = weights.detach().contiguous(), values.detach().flatten(0, 1)
    _run(weights, values, out, weights, values, backward=False)
    return out


def composited_backward(
    weights: Tensor, values: Tensor, grad_sums: Tensor
) -> tuple[Tensor, Tensor]:
    shape = values.shape
    weights, values = weights.detach().contiguous(), values.detach().flatten(0, 1)
    grad_weights, grad_values = torch.empty_like(weights), torch.empty_like(values)
    _run(weights, values, grad_sums.contiguous(), grad_weights, grad_values, backward=True)
    return grad_weights, grad_values.view(shape)


def _run(
    weights: Tensor, values: Tensor, sums: Tensor, grad_weights: Tensor, grad_values: Tensor,
    *, backward: bool,
) -> None:  # fmt: skip
    rays, samples = weights.shape
    wide = next_power_of_two(samples)
    each = max(1, TILE // wide)
    launch(
        sum_by_weight, (cdiv(rays, each) * (samples > 0),), weights, *with_strides(values), sums,
        grad_weights, *with_strides(grad_values), rays, samples, CHANNELS=values.shape[1],
        RAYS=each,
        SAMPLES=wide, BACKWARD=backward, num_warps=4,
    )  # fmt: skip
