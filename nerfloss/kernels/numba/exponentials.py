"""Exponential and logarithm that a compiled loop can vectorise.

Calls of exp and log are not vectorised without a vendor's library. These are polynomials, exact to
the last digit or two of a float32.
"""

import math

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.polynomial import Chebyshev, Polynomial

from nerfloss.kernels.numba.compile import compiled

_LOG2E = np.float32(1 / math.log(2))
# ln 2 in two parts: the first has few digits, so that its products with integers are exact
_LN2_HIGH = np.float32(0.693359375)
_LN2_LOW = np.float32(math.log(2) - 0.693359375)
_EXP_TERMS = tuple(np.float32(1 / math.factorial(n)) for n in range(8))
# log(1 + x) / x on [0, 1], interpolated at Chebyshev's points: off by 2e-8 at most
_LOG_TERMS = tuple(
    np.float32(term)
    for term in Chebyshev.interpolate(lambda x: np.log1p(x) / x, 9, domain=[0, 1])
    .convert(kind=Polynomial)
    .coef
)
# Arguments are clamped here: products with smaller results would be denormal numbers, which cost a
# hundred cycles each.
_SMALLEST = np.float32(-60)


@compiled
def exp_of_negative(x):
    """Return exp(x) for x <= 0; NaN for NaN."""
    # exp(x) = 2^whole exp(rest), |rest| <= ln(2) / 2. The comparison replaces NaN by a number that
    # can be converted to an integer; the rest keeps the NaN.
    x = _SMALLEST if x < _SMALLEST else x
    exponent = np.int32((x if x > _SMALLEST else _SMALLEST) * _LOG2E - np.float32(0.5))
    whole = np.float32(exponent)
    rest = (x - whole * _LN2_HIGH) - whole * _LN2_LOW
    bits = (exponent + np.int32(127)) << np.int32(23)
    value = _EXP_TERMS[7]
    for n in range(6, -1, -1):
        value = _EXP_TERMS[n] + rest * value
    return value * _bits_to_float(bits)  # pyright: ignore[reportCallIssue]


@compiled
def log_of_one_plus(x):
    """Return log(1 + x) for x in [0, 1]; NaN for NaN."""
    low = _LOG_TERMS[8] + x * _LOG_TERMS[9]
    for n in range(7, -1, -1):
        low = _LOG_TERMS[n] + x * low
    return x * low


@compiled
def sigmoid(x):
    """Return 1 / (1 + exp(-x)); NaN for NaN."""
    tail = exp_of_negative(-abs(x))
    return (tail if x < 0 else np.float32(1)) / (np.float32(1) + tail)


@intrinsic
def _bits_to_float(typingctx, bits):  # noqa: ARG001
    def generate(context, builder, signature, args):  # noqa: ARG001
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.int32), generate
