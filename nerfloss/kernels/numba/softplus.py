"""Softplus ``log(1 + exp(beta z)) / beta`` of many numbers, its derivative and its backward pass.

The values take two loops: the processor overlaps more iterations of short chains of operations.
"""

import numpy as np

from nerfloss.kernels.numba.compile import compiled
from nerfloss.kernels.numba.exponentials import exp_of_negative, log_of_one_plus
from nerfloss.kernels.numba.vector_ir import prefer_wide_vectors


@compiled
def softplus(values, scratch, beta):
    """Replace z by its softplus."""
    prefer_wide_vectors()
    inverse = np.float32(1) / beta
    for i in range(len(values)):
        scratch[i] = exp_of_negative(-abs(beta * values[i]))
    for i in range(len(values)):
        z = beta * values[i]
        values[i] = ((np.float32(0) if z < 0 else z) + log_of_one_plus(scratch[i])) * inverse


@compiled
def softplus_and_slope(values, slope, beta):
    """Replace z by its softplus; write the derivative ``sigmoid(beta z)``."""
    prefer_wide_vectors()
    zero, one = np.float32(0), np.float32(1)
    inverse = one / beta
    for i in range(len(values)):
        slope[i] = exp_of_negative(-abs(beta * values[i]))
    for i in range(len(values)):
        z, tail = beta * values[i], slope[i]
        values[i] = ((zero if z < 0 else z) + log_of_one_plus(tail)) * inverse
        slope[i] = (tail if z < 0 else one) / (one + tail)


@compiled
def softplus_backward(grad_a, slope, grad_slope, beta):
    """Replace the gradient of a by that of z, from those of a and s."""
    prefer_wide_vectors()
    one = np.float32(1)
    for i in range(len(grad_a)):
        grad_a[i] = slope[i] * (grad_a[i] + beta * (one - slope[i]) * grad_slope[i])
