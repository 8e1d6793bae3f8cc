"""The network of a signed distance on the CPU: values, input_gradient and their backward, block by block.

What one block of points needs stays in cache: activations are never written to memory, and the
backward pass makes them again. `nerfloss.kernels.sdf_mlp` defines the operation.

Letters: x inputs, z before and a after the softplus, s its slope, p and q the input_gradient before and after
it met the slope. An array named ``to_z`` holds the derivative of the loss by z.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from nerfloss.kernels.numba.compile import compiled
from nerfloss.kernels.numba.exponentials import exp_of_negative, log_of_one_plus
from nerfloss.kernels.numba.gemm import BLOCK, correlate, multiply, multiply_transposed
from nerfloss.kernels.numba.mlp_block_ops import (
    block,
    fill,
    hidden_blocks,
    linear,
    product,
    read,
    write,
)
from nerfloss.kernels.numba.network_parameters import arrays, summed_over_chunks
from nerfloss.kernels.threads import parallel_for


def forward(
    inputs: Tensor, parameters: Sequence[Tensor], beta: float, with_input_gradient: bool
) -> tuple[Tensor, Tensor]:
    """Outputs and input_gradient, each ``rows points``; no input_gradient unless ``with_input_gradient``."""
    weights, biases = arrays(parameters)
    count = inputs.shape[1]
    outputs = inputs.new_empty(len(biases[-1]), count)
    input_gradient = inputs.new_empty(len(inputs) if with_input_gradient else 0, count)
    x, y, p = inputs.detach().contiguous().numpy(), outputs.numpy(), input_gradient.numpy()

    def share(begin: int, end: int) -> None:
        _forward(x, weights, biases, y, p, np.float32(beta), begin, end)

    parallel_for(count, share, least=2 * BLOCK, block=BLOCK)
    return outputs, input_gradient


def backward(
    inputs: Tensor,
    parameters: Sequence[Tensor],
    beta: float,
    to_outputs: Tensor,
    grad_input_gradient: Tensor,
) -> tuple[Tensor, list[Tensor]]:
    """Derivatives by the inputs and by every parameter. An empty ``grad_input_gradient`` counts as 0."""
    weights, biases = arrays(parameters)
    to_inputs = torch.empty_like(inputs, memory_format=torch.contiguous_format)
    x, to_y, to_p = (
        each.detach().contiguous().numpy() for each in (inputs, to_outputs, grad_input_gradient)
    )
    to_x = to_inputs.numpy()

    def chunk(begin: int, end: int, sums: tuple) -> None:
        _backward(x, weights, biases, to_y, to_p, np.float32(beta), begin, end, to_x, *sums)

    return to_inputs, summed_over_chunks(inputs.shape[1], parameters, chunk)


@compiled
def _forward(inputs, weights, biases, outputs, input_gradient, beta, begin, end):
    x, out, p0 = block(len(inputs)), block(len(outputs)), block(len(inputs))
    a, s = hidden_blocks(biases), hidden_blocks(biases)
    p, q = hidden_blocks(biases), hidden_blocks(biases)
    for start in range(begin, end, BLOCK):
        count = min(BLOCK, end - start)
        read(inputs, start, count, x)
        _values(x, weights, biases, beta, a, s)
        linear(weights[-1], biases[-1], a[-1], out)
        write(out, start, count, outputs)
        if len(input_gradient) > 0:
            _pull(weights, s, p, q)
            fill(0, p0)
            multiply_transposed(weights[0], q[0], p0)
            write(p0, start, count, input_gradient)


@compiled
def _backward(
    inputs, weights, biases, to_outputs, grad_input_gradient, beta, begin, end, to_inputs, to_weights, to_biases
):  # fmt: skip
    x, to_x = block(len(inputs)), block(len(inputs))
    to_out, to_p0 = block(len(to_outputs)), block(len(inputs))
    a, s = hidden_blocks(biases), hidden_blocks(biases)
    p, q = hidden_blocks(biases), hidden_blocks(biases)
    to_a, to_s, to_p = hidden_blocks(biases), hidden_blocks(biases), hidden_blocks(biases)
    ones = block(1)
    fill(1, ones)
    for start in range(begin, end, BLOCK):
        count = min(BLOCK, end - start)
        read(inputs, start, count, x)
        read(to_outputs, start, count, to_out)
        _values(x, weights, biases, beta, a, s)
        for layer in range(len(to_s)):
            fill(0, to_s[layer])
        if len(grad_input_gradient) > 0:
            read(grad_input_gradient, start, count, to_p0)
            _pull(weights, s, p, q)
            _pull_backward(weights, s, p, q, to_p0, ones, to_weights, to_s, to_p)
        _values_backward(
            x, weights, a, s, to_s, to_out, ones, beta, to_a, to_x, to_weights, to_biases
        )
        write(to_x, start, count, to_inputs)


@compiled
def _values(x, weights, biases, beta, a, s):
    """Activations and slopes of all hidden layers."""
    for layer in range(len(a)):
        linear(weights[layer], biases[layer], x if layer == 0 else a[layer - 1], a[layer])
        for row in range(a.shape[1]):
            _softplus(a[layer, row], s[layer, row], beta)


@compiled
def _softplus(values, slope, beta):
    """``log(1 + exp(beta z)) / beta`` in place, and ``sigmoid(beta z)``."""
    zero, one = np.float32(0), np.float32(1)
    inverse = one / beta
    for i in range(BLOCK):
        z = beta * values[i]
        tail = exp_of_negative(-abs(z))
        values[i] = ((zero if z < 0 else z) + log_of_one_plus(tail)) * inverse
        slope[i] = (tail if z < 0 else one) / (one + tail)


@compiled
def _pull(weights, s, p, q):
    """``q = s p`` of every hidden layer, from the first output back to the first layer."""
    for layer in range(len(s) - 1, -1, -1):
        if layer == len(s) - 1:
            for row in range(s.shape[1]):
                for i in range(BLOCK):
                    p[layer, row, i] = weights[-1][0, row]
        else:
            fill(0, p[layer])
            multiply_transposed(weights[layer + 1], q[layer + 1], p[layer])
        product(s[layer], p[layer], q[layer])


@compiled
def _pull_backward(weights, s, p, q, to_p0, ones, to_weights, to_s, to_p):
    """From the derivative by the input_gradient to those by slopes and weights, first layer first."""
    for layer in range(len(s)):
        before = to_p0 if layer == 0 else to_p[layer - 1]
        correlate(q[layer], before, to_weights[layer])
        to_q = to_p[layer]
        fill(0, to_q)
        multiply(weights[layer], before, to_q)
        product(p[layer], to_q, to_s[layer])
        product(s[layer], to_q, to_p[layer])
    correlate(ones, to_p[-1], to_weights[-1][:1])


@compiled
def _values_backward(x, weights, a, s, to_s, to_out, ones, beta, to_a, to_x, to_weights, to_biases):
    """From the derivatives by outputs and slopes to those by parameters and inputs."""
    above = to_out
    for layer in range(len(a), -1, -1):
        before = x if layer == 0 else a[layer - 1]
        correlate(above, before, to_weights[layer])
        correlate(above, ones, to_biases[layer])
        below = to_x if layer == 0 else to_a[layer - 1]
        fill(0, below)
        multiply_transposed(weights[layer], above, below)
        if layer > 0:
            for row in range(len(below)):
                _bend(below[row], s[layer - 1, row], to_s[layer - 1, row], beta)
        above = below


@compiled
def _bend(to_a, slope, to_slope, beta):
    """Derivative by z from those by softplus and slope, in place of the first."""
    one = np.float32(1)
    for i in range(BLOCK):
        to_a[i] = slope[i] * (to_a[i] + beta * (one - slope[i]) * to_slope[i])
