"""A small network with ReLU between its layers: one operation, compiled where that can be had.

Points run fastest in all arrays; ``parameters`` are weight and bias of the first layer, then of the
next.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable


def apply_mlp(
    inputs: Float[Tensor, "inputs points"], parameters: Sequence[Tensor]
) -> Float[Tensor, "outputs points"]:
    """Outputs of the network; differentiable once where it is compiled (float32 on a CPU)."""
    if inputs.device.type == "cpu" and inputs.dtype == torch.float32:
        return _Compiled.apply(inputs, *parameters)
    weights, biases = parameters[::2], parameters[1::2]
    values = inputs
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        values = torch.relu(torch.addmm(bias[:, None], weight, values))
    return torch.addmm(biases[-1][:, None], weights[-1], values)


class _Compiled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, *parameters: Tensor) -> Tensor:
        from nerfloss.kernels import cpu_mlp

        ctx.save_for_backward(inputs, *parameters)
        return cpu_mlp.forward(inputs, parameters)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_outputs: Tensor) -> tuple[Tensor, ...]:
        from nerfloss.kernels import cpu_mlp

        inputs, *parameters = ctx.saved_tensors
        to_inputs, to_parameters = cpu_mlp.backward(inputs, parameters, to_outputs)
        return to_inputs, *to_parameters
