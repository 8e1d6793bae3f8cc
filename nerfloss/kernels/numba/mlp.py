"""A small network with ReLU on the CPU: forward and backward, block by block in cache.

Activations are never written to memory; the backward pass makes them again.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from nerfloss.kernels.numba.compile import compiled
from nerfloss.kernels.numba.exponentials import sigmoid
from nerfloss.kernels.numba.gemm import BLOCK, correlate, multiply_transposed
from nerfloss.kernels.numba.mlp_block_ops import block, fill, hidden_blocks, linear, read, write
from nerfloss.kernels.numba.network_parameters import arrays, summed_over_chunks
from nerfloss.kernels.threads import parallel_for


def forward(inputs: Tensor, parameters: Sequence[Tensor], squash: bool = False) -> Tensor:
    """The last layer's outputs, ``rows points``, from inputs laid out alike.

    If they are to be ``squash``-ed they go through a sigmoid.
    """
    weights, biases = arrays(parameters)
    outputs = inputs.new_empty(len(biases[-1]), inputs.shape[1])
    x, y = inputs.detach().contiguous().numpy(), outputs.numpy()

    def share(begin: int, end: int) -> None:
        _forward(x, weights, biases, squash, y, begin, end)

    parallel_for(inputs.shape[1], share, least=2 * BLOCK, block=BLOCK)
    return outputs


def backward(
    inputs: Tensor,
    parameters: Sequence[Tensor],
    to_outputs: Tensor,
    squashed: Tensor | None = None,
) -> tuple[Tensor, list[Tensor]]:
    """Derivatives by the inputs and by every parameter, from those by the outputs.

    ``squashed`` are these, if they went through a sigmoid.
    """
    weights, biases = arrays(parameters)
    inputs, to_outputs = inputs.detach().contiguous(), to_outputs.detach().contiguous()
    to_inputs = torch.empty_like(inputs)
    x, to_y, to_x = inputs.numpy(), to_outputs.numpy(), to_inputs.numpy()
    y = to_y[:0] if squashed is None else squashed.detach().contiguous().numpy()

    def chunk(begin: int, end: int, sums: tuple) -> None:
        _backward(x, weights, biases, y, to_y, begin, end, to_x, *sums)

    return to_inputs, summed_over_chunks(inputs.shape[1], parameters, chunk)


@compiled
def _forward(inputs, weights, biases, squash, outputs, begin, end):
    x, y, a = block(len(inputs)), block(len(outputs)), hidden_blocks(biases)
    for start in range(begin, end, BLOCK):
        count = min(BLOCK, end - start)
        read(inputs, start, count, x)
        _activate(x, weights, biases, a)
        linear(weights[-1], biases[-1], a[-1], y)
        if squash:
            _squash(y)
        write(y, start, count, outputs)


@compiled
def _backward(
    inputs, weights, biases, squashed, to_outputs, begin, end, to_inputs, to_weights, to_biases
):  # fmt: skip
    x, to_x, to_y = block(len(inputs)), block(len(inputs)), block(len(to_outputs))
    a, to_a, ones = hidden_blocks(biases), hidden_blocks(biases), block(1)
    fill(1, ones)
    for start in range(begin, end, BLOCK):
        count = min(BLOCK, end - start)
        read(inputs, start, count, x)
        read(to_outputs, start, count, to_y)
        if len(squashed) > 0:
            _squash_backward(squashed, start, count, to_y)
        _activate(x, weights, biases, a)
        above = to_y
        for layer in range(len(a), -1, -1):
            correlate(above, x if layer == 0 else a[layer - 1], to_weights[layer])
            correlate(above, ones, to_biases[layer])
            below = to_x if layer == 0 else to_a[layer - 1]
            fill(0, below)
            multiply_transposed(weights[layer], above, below)
            if layer > 0:
                _pass_where_positive(a[layer - 1], below)
            above = below
        write(to_x, start, count, to_inputs)


@compiled
def _activate(x, weights, biases, a):
    for layer in range(len(a)):
        linear(weights[layer], biases[layer], x if layer == 0 else a[layer - 1], a[layer])
        for row in range(a.shape[1]):
            values = a[layer, row]
            for i in range(BLOCK):
                # a comparison that NaN passes through
                values[i] = 0 if values[i] < 0 else values[i]


@compiled
def _pass_where_positive(activations, gradient):
    for row in range(len(gradient)):
        a, g = activations[row], gradient[row]
        for i in range(BLOCK):
            g[i] = g[i] if a[i] > 0 else 0


@compiled
def _squash(values):
    for row in range(len(values)):
        for i in range(BLOCK):
            values[row, i] = sigmoid(values[row, i])


@compiled
def _squash_backward(squashed, start, count, gradient):
    """Derivative by what went into the sigmoid, in place of that by what came out."""
    for row in range(len(gradient)):
        for i in range(count):
            y = squashed[row, start + i]
            gradient[row, i] *= y * (np.float32(1) - y)
