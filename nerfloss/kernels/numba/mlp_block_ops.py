"""Operations on blocks of points, which hold the activations of a compiled network in cache.

A block is ``rows BLOCK``, points fastest; columns beyond the last point are 0.
"""

import numpy as np

from nerfloss.kernels.numba.compile import compiled
from nerfloss.kernels.numba.gemm import BLOCK
from nerfloss.kernels.numba.vector_ir import prefer_wide_vectors

# Points over which one thread sums the gradients of parameters. The sums are then added in order,
# so that the last bit does not depend on the number of threads.
CHUNK = 8 * BLOCK


@compiled
def block(rows):
    """Return an uninitialised block."""
    return np.empty((rows, BLOCK), np.float32)


@compiled
def hidden_blocks(biases):
    """Return an uninitialised block for every hidden layer."""
    return np.empty((len(biases) - 1, len(biases[0]), BLOCK), np.float32)


@compiled
def no_bias(inputs, biases):
    """Return zeros for the rows of every layer, its inputs included."""
    return np.zeros((max(len(inputs), len(biases[0])), 1), np.float32)


@compiled
def flat(block):
    """Return a block's numbers in one row: short loops cost more to start than to run."""
    return block.reshape(block.size)


# Loops, because an assignment to a slice takes a hundred times as long to compile.
@compiled
def fill(number, out):
    """Set every entry of a block to a number."""
    entries = flat(out)
    for i in range(len(entries)):
        entries[i] = number


@compiled
def spread(numbers, out):
    """Set every row of a block to its number."""
    for row in range(len(out)):
        entries, number = out[row], numbers[row]
        for i in range(BLOCK):
            entries[i] = number


@compiled
def read(array, start, count, out):
    """Copy ``count`` points, from ``start`` on, into a block."""
    for row in range(len(out)):
        source, target = array[row, start : start + count], out[row]
        for i in range(count):
            target[i] = source[i]
        for i in range(count, BLOCK):
            target[i] = 0


@compiled
def write(block, start, count, array):
    """Copy a block's first ``count`` points to an array, from ``start`` on."""
    for row in range(len(block)):
        source, target = block[row], array[row, start : start + count]
        for i in range(count):
            target[i] = source[i]


@compiled
def product(left, right, out):
    """Write ``left * right``, elementwise."""
    prefer_wide_vectors()
    a, b, c = flat(left), flat(right), flat(out)
    for i in range(len(c)):
        c[i] = a[i] * b[i]
