"""The network of a signed distance: its outputs, its input_gradient, and the backward of both.

A fully connected network with softplus between its layers. The *input_gradient* is the derivative of its
first output by its inputs, made by the transposed layers as part of the forward pass: what a loss
on gradients needs is then one differentiation, never two. Compiled kernels do it block by block in
cache on the CPU (`nerfloss.kernels.numba.sdf_mlp`); what is written here is the definition, for any
device and precision. Points run fastest in all arrays; ``parameters`` are weight and bias of the first layer,
then of the next.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from nerfloss.kernels.backend_selection import select_float32_backend


def forward(
    inputs: Float[Tensor, "inputs points"],
    parameters: Sequence[Tensor],
    beta: float,
    with_input_gradient: bool,
    *,
    backend: str = "auto",
) -> tuple[Float[Tensor, "outputs points"], Float[Tensor, "input_gradient points"]]:
    """Outputs and input_gradient; the input_gradient has no rows unless ``with_input_gradient``."""
    if select_float32_backend(backend, inputs) == "cpu":
        from nerfloss.kernels.numba import sdf_mlp as compiled

        return compiled.forward(inputs, parameters, beta, with_input_gradient)
    return reference_forward(inputs, parameters, beta, with_input_gradient)


def backward(
    inputs: Float[Tensor, "inputs points"],
    parameters: Sequence[Tensor],
    beta: float,
    to_outputs: Float[Tensor, "outputs points"],
    grad_input_gradient: Float[Tensor, "input_gradient points"],
    *,
    backend: str = "auto",
) -> tuple[Float[Tensor, "inputs points"], list[Tensor]]:
    """Derivatives of a loss by inputs and parameters, from those by outputs and input_gradient."""
    if select_float32_backend(backend, inputs) == "cpu":
        from nerfloss.kernels.numba import sdf_mlp as compiled

        return compiled.backward(inputs, parameters, beta, to_outputs, grad_input_gradient)
    return reference_backward(inputs, parameters, beta, to_outputs, grad_input_gradient)


def reference_forward(
    inputs: Tensor, parameters: Sequence[Tensor], beta: float, with_input_gradient: bool
) -> tuple[Tensor, Tensor]:
    """What `forward` computes, by the formulas."""
    values, slopes = _values(inputs, parameters, beta)
    outputs = torch.addmm(parameters[-1][:, None], parameters[-2], values[-1])
    if not with_input_gradient:
        return outputs, inputs.new_empty(0, inputs.shape[1])
    weights = parameters[::2]
    return outputs, weights[0].t() @ _pulls(slopes, weights)[0][1]


def reference_backward(
    inputs: Tensor,
    parameters: Sequence[Tensor],
    beta: float,
    to_outputs: Tensor,
    grad_input_gradient: Tensor,
) -> tuple[Tensor, list[Tensor]]:
    """What `backward` computes, by the formulas. ``to_x`` is the derivative of the loss by x."""
    weights = parameters[::2]
    values, slopes = _values(inputs, parameters, beta)
    to_weights = [torch.zeros_like(weight) for weight in weights]
    to_slopes = [torch.zeros_like(slope) for slope in slopes]
    if len(grad_input_gradient):
        for layer, (before, after) in enumerate(_pulls(slopes, weights)):
            to_weights[layer] += after @ grad_input_gradient.t()
            to_after = weights[layer] @ grad_input_gradient
            to_slopes[layer] = before * to_after
            grad_input_gradient = slopes[layer] * to_after
        to_weights[-1][0] += grad_input_gradient.sum(1)
    to_biases, above = [], to_outputs
    for layer in reversed(range(len(weights))):
        to_weights[layer] += above @ values[layer].t()
        to_biases.insert(0, above.sum(1))
        above = weights[layer].t() @ above
        if layer > 0:
            slope, to_slope = slopes[layer - 1], to_slopes[layer - 1]
            above = slope * (above + beta * (1 - slope) * to_slope)
    pairs = zip(to_weights, to_biases, strict=True)
    return above, [each for pair in pairs for each in pair]


def _values(
    inputs: Tensor, parameters: Sequence[Tensor], beta: float
) -> tuple[list[Tensor], list[Tensor]]:
    """The inputs of every layer, and the slope of every hidden unit."""
    values, slopes = [inputs], []
    weights, biases = parameters[::2], parameters[1::2]
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        scaled = beta * torch.addmm(bias[:, None], weight, values[-1])
        # The threshold only avoids an overflow: beyond it softplus is x to the last digit.
        values.append(softplus(scaled, threshold=80.0) / beta)
        slopes.append(torch.sigmoid(scaled))
    return values, slopes


def _pulls(slopes: Sequence[Tensor], weights: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """The input_gradient at every hidden layer, before and after it met the layer's slope."""
    found: list[tuple[Tensor, Tensor]] = []
    input_gradient = weights[-1][:1].t().expand_as(slopes[-1])
    for weight, slope in zip(reversed(weights[:-1]), reversed(slopes), strict=True):
        found.insert(0, (input_gradient, slope * input_gradient))
        input_gradient = weight.t() @ found[0][1]
    return found
