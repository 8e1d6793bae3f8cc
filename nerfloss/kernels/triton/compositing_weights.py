"""Compositing weights along rays on a GPU: one pass forward, one backward, a few rays per program.

`nerfloss.maths.compositing` defines them. Light is a running product, and the derivative runs from
the far end: what lies behind sample i matters as ``S_i = a w + (1 - a) S`` of sample i + 1, without
a division by the light that is left.
"""

import torch
from torch import Tensor

from nerfloss.kernels.triton.language import blocks, constexpr, jit, lanes, launch, tl

# As in the definition: the most opaque sample.
OPAQUE = tl.constexpr(1 - 1e-7)
# So many samples, those of whole rays, per program.
TILE = 2048


@jit
def times(a, b):
    return a * b


@jit
def behind(far_m, far_c, near_m, near_c):
    """Two steps ``S -> m S + c``, the far one first, as one."""
    return near_m * far_m, near_m * far_c + near_c


@jit
def weigh(
    alphas, to_weights, out, rays, samples,
    RAYS: constexpr, SAMPLES: constexpr, BACKWARD: constexpr,
):  # fmt: skip
    """Write weights, or with BACKWARD the derivative by the opacities."""
    ray = tl.program_id(0) * RAYS + tl.arange(0, RAYS)
    sample = tl.arange(0, SAMPLES)
    at = ray.to(tl.int64)[:, None] * samples + sample[None, :]
    inside = (ray < rays)[:, None] & (sample < samples)[None, :]
    a = tl.load(alphas + at, mask=inside, other=0.0)
    # the sample before: a running product up to it is the light that arrives here
    before = tl.load(alphas + at - 1, mask=inside & (sample > 0)[None, :], other=0.0)
    light = tl.associative_scan(1.0 - tl.minimum(before, OPAQUE), 1, times)
    if BACKWARD:
        last = inside & (sample + 1 < samples)[None, :]
        after = tl.load(alphas + at + 1, mask=last, other=0.0)
        to_after = tl.load(to_weights + at + 1, mask=last, other=0.0)
        steps = (1.0 - tl.minimum(after, OPAQUE), after * to_after)
        _, shadow = tl.associative_scan(steps, 1, behind, reverse=True)
        to = tl.load(to_weights + at, mask=inside, other=0.0)
        tl.store(out + at, light * (to - tl.where(a <= OPAQUE, shadow, 0.0)), mask=inside)
    else:
        tl.store(out + at, light * a, mask=inside)


def weights(alphas: Tensor) -> Tensor:
    """Share of light that each sample stops, ``rays samples``."""
    return _run(alphas, alphas, backward=False)


def weights_backward(alphas: Tensor, to_weights: Tensor) -> Tensor:
    """Derivative by the opacities."""
    return _run(alphas, to_weights, backward=True)


def _run(alphas: Tensor, to_weights: Tensor, *, backward: bool) -> Tensor:
    alphas, to_weights = alphas.detach().contiguous(), to_weights.detach().contiguous()
    out = torch.empty_like(alphas)
    if alphas.numel() == 0:
        return out
    rays, samples = alphas.shape
    wide = lanes(samples)
    each = max(1, TILE // wide)
    fixed = {"RAYS": each, "SAMPLES": wide, "BACKWARD": backward}
    launch(
        weigh, (blocks(rays, each),), alphas, to_weights, out, rays, samples, num_warps=4, **fixed
    )
    return out
