"""Clipping of gradients ray by ray, against rays whose gradient is far larger than the others'.

The derivative of a hash grid jumps at the faces of its cells, and at an outline a small motion
changes a colour entirely: a few rays in a hundred have gradients some hundred times the median, and
the noise that they bring hides the rest. docs/cameras.md has the measurement.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable


def with_clipped_gradient(
    rows: Float[Tensor, "rays channels"], factor: float | int | None
) -> Float[Tensor, "rays channels"]:
    """Return the rows; in the backward pass, the gradient of each has a limited length.

    The limit is ``factor`` times the median length over the rays whose gradient is not 0; None: no
    limit. Rays without a gradient see no object, or the same colour everywhere.
    """
    return rows if factor is None else _Clipped.apply(rows, factor)


class _Clipped(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, factor: float | int) -> Tensor:
        ctx.factor = factor
        return rows.view_as(rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        length = grad.square().sum(-1).sqrt()
        # Rays without gradient become NaN, which nanmedian leaves out, without a synchronisation.
        median = torch.where(length > 0, length, torch.nan).nanmedian()
        limit = ctx.factor * median
        # Where no ray has a gradient the comparison with NaN is false, and all stay 0.
        scale = torch.where(length > limit, limit / length.clamp_min(1e-30), 1.0)
        return scale[:, None] * grad, None
