"""The network of a signed distance: outputs, input gradient, and the backward pass of both.

A fully connected network with softplus between its layers. The *input gradient* is the derivative
of its first output with respect to its inputs, computed by the transposed layers as part of the
forward pass. A loss on gradients then needs one differentiation instead of two.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from nerfloss.kernels.backend_selection import implementation, select_float32_backend


@runtime_checkable
class SDFMLPKernel(Protocol):
    """Both passes of the network, which a backend implements as a module.

    Points run fastest in all arrays; ``parameters`` are weight and bias of the first layer, then of
    the next. The softplus is ``log(1 + exp(beta z)) / beta``.
    """

    def forward(
        self, inputs: Tensor, parameters: Sequence[Tensor], beta: float, with_input_gradient: bool
    ) -> tuple[Tensor, Tensor]:
        """Return outputs and input gradient; that has no rows unless ``with_input_gradient``."""
        ...

    def backward(
        self,
        inputs: Tensor,
        parameters: Sequence[Tensor],
        beta: float,
        grad_outputs: Tensor,
        grad_input_gradient: Tensor,
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the gradients of inputs and parameters from those of outputs and input gradient.

        A ``grad_input_gradient`` without rows counts as 0.
        """
        ...


def forward(
    inputs: Float[Tensor, "inputs points"],
    parameters: Sequence[Tensor],
    beta: float,
    with_input_gradient: bool,
    *,
    backend: str = "auto",
) -> tuple[Float[Tensor, "outputs points"], Float[Tensor, "input_gradient points"]]:
    """Return what `SDFMLPKernel.forward` does, by the kernel of a backend."""
    kernel = _select_kernel(backend, inputs)
    return kernel.forward(inputs, parameters, beta, with_input_gradient)


def backward(
    inputs: Float[Tensor, "inputs points"],
    parameters: Sequence[Tensor],
    beta: float,
    grad_outputs: Float[Tensor, "outputs points"],
    grad_input_gradient: Float[Tensor, "input_gradient points"],
    *,
    backend: str = "auto",
) -> tuple[Float[Tensor, "inputs points"], list[Tensor]]:
    """Return what `SDFMLPKernel.backward` does, by the kernel of a backend."""
    kernel = _select_kernel(backend, inputs)
    return kernel.backward(inputs, parameters, beta, grad_outputs, grad_input_gradient)


def _select_kernel(backend: str, inputs: Tensor) -> SDFMLPKernel:
    return implementation("sdf_mlp", select_float32_backend(backend, inputs))
