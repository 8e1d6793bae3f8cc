"""Operations on blocks of points, which hold the activations of a compiled network in cache.

A block is ``rows BLOCK``, points fastest; columns beyond the last point are 0.
"""

import numpy as np

from nerfloss.kernels.numba.compile import compiled
from nerfloss.kernels.numba.gemm import BLOCK, multiply

# Points over which one thread sums the gradients of parameters. The sums are then added in order,
# so that the last bit does not depend on the number of threads.
CHUNK = 4 * BLOCK


@compiled
def block(rows):
    """Return a block of zeros."""
    return np.zeros((rows, BLOCK), np.float32)


@compiled
def hidden_blocks(biases):
    """Return a block of zeros for every hidden layer."""
    return np.zeros((len(biases) - 1, len(biases[0]), BLOCK), np.float32)


# Loops, because an assignment to a slice takes a hundred times as long to compile.
@compiled
def fill(number, out):
    """Set every entry of a block to a number."""
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
    """Copy a block's first ``count`` points to an array, from ``start`` on."""
    for row in range(len(block)):
        for i in range(count):
            array[row, start + i] = block[row, i]


@compiled
def linear(weight, bias, inputs, outputs):
    """Write ``weight @ inputs + bias``."""
    for row in range(len(outputs)):
        for i in range(BLOCK):
            outputs[row, i] = bias[row, 0]
    multiply(weight, inputs, outputs)


@compiled
def product(left, right, out):
    """Write ``left * right``, elementwise."""
    for row in range(len(out)):
        a, b, c = left[row], right[row], out[row]
        for i in range(BLOCK):
            c[i] = a[i] * b[i]
