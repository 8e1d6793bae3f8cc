"""Blocks of points in cache: where a compiled network keeps what it is working on.

A block is ``rows BLOCK``, points fastest; what lies beyond the last point is 0.
"""

import numpy as np

from nerfloss.kernels.numba.compile import compiled
from nerfloss.kernels.numba.gemm import BLOCK, multiply

# Derivatives of parameters are summed over so many points by one thread, then over these sums in
# order: the last bit does not depend on the number of threads.
CHUNK = 4 * BLOCK


@compiled
def block(rows):
    """A block of zeros."""
    return np.zeros((rows, BLOCK), np.float32)


@compiled
def hidden_blocks(biases):
    """A block of zeros for every hidden layer."""
    return np.zeros((len(biases) - 1, len(biases[0]), BLOCK), np.float32)


# Written as loops: an assignment to a slice takes a hundred times as long to compile.
@compiled
def fill(number, out):
    """Set every number of a block."""
    for row in range(len(out)):
        for i in range(BLOCK):
            out[row, i] = number


@compiled
def read(array, start, count, out):
    """Copy ``count`` points, from ``start`` on, into a block."""
    for row in range(len(out)):
        for i in range(count):
            out[row, i] = array[row, start + i]
        for i in range(count, BLOCK):
            out[row, i] = 0


@compiled
def write(block, start, count, array):
    """Copy a block's first ``count`` points to where they belong."""
    for row in range(len(block)):
        for i in range(count):
            array[row, start + i] = block[row, i]


@compiled
def linear(weight, bias, inputs, outputs):
    """``weight @ inputs + bias``"""
    for row in range(len(outputs)):
        for i in range(BLOCK):
            outputs[row, i] = bias[row, 0]
    multiply(weight, inputs, outputs)


@compiled
def product(left, right, out):
    """``left * right``, number by number."""
    for row in range(len(out)):
        a, b, c = left[row], right[row], out[row]
        for i in range(BLOCK):
            c[i] = a[i] * b[i]
