"""A small network with ReLU on the CPU, in blocks of points that stay in cache.

Implements `nerfloss.kernels.mlp.MLPKernel`. Activations are not written to memory; the backward
pass recomputes them.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from nerfloss.kernels.numba.compile import compiled
from nerfloss.kernels.numba.correlation import correlate
from nerfloss.kernels.numba.exponentials import sigmoid
from nerfloss.kernels.numba.gemm import BLOCK, multiply, multiply_transposed
from nerfloss.kernels.numba.mlp_block_ops import (
    block,
    fill,
    flat,
    hidden_blocks,
    no_bias,
    read,
    write,
)
from nerfloss.kernels.numba.network_parameters import arrays, summed_over_chunks
from nerfloss.kernels.numba.vector_ir import prefer_wide_vectors
from nerfloss.kernels.threads import parallel_for


def forward(inputs: Tensor, parameters: Sequence[Tensor], sigmoid_output: bool = False) -> Tensor:
    weights, biases = arrays(parameters)
    outputs = inputs.new_empty(len(biases[-1]), inputs.shape[1])
    x, y = inputs.detach().contiguous().numpy(), outputs.numpy()

    def share(begin: int, end: int) -> None:
        _forward(x, weights, biases, sigmoid_output, y, begin, end)

    parallel_for(inputs.shape[1], share, least=2 * BLOCK, block=BLOCK)
    return outputs


def backward(
    inputs: Tensor,
    parameters: Sequence[Tensor],
    grad_outputs: Tensor,
    outputs: Tensor | None = None,
) -> tuple[Tensor, list[Tensor]]:
    weights, biases = arrays(parameters)
    inputs, grad_outputs = inputs.detach().contiguous(), grad_outputs.detach().contiguous()
    grad_inputs = torch.empty_like(inputs)
    x, grad_y, grad_x = inputs.numpy(), grad_outputs.numpy(), grad_inputs.numpy()
    y = grad_y[:0] if outputs is None else outputs.detach().contiguous().numpy()

    def chunk(begin: int, end: int, sums: tuple) -> None:
        _backward(x, weights, biases, y, grad_y, begin, end, grad_x, *sums)

    return grad_inputs, summed_over_chunks(inputs.shape[1], parameters, chunk)


@compiled
def _forward(inputs, weights, biases, sigmoid_output, outputs, begin, end):
    x, y, a = block(len(inputs)), block(len(outputs)), hidden_blocks(biases)
    for start in range(begin, end, BLOCK):
        count = min(BLOCK, end - start)
        read(inputs, start, count, x)
        _activate(x, weights, biases, a)
        multiply(weights[-1], biases[-1], a[-1], y)
        if sigmoid_output:
            _sigmoid(y)
        write(y, start, count, outputs)


@compiled
def _backward(
    inputs, weights, biases, final, grad_outputs, begin, end, grad_inputs, grad_weights, grad_biases
):  # fmt: skip
    x, grad_x, grad_y = block(len(inputs)), block(len(inputs)), block(len(grad_outputs))
    a, grad_a = hidden_blocks(biases), hidden_blocks(biases)
    ones, zeros = block(1), no_bias(inputs, biases)
    fill(1, ones)
    for start in range(begin, end, BLOCK):
        count = min(BLOCK, end - start)
        read(inputs, start, count, x)
        read(grad_outputs, start, count, grad_y)
        if len(final) > 0:
            _sigmoid_backward(final, start, count, grad_y)
        _activate(x, weights, biases, a)
        above = grad_y
        for layer in range(len(a), -1, -1):
            correlate(above, x if layer == 0 else a[layer - 1], grad_weights[layer])
            correlate(above, ones, grad_biases[layer])
            below = grad_x if layer == 0 else grad_a[layer - 1]
            multiply_transposed(weights[layer], zeros, above, below)
            if layer > 0:
                _pass_where_positive(a[layer - 1], below)
            above = below
        write(grad_x, start, count, grad_inputs)


@compiled
def _activate(x, weights, biases, a):
    prefer_wide_vectors()
    for layer in range(len(a)):
        multiply(weights[layer], biases[layer], x if layer == 0 else a[layer - 1], a[layer])
        values = flat(a[layer])
        for i in range(len(values)):
            # a comparison that keeps NaN
            values[i] = 0 if values[i] < 0 else values[i]


@compiled
def _pass_where_positive(activations, gradient):
    prefer_wide_vectors()
    a, g = flat(activations), flat(gradient)
    for i in range(len(g)):
        g[i] = g[i] if a[i] > 0 else 0


@compiled
def _sigmoid(values):
    prefer_wide_vectors()
    entries = flat(values)
    for i in range(len(entries)):
        entries[i] = sigmoid(entries[i])


@compiled
def _sigmoid_backward(final, start, count, gradient):
    """Replace the gradient of a sigmoid's output by that of its input."""
    for row in range(len(gradient)):
        for i in range(count):
            y = final[row, start + i]
            gradient[row, i] *= y * (np.float32(1) - y)
