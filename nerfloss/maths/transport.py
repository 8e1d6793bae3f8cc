"""Entropic optimal transport between two sets of points of equal total mass.

Letters: f, g are the potentials of the two sets, C the Euclidean distances, e the blur.
"""

import math
from itertools import chain, repeat
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from nerfloss.maths.nearest_neighbours import PAIRS, distances


def sinkhorn_divergence(
    points: Float[Tensor, "points 3"], others: Float[Tensor, "others 3"], blur: float, steps: int
) -> Float[Tensor, ""]:
    """Return the debiased cost ``T(x, y) - T(x, x) / 2 - T(y, y) / 2`` of entropic transport T.

    At least 0 up to rounding, 0 for equal sets, and the earth mover's distance as the blur
    vanishes. The two self-transport costs remove the entropic bias, which would otherwise draw
    points together.

    Reference: Feydy et al., "Interpolating between Optimal Transport and MMD using Sinkhorn
    Divergences", AISTATS 2019, equation 3.
    """
    each = transport_cost(points, points, blur, steps) + transport_cost(others, others, blur, steps)
    return transport_cost(points, others, blur, steps) - 0.5 * each


def transport_cost(
    points: Float[Tensor, "points 3"], others: Float[Tensor, "others 3"], blur: float, steps: int
) -> Float[Tensor, ""]:
    """Return the least cost of moving one set onto the other, entropy included.

    The cost is the distance, mass is uniform on each set. Sinkhorn's iterations run in the log
    domain, the blur halved from the diameter down to its value, followed by ``steps`` iterations at
    its value.

    Reference: Cuturi, "Sinkhorn Distances: Lightspeed Computation of Optimal Transport", NIPS 2013.
    """
    return _Cost.apply(points, others, blur, steps)


class _Cost(torch.autograd.Function):
    """Dual value; its gradient holds the plan fixed, which is exact at the optimum."""

    @staticmethod
    def forward(ctx: Any, points: Tensor, others: Tensor, blur: float, steps: int) -> Tensor:
        f, g = _potentials(points, others, blur, steps)
        ctx.save_for_backward(points, others, f, g)
        ctx.blur = blur
        return f.mean() + g.mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        points, others, f, g = ctx.saved_tensors
        to_points = (
            _cost_gradient(points, others, f, g, ctx.blur) if ctx.needs_input_grad[0] else None
        )
        to_others = (
            _cost_gradient(others, points, g, f, ctx.blur) if ctx.needs_input_grad[1] else None
        )
        scaled = [None if each is None else grad * each for each in (to_points, to_others)]
        return scaled[0], scaled[1], None, None


def _potentials(points: Tensor, others: Tensor, blur: float, steps: int) -> tuple[Tensor, Tensor]:
    both = torch.cat([points, others])
    blurred = float((both.amax(0) - both.amin(0)).norm())
    falling = []
    while blurred > blur:
        falling.append(blurred)
        blurred *= 0.5
    f, g = points.new_zeros(len(points)), others.new_zeros(len(others))
    for e in chain(falling, repeat(blur, steps)):
        f = _soft_minimum(points, others, g, e)
        g = _soft_minimum(others, points, f, e)
    return f, g


def _soft_minimum(points: Tensor, others: Tensor, potential: Tensor, blur: float) -> Tensor:
    """Return ``-e log mean_j exp((g_j - C_ij) / e)`` for every point i."""
    parts = [
        ((potential - distances(part, others)) / blur).logsumexp(-1)
        for part in points.split(max(1, PAIRS // len(others)))
    ]
    return -blur * (torch.cat(parts) - math.log(len(others)))


def _cost_gradient(points: Tensor, others: Tensor, f: Tensor, g: Tensor, blur: float) -> Tensor:
    """Return the gradient of the cost by the points: ``sum_j P_ij (x_i - y_j) / C_ij``."""
    rows = max(1, PAIRS // len(others))
    parts = []
    for part, own in zip(points.split(rows), f.split(rows), strict=True):
        apart = distances(part, others)
        plan = ((own[:, None] + g - apart) / blur).exp() / (len(points) * len(others))
        # Where two points coincide the direction is undefined: the floor turns 0 / 0 into 0.
        share = plan / apart.clamp_min(1e-12)
        parts.append(share.sum(-1, keepdim=True) * part - share @ others)
    return torch.cat(parts)
