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

from nerfloss.kernels.cpu_tensors import on_cpu


def apply_mlp(
    inputs: Float[Tensor, "inputs points"], parameters: Sequence[Tensor], *, squash: bool = False
) -> Float[Tensor, "outputs points"]:
    """Outputs of the network, through a sigmoid if they are to be ``squash``-ed.

    Differentiable once where it is compiled (float32 on a CPU).
    """
    if on_cpu(inputs):
        return _Compiled.apply(inputs, squash, *parameters)
    weights, biases = parameters[::2], parameters[1::2]
    values = inputs
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        values = torch.relu(torch.addmm(bias[:, None], weight, values))
    values = torch.addmm(biases[-1][:, None], weights[-1], values)
    return torch.sigmoid(values) if squash else values


class _Compiled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, squash: bool, *parameters: Tensor) -> Tensor:
        from nerfloss.kernels import cpu_mlp

        outputs = cpu_mlp.forward(inputs, parameters, squash)
        ctx.squash = squash
        ctx.save_for_backward(inputs, outputs, *parameters)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_outputs: Tensor) -> tuple[Tensor | None, ...]:
        from nerfloss.kernels import cpu_mlp

        inputs, outputs, *parameters = ctx.saved_tensors
        squashed = outputs if ctx.squash else None
        to_inputs, to_parameters = cpu_mlp.backward(inputs, parameters, to_outputs, squashed)
        return to_inputs, None, *to_parameters
