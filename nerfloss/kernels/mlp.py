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

from nerfloss.kernels.backend_selection import select_float32_backend


def apply_mlp(
    inputs: Float[Tensor, "inputs points"],
    parameters: Sequence[Tensor],
    *,
    squash: bool = False,
    backend: str = "auto",
    rounded: torch.dtype | None = None,
) -> Float[Tensor, "outputs points"]:
    """Outputs of the network, through a sigmoid if they are to be ``squash``-ed.

    With ``rounded``, layers are computed in that kind of number, by the formulas; outputs and
    derivatives come back as inputs and parameters are. Differentiable once where it is compiled
    (float32 in CPU memory).
    """
    given = inputs.dtype
    if rounded is not None:
        inputs, parameters = inputs.to(rounded), [each.to(rounded) for each in parameters]
    if select_float32_backend(backend, inputs) == "cpu":
        from nerfloss.kernels.numba import mlp as compiled

        return _Compiled.apply(inputs, compiled, squash, *parameters)
    weights, biases = parameters[::2], parameters[1::2]
    values = inputs
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        values = torch.relu(torch.addmm(bias[:, None], weight, values))
    values = torch.addmm(biases[-1][:, None], weights[-1], values).to(given)
    return torch.sigmoid(values) if squash else values


class _Compiled(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, compiled: Any, squash: bool, *parameters: Tensor
    ) -> Tensor:
        outputs = compiled.forward(inputs, parameters, squash)
        ctx.compiled, ctx.squash = compiled, squash
        ctx.save_for_backward(inputs, outputs, *parameters)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_outputs: Tensor) -> tuple[Tensor | None, ...]:
        inputs, outputs, *parameters = ctx.saved_tensors
        squashed = outputs if ctx.squash else None
        to_inputs, to_parameters = ctx.compiled.backward(inputs, parameters, to_outputs, squashed)
        return to_inputs, None, None, *to_parameters
