"""What rays see of what their samples show, on a GPU: sums by weight, one pass each way.

`nerfloss.maths.compositing` defines it. The products are summed where they are made: they would
take as much memory as the values themselves.
"""

import torch
from torch import Tensor

from nerfloss.kernels.triton.language import blocks, constexpr, jit, lanes, launch, strided, tl

# So many samples, those of whole rays, per program: twice as many took 254 registers (compute
# capability 9.0), these take 156.
TILE = 1024


@jit
def sum_by_weight(
    weights, values, stride, channel_stride, out, to_weights, to_values, to_stride,
    to_channel_stride, rays, samples,
    CHANNELS: constexpr, RAYS: constexpr, SAMPLES: constexpr, BACKWARD: constexpr,
):  # fmt: skip
    """Write the sums, or with BACKWARD read what comes back to them (``out``) and write on."""
    ray, sample = tl.program_id(0) * RAYS + tl.arange(0, RAYS), tl.arange(0, SAMPLES)
    at = ray.to(tl.int64)[:, None] * samples + sample[None, :]
    known = ray < rays
    inside = known[:, None] & (sample < samples)[None, :]
    weight = tl.load(weights + at, mask=inside, other=0.0)
    to_weight = tl.zeros((RAYS, SAMPLES), tl.float32)
    for channel in range(CHANNELS):
        seen = tl.load(values + at * stride + channel * channel_stride, mask=inside, other=0.0)
        own = out + ray.to(tl.int64) * CHANNELS + channel
        if BACKWARD:
            given = tl.load(own, mask=known, other=0.0)[:, None]
            to_weight += seen * given
            to = to_values + at * to_stride + channel * to_channel_stride
            tl.store(to, weight * given, mask=inside)
        else:
            tl.store(own, tl.sum(weight * seen, 1), mask=known)
    if BACKWARD:
        tl.store(to_weights + at, to_weight, mask=inside)


def composited(weights: Tensor, values: Tensor) -> Tensor:
    """Each ray's sum of values by weight, ``rays channels``."""
    # zeros: rays without samples see nothing, and nothing is launched for them
    out = weights.new_zeros(len(weights), values.shape[2])
    weights, values = weights.detach().contiguous(), values.detach().flatten(0, 1)
    _run(weights, values, out, weights, values, backward=False)
    return out


def composited_backward(weights: Tensor, values: Tensor, to_sums: Tensor) -> tuple[Tensor, Tensor]:
    """Derivatives by weights and by values, laid out as these are."""
    shape = values.shape
    weights, values = weights.detach().contiguous(), values.detach().flatten(0, 1)
    to_weights, to_values = torch.empty_like(weights), torch.empty_like(values)
    _run(weights, values, to_sums.contiguous(), to_weights, to_values, backward=True)
    return to_weights, to_values.view(shape)


def _run(
    weights: Tensor, values: Tensor, sums: Tensor, to_weights: Tensor, to_values: Tensor,
    *, backward: bool,
) -> None:  # fmt: skip
    rays, samples = weights.shape
    wide = lanes(samples)
    each = max(1, TILE // wide)
    launch(
        sum_by_weight, (blocks(rays, each) * (samples > 0),), weights, *strided(values), sums,
        to_weights, *strided(to_values), rays, samples, CHANNELS=values.shape[1], RAYS=each,
        SAMPLES=wide, BACKWARD=backward, num_warps=4,
    )  # fmt: skip
