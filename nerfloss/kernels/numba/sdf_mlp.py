"""The network of a signed distance on the CPU, in blocks of points that stay in cache.

Implements `nerfloss.kernels.sdf_mlp.SDFMLPKernel`. Activations are not written to memory; the
backward pass recomputes them.

Letters: x inputs, z before and a after the softplus, s its derivative, p and q the gradient of the
first output with respect to a and z. ``grad_z`` is the gradient of the loss with respect to z.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from nerfloss.kernels.numba.compile import compiled
from nerfloss.kernels.numba.correlation import correlate
from nerfloss.kernels.numba.gemm import BLOCK, multiply, multiply_transposed
from nerfloss.kernels.numba.mlp_block_ops import (
    block,
    fill,
    flat,
    hidden_blocks,
    no_bias,
    product,
    read,
    spread,
    write,
)
from nerfloss.kernels.numba.network_parameters import arrays, summed_over_chunks
from nerfloss.kernels.numba.softplus import softplus, softplus_and_slope, softplus_backward
from nerfloss.kernels.threads import parallel_for


def forward(
    inputs: Tensor, parameters: Sequence[Tensor], beta: float, with_input_gradient: bool
) -> tuple[Tensor, Tensor]:
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
    grad_outputs: Tensor,
    grad_input_gradient: Tensor,
) -> tuple[Tensor, list[Tensor]]:
    weights, biases = arrays(parameters)
    grad_inputs = torch.empty_like(inputs, memory_format=torch.contiguous_format)
    x, grad_y, grad_p = (
        each.detach().contiguous().numpy() for each in (inputs, grad_outputs, grad_input_gradient)
    )
    grad_x = grad_inputs.numpy()

    def chunk(begin: int, end: int, sums: tuple) -> None:
        _backward(x, weights, biases, grad_y, grad_p, np.float32(beta), begin, end, grad_x, *sums)

    return grad_inputs, summed_over_chunks(inputs.shape[1], parameters, chunk)


@compiled
def _forward(inputs, weights, biases, outputs, input_gradient, beta, begin, end):
    x, out, p0 = block(len(inputs)), block(len(outputs)), block(len(inputs))
    a, s = hidden_blocks(biases), hidden_blocks(biases)
    p, q = hidden_blocks(biases), hidden_blocks(biases)
    zeros = no_bias(inputs, biases)
    for start in range(begin, end, BLOCK):
        count = min(BLOCK, end - start)
        read(inputs, start, count, x)
        with_slopes = len(input_gradient) > 0
        _values(x, weights, biases, beta, with_slopes, a, s)
        multiply(weights[-1], biases[-1], a[-1], out)
        write(out, start, count, outputs)
        if with_slopes:
            _output_gradients(weights, s, zeros, p, q)
            multiply_transposed(weights[0], zeros, q[0], p0)
            write(p0, start, count, input_gradient)


@compiled
def _backward(
    inputs, weights, biases, grad_outputs, grad_input_gradient, beta, begin, end,
    grad_inputs, grad_weights, grad_biases,
):  # fmt: skip
    x, grad_x = block(len(inputs)), block(len(inputs))
    grad_out, grad_p0 = block(len(grad_outputs)), block(len(inputs))
    a, s = hidden_blocks(biases), hidden_blocks(biases)
    p, q = hidden_blocks(biases), hidden_blocks(biases)
    grad_a, grad_s, grad_p = hidden_blocks(biases), hidden_blocks(biases), hidden_blocks(biases)
    ones, zeros = block(1), no_bias(inputs, biases)
    fill(1, ones)
    for layer in range(len(grad_s)):
        fill(0, grad_s[layer])
    for start in range(begin, end, BLOCK):
        count = min(BLOCK, end - start)
        read(inputs, start, count, x)
        read(grad_outputs, start, count, grad_out)
        _values(x, weights, biases, beta, True, a, s)
        if len(grad_input_gradient) > 0:
            read(grad_input_gradient, start, count, grad_p0)
            _output_gradients(weights, s, zeros, p, q)
            _output_gradients_backward(
                weights, s, p, q, grad_p0, ones, zeros, grad_weights, grad_s, grad_p
            )
        _values_backward(
            x,
            weights,
            a,
            s,
            grad_s,
            grad_out,
            ones,
            zeros,
            beta,
            grad_a,
            grad_x,
            grad_weights,
            grad_biases,
        )
        write(grad_x, start, count, grad_inputs)


@compiled
def _values(x, weights, biases, beta, with_slopes, a, s):
    """Write the activations of all hidden layers and the derivatives of their softplus.

    Without slopes s is scratch.
    """
    for layer in range(len(a)):
        multiply(weights[layer], biases[layer], x if layer == 0 else a[layer - 1], a[layer])
        values, slopes = flat(a[layer]), flat(s[layer])
        if with_slopes:
            softplus_and_slope(values, slopes, beta)
        else:
            softplus(values, slopes, beta)


@compiled
def _output_gradients(weights, s, zeros, p, q):
    """Write p and ``q = s p`` of every hidden layer, from the last to the first."""
    for layer in range(len(s) - 1, -1, -1):
        if layer == len(s) - 1:
            spread(weights[-1][0], p[layer])
        else:
            multiply_transposed(weights[layer + 1], zeros, q[layer + 1], p[layer])
        product(s[layer], p[layer], q[layer])


@compiled
def _output_gradients_backward(
    weights, s, p, q, grad_p0, ones, zeros, grad_weights, grad_s, grad_p
):
    """Write the gradients of s and the weights from that of the input gradient."""
    for layer in range(len(s)):
        before = grad_p0 if layer == 0 else grad_p[layer - 1]
        correlate(q[layer], before, grad_weights[layer])
        grad_q = grad_p[layer]
        multiply(weights[layer], zeros, before, grad_q)
        product(p[layer], grad_q, grad_s[layer])
        product(s[layer], grad_q, grad_p[layer])
    correlate(ones, grad_p[-1], grad_weights[-1][:1])


@compiled
def _values_backward(
    x, weights, a, s, grad_s, grad_out, ones, zeros, beta, grad_a, grad_x, grad_weights, grad_biases
):
    """Write the gradients of parameters and inputs from those of outputs and s."""
    above = grad_out
    for layer in range(len(a), -1, -1):
        before = x if layer == 0 else a[layer - 1]
        correlate(above, before, grad_weights[layer])
        correlate(above, ones, grad_biases[layer])
        below = grad_x if layer == 0 else grad_a[layer - 1]
        multiply_transposed(weights[layer], zeros, above, below)
        if layer > 0:
            softplus_backward(flat(below), flat(s[layer - 1]), flat(grad_s[layer - 1]), beta)
        above = below
