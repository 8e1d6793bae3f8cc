"""Softplus, its derivative and their backward on the CPU, each in one vectorised pass.

For float32: calls of exp and log are not vectorised without a vendor's library, so they are spelled
out as polynomials, exact to the last digit or two.
"""

import math

import numpy as np
import torch
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from torch import Tensor

from nerfloss.kernels.compiled import compiled
from nerfloss.kernels.threads import share_out

_LOG2E = np.float32(1 / math.log(2))
# ln 2 in two parts: the first has few digits, so that its products with whole numbers are exact
_LN2_HIGH = np.float32(0.693359375)
_LN2_LOW = np.float32(math.log(2) - 0.693359375)
_EXP_TERMS = tuple(np.float32(1 / math.factorial(n)) for n in range(8))
_ARTANH_TERMS = tuple(np.float32(1 / n) for n in range(1, 17, 2))
# Below exp(-60) everything counts as that: products with it would be denormal numbers, which cost
# a hundred cycles each.
_SMALLEST = np.float32(-60)
_NEGLIGIBLE = np.float32(1e-4)  # its square no longer counts beside 1, its eighth power is normal


def forward(inputs: Tensor, beta: float) -> tuple[Tensor, Tensor]:
    """``log(1 + exp(beta x)) / beta`` and ``sigmoid(beta x)``."""
    flat = inputs.detach().contiguous().view(-1)
    value, slope = torch.empty_like(flat), torch.empty_like(flat)
    x, v, s = flat.numpy(), value.numpy(), slope.numpy()
    share_out(len(flat), lambda begin, end: _forward(x, v, s, beta, begin, end))
    return value.view(inputs.shape), slope.view(inputs.shape)


def backward(slope: Tensor, grad_value: Tensor, grad_slope: Tensor, beta: float) -> Tensor:
    """``grad_value slope + grad_slope beta slope (1 - slope)``"""
    s, to_value, to_slope = (
        each.detach().contiguous().view(-1).numpy() for each in (slope, grad_value, grad_slope)
    )
    out = torch.empty_like(slope)
    flat = out.view(-1).numpy()
    share_out(len(s), lambda begin, end: _backward(s, to_value, to_slope, flat, beta, begin, end))
    return out


@compiled
def _forward(inputs, value, slope, beta, begin, end):
    beta, zero, one = np.float32(beta), np.float32(0), np.float32(1)
    inputs, value, slope = inputs[begin:end], value[begin:end], slope[begin:end]
    for i in range(len(inputs)):
        x = beta * inputs[i]
        tail = _exp_of_negative(-abs(x))
        value[i] = ((zero if x < 0 else x) + _log_of_one_plus(tail)) / beta
        slope[i] = (tail if x < 0 else one) / (one + tail)


@compiled
def _backward(slope, grad_value, grad_slope, out, beta, begin, end):
    beta, one = np.float32(beta), np.float32(1)
    slope, out = slope[begin:end], out[begin:end]
    grad_value, grad_slope = grad_value[begin:end], grad_slope[begin:end]
    for i in range(len(out)):
        out[i] = slope[i] * (grad_value[i] + grad_slope[i] * beta * (one - slope[i]))


@compiled
def _exp_of_negative(x):
    """exp on (-inf, 0]; NaN for NaN."""
    # exp(x) = 2^whole exp(rest), |rest| <= ln(2) / 2. The comparison with NaN picks a number that
    # can be converted; NaN itself stays in the rest.
    x = _SMALLEST if x < _SMALLEST else x
    exponent = np.int32((x if x > _SMALLEST else _SMALLEST) * _LOG2E - np.float32(0.5))
    whole = np.float32(exponent)
    rest = (x - whole * _LN2_HIGH) - whole * _LN2_LOW
    bits = (exponent + np.int32(127)) << np.int32(23)
    return _horner(rest, _EXP_TERMS) * _bits_to_float(bits)  # pyright: ignore[reportCallIssue]


@compiled
def _log_of_one_plus(x):
    """log(1 + x) on [0, 1]; NaN for NaN."""
    # log(1 + x) = 2 artanh(x / (2 + x)), whose argument is at most 1/3
    y = x / (np.float32(2) + x)
    floored = _NEGLIGIBLE if y < _NEGLIGIBLE else y
    return np.float32(2) * y * _horner(floored * floored, _ARTANH_TERMS)


@compiled
def _horner(x, terms):
    low = terms[0] + x * (terms[1] + x * (terms[2] + x * terms[3]))
    high = terms[4] + x * (terms[5] + x * (terms[6] + x * terms[7]))
    square = x * x
    return low + square * square * high


@intrinsic
def _bits_to_float(typingctx, bits):  # noqa: ARG001
    def generate(context, builder, signature, args):  # noqa: ARG001
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.int32), generate
