"""The interface of the kernels for opacity and compositing along rays."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class CompositingKernel(Protocol):
    """Forward and backward passes along rays, in tensors without autograd; a module of a backend.

    Alphas and weights are ``rays samples``, values ``rays samples channels``. ``inputs`` of NeuS's
    opacity are sdf, gradients, directions, t_starts and t_ends; ``anneal_ratio`` is the share of
    the annealing that is done, in [0, 1].
    """

    def saved_inputs(self, *inputs: Tensor) -> list[Tensor]:
        """Return inputs in the layout that both passes read, to be saved for the backward pass."""
        ...

    def neus_alphas(
        self, inputs: Sequence[Tensor], sharpness: Tensor, anneal_ratio: float
    ) -> Tensor:
        """Return the opacities."""
        ...

    def neus_alphas_backward(
        self,
        inputs: Sequence[Tensor],
        sharpness: Tensor,
        anneal_ratio: float,
        grad_alphas: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradients of sdf, gradients and sharpness."""
        ...

    def weights(self, alphas: Tensor) -> Tensor:
        """Return the compositing weights."""
        ...

    def weights_backward(self, alphas: Tensor, grad_weights: Tensor) -> Tensor:
        """Return the gradient of the alphas."""
        ...

    def composited(self, weights: Tensor, values: Tensor) -> Tensor:
        """Return each ray's weighted sum of values, ``rays channels``."""
        ...

    def composited_backward(
        self, weights: Tensor, values: Tensor, grad_sums: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the gradients of weights and values."""
        ...


@runtime_checkable
class DensityAlphaKernel(Protocol):
    """Both passes of the opacity of intervals of constant density.

    ``values`` are densities, or with a ``sharpness`` signed distances of which VolSDF makes them.
    """

    def density_alphas(
        self, values: Tensor, t_starts: Tensor, t_ends: Tensor, sharpness: Tensor | None
    ) -> Tensor:
        """Return ``1 - exp(-density (t_end - t_start))``."""
        ...

    def density_alphas_backward(
        self,
        values: Tensor,
        t_starts: Tensor,
        t_ends: Tensor,
        sharpness: Tensor | None,
        grad_alphas: Tensor,
    ) -> tuple[Tensor, Tensor | None]:
        """Return the gradients of values and sharpness."""
        ...
