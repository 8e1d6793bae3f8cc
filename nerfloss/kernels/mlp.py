"""A small network with ReLU between its layers: compiled on the CPU, the formulas elsewhere.

Points run fastest in all arrays; ``parameters`` are weight and bias of the first layer, then of the
next.
"""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from nerfloss.kernels.backend_selection import implementation, select_float32_backend


@runtime_checkable
class MLPKernel(Protocol):
    """Both passes of the network, in tensors without autograd; a module of a backend.

    Inputs and outputs are ``channels points``. With ``sigmoid`` the outputs pass through one.
    """

    def forward(self, inputs: Tensor, parameters: Sequence[Tensor], sigmoid: bool) -> Tensor:
        """Return the outputs of the last layer."""
        ...

    def backward(
        self,
        inputs: Tensor,
        parameters: Sequence[Tensor],
        grad_outputs: Tensor,
        outputs: Tensor | None,
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the gradients of inputs and parameters; ``outputs`` if they passed a sigmoid."""
        ...


def apply_mlp(
    inputs: Float[Tensor, "inputs points"],
    parameters: Sequence[Tensor],
    *,
    squash: bool = False,
    backend: str = "auto",
    rounded: torch.dtype | None = None,
) -> Float[Tensor, "outputs points"]:
    """Return the outputs of the network, with ``squash`` through a sigmoid.

    With ``rounded`` the layers are computed in that dtype, by the formulas; outputs and gradients
    keep the dtype of inputs and parameters. Differentiable once where a compiled kernel is used
    (float32 in CPU memory).
    """
    dtype = inputs.dtype
    if rounded is not None:
        inputs, parameters = inputs.to(rounded), [each.to(rounded) for each in parameters]
    kernel: MLPKernel | None = implementation("mlp", select_float32_backend(backend, inputs))
    if kernel is not None:
        return _MLP.apply(inputs, kernel, squash, *parameters)
    weights, biases = parameters[::2], parameters[1::2]
    values = inputs
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        values = torch.relu(torch.addmm(bias[:, None], weight, values))
    values = torch.addmm(biases[-1][:, None], weights[-1], values).to(dtype)
    return torch.sigmoid(values) if squash else values


class _MLP(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, kernel: MLPKernel, sigmoid: bool, *parameters: Tensor
    ) -> Tensor:
        outputs = kernel.forward(inputs, parameters, sigmoid)
        ctx.kernel, ctx.sigmoid = kernel, sigmoid
        ctx.save_for_backward(inputs, outputs, *parameters)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        inputs, outputs, *parameters = ctx.saved_tensors
        squashed = outputs if ctx.sigmoid else None
        grad_inputs, grad_parameters = ctx.kernel.backward(
            inputs, parameters, grad_outputs, squashed
        )
        return grad_inputs, None, None, *grad_parameters
