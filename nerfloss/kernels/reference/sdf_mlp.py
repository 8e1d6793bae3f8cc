"""The network of a signed distance in plain PyTorch, on any device and in any precision.

Implements `nerfloss.kernels.sdf_mlp.SDFMLPKernel`. ``grad_x`` is the gradient of the loss with
respect to x.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import softplus


def forward(
    inputs: Tensor, parameters: Sequence[Tensor], beta: float, with_input_gradient: bool
) -> tuple[Tensor, Tensor]:
    values, slopes = _activations(inputs, parameters, beta)
    outputs = torch.addmm(parameters[-1][:, None], parameters[-2], values[-1])
    if not with_input_gradient:
        return outputs, inputs.new_empty(0, inputs.shape[1])
    weights = parameters[::2]
    return outputs, weights[0].t() @ _output_gradients(slopes, weights)[0][1]


def backward(
    inputs: Tensor,
    parameters: Sequence[Tensor],
    beta: float,
    grad_outputs: Tensor,
    grad_input_gradient: Tensor,
) -> tuple[Tensor, list[Tensor]]:
    weights = parameters[::2]
    values, slopes = _activations(inputs, parameters, beta)
    grad_weights = [torch.zeros_like(weight) for weight in weights]
    grad_slopes = [torch.zeros_like(slope) for slope in slopes]
    if len(grad_input_gradient):
        grad = grad_input_gradient
        for layer, (before, after) in enumerate(_output_gradients(slopes, weights)):
            grad_weights[layer] += after @ grad.t()
            grad_after = weights[layer] @ grad
            grad_slopes[layer] = before * grad_after
            grad = slopes[layer] * grad_after
        grad_weights[-1][0] += grad.sum(1)
    grad_biases, grad = [], grad_outputs
    for layer in reversed(range(len(weights))):
        grad_weights[layer] += grad @ values[layer].t()
        grad_biases.insert(0, grad.sum(1))
        grad = weights[layer].t() @ grad
        if layer > 0:
            slope, grad_slope = slopes[layer - 1], grad_slopes[layer - 1]
            grad = slope * (grad + beta * (1 - slope) * grad_slope)
    pairs = zip(grad_weights, grad_biases, strict=True)
    return grad, [each for pair in pairs for each in pair]


def _activations(
    inputs: Tensor, parameters: Sequence[Tensor], beta: float
) -> tuple[list[Tensor], list[Tensor]]:
    """Return the inputs of every layer, and the derivative of the softplus at every hidden unit."""
    values, slopes = [inputs], []
    weights, biases = parameters[::2], parameters[1::2]
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        scaled = beta * torch.addmm(bias[:, None], weight, values[-1])
        # The threshold only avoids an overflow: beyond it softplus is x to the last digit.
        values.append(softplus(scaled, threshold=80.0) / beta)
        slopes.append(torch.sigmoid(scaled))
    return values, slopes


def _output_gradients(
    slopes: Sequence[Tensor], weights: Sequence[Tensor]
) -> list[tuple[Tensor, Tensor]]:
    """Return the gradient of the first output at every hidden layer, after and before softplus."""
    gradients: list[tuple[Tensor, Tensor]] = []
    gradient = weights[-1][:1].t().expand_as(slopes[-1])
    for weight, slope in zip(reversed(weights[:-1]), reversed(slopes), strict=True):
        gradients.insert(0, (gradient, slope * gradient))
        gradient = weight.t() @ gradients[0][1]
    return gradients
