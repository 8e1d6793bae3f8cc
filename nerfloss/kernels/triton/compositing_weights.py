"""Compositing weights along rays on a GPU: one kernel for both passes, a few rays per program.

`nerfloss.maths.compositing` defines them. The transmittance is a running product. The gradient is a
scan from the far end: the samples behind sample i contribute ``S_i = a w + (1 - a) S`` of sample
i + 1, without a division by the remaining transmittance.
"""

import torch
from torch import Tensor

from nerfloss.kernels.triton.language import cdiv, constexpr, jit, launch, next_power_of_two, tl

# As in the definition: the largest opacity.
MAX_ALPHA = tl.constexpr(1 - 1e-7)
# Samples per program, as whole rays.
TILE = 2048


@jit
def product(a, b):
    return a * b


@jit
def compose(far_m, far_c, near_m, near_c):
    """Compose two steps ``S -> m S + c``, of which the far one comes first."""
    return near_m * far_m, near_m * far_c + near_c


@jit
def weights_kernel(
    alphas, grad_weights, out, rays, samples,
    RAYS: constexpr, SAMPLES: constexpr, BACKWARD: constexpr,
):  # fmt: skip
    """Write the weights, or with BACKWARD the gradient of the opacities."""
    ray = tl.program_id(0) * RAYS + tl.arange(0, RAYS)
    sample = tl.arange(0, SAMPLES)
    at = ray.to(tl.int64)[:, None] * samples + sample[None, :]
    inside = (ray < rays)[:, None] & (sample < samples)[None, :]
    a = tl.load(alphas + at, mask=inside, other=0.0)
    # the previous sample: the running product up to it is the transmittance here
    before = tl.load(alphas + at - 1, mask=inside & (sample > 0)[None, :], other=0.0)
    transmittance = tl.associative_scan(1.0 - tl.minimum(before, MAX_ALPHA), 1, product)
    if BACKWARD:
        last = inside & (sample + 1 < samples)[None, :]
        after = tl.load(alphas + at + 1, mask=last, other=0.0)
        grad_after = tl.load(grad_weights + at + 1, mask=last, other=0.0)
        steps = (1.0 - tl.minimum(after, MAX_ALPHA), after * grad_after)
        _, shadow = tl.associative_scan(steps, 1, compose, reverse=True)
        grad = tl.load(grad_weights + at, mask=inside, other=0.0)
        tl.store(
            out + at, transmittance * (grad - tl.where(a <= MAX_ALPHA, shadow, 0.0)), mask=inside
        )
    else:
        tl.store(out + at, transmittance * a, mask=inside)


def weights(alphas: Tensor) -> Tensor:
    return _run(alphas, alphas, backward=False)


def weights_backward(alphas: Tensor, grad_weights: Tensor) -> Tensor:
    return _run(alphas, grad_weights, backward=True)


def _run(alphas: Tensor, grad_weights: Tensor, *, backward: bool) -> Tensor:
    alphas, grad_weights = alphas.detach().contiguous(), grad_weights.detach().contiguous()
    out = torch.empty_like(alphas)
    if alphas.numel() == 0:
        return out
    rays, samples = alphas.shape
    wide = next_power_of_two(samples)
    each = max(1, TILE // wide)
    fixed = {"RAYS": each, "SAMPLES": wide, "BACKWARD": backward}
    launch(
        weights_kernel,
        (cdiv(rays, each),),
        alphas,
        grad_weights,
        out,
        rays,
        samples,
        num_warps=4,
        **fixed,
    )
    return out
