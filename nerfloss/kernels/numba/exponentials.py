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
# log(1 + x) / x for x in [0, 1] by powers of x - 1/2, interpolated at Chebyshev's points: off by
# 2e-8 at most. Powers of x itself would be denormal numbers for the many x near 0.
_LOG_TERMS = tuple(
    np.float32(term)
    for term in Chebyshev.interpolate(
        lambda x: np.log1p(x + 0.5) / (x + 0.5), 9, domain=[-0.5, 0.5]
    )
    .convert(kind=Polynomial)
    .coef
)
# Arguments are clamped here: products with smaller results would be denormal numbers, which cost a
# hundred cycles each.
_SMALLEST = np.float32(-60)


@compiled
def exp_of_negative(x):
    """Return exp(x) for x <= 0; NaN for NaN."""
    # exp(x) = 2^whole exp(rest), |rest| <= ln(2) / 2. A NaN is converted to some integer; the rest
    # keeps it.
    x = _SMALLEST if x < _SMALLEST else x
    exponent = np.int32(x * _LOG2E - np.float32(0.5))
    whole = np.float32(exponent)
    rest = (x - whole * _LN2_HIGH) - whole * _LN2_LOW
    bits = (exponent + np.int32(127)) << np.int32(23)
    value = _eight_terms(_EXP_TERMS, rest)
    return value * _bits_to_float(bits)  # pyright: ignore[reportCallIssue]


@compiled
def log_of_one_plus(x):
    """Return log(1 + x) for x in [0, 1]; NaN for NaN."""
    y = x - np.float32(0.5)
    square = y * y
    eighth = (square * square) * (square * square)
    last = _LOG_TERMS[8] + y * _LOG_TERMS[9]
    return x * (_eight_terms(_LOG_TERMS, y) + eighth * last)


@compiled
def _eight_terms(terms, x):
    """Return the polynomial of degree 7, in a short chain of dependent operations (Estrin)."""
    square = x * x
    low = (terms[0] + x * terms[1]) + square * (terms[2] + x * terms[3])
    high = (terms[4] + x * terms[5]) + square * (terms[6] + x * terms[7])
    return low + (square * square) * high


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
