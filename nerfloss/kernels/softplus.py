"""Softplus together with its derivative, which the gradient of a signed distance needs anyway.

On the CPU one compiled pass makes both and one makes their backward: torch needs four and five.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable


def softplus_and_slope(
    inputs: Float[Tensor, "*shape"], beta: float = 100.0
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """``log(1 + exp(beta x)) / beta`` and its derivative ``sigmoid(beta x)``.

    Exact at both ends: no threshold beyond which it turns into x. NaN gives NaN.
    Differentiable once.
    """
    return _Softplus.apply(inputs, beta)


class _Softplus(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, beta: float) -> tuple[Tensor, Tensor]:
        ctx.beta = beta
        if _compiled(inputs):
            from nerfloss.kernels import cpu_softplus

            value, slope = cpu_softplus.forward(inputs, beta)
        else:
            scaled = inputs * beta
            value = torch.nn.functional.softplus(scaled, threshold=80.0) / beta
            slope = torch.sigmoid(scaled)
        ctx.save_for_backward(slope)
        return value, slope

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_value: Tensor, grad_slope: Tensor) -> tuple[Tensor, None]:
        (slope,) = ctx.saved_tensors
        if _compiled(slope):
            from nerfloss.kernels import cpu_softplus

            return cpu_softplus.backward(slope, grad_value, grad_slope, ctx.beta), None
        bend = ctx.beta * slope * (1 - slope)
        return grad_value * slope + grad_slope * bend, None


def _compiled(tensor: Tensor) -> bool:
    return tensor.device.type == "cpu" and tensor.dtype == torch.float32
