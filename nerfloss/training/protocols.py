"""Interfaces through which the training loop sees the data, the model, the recipe and loggers."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from nerfloss.geometry import Rays, Samples
from nerfloss.quantities.field import TrainedField
from nerfloss.quantities.resolve import Quantities


@runtime_checkable
class Batch(Protocol):
    """Rays, and the target values observed along them."""

    @property
    def rays(self) -> Rays: ...
    @property
    def targets(self) -> Mapping[str, Any]: ...


@runtime_checkable
class BatchSource(Protocol):
    """A source of training batches: the same step always draws the same batch.

    ``least_rays`` is the smallest number of rays that a batch can have. ``needs_transfer`` is True
    where batches are copied to the device, so that drawing one ahead of time hides the copy.
    """

    @property
    def least_rays(self) -> int: ...
    @property
    def needs_transfer(self) -> bool: ...
    def draw(self, step: int, rays: int) -> Batch: ...


@runtime_checkable
class Sampler(Protocol):
    """A module that places samples along rays.

    ``supports_prefetch`` is True where samples of a step do not depend on the last update of the
    field, because the sampler reads a cached copy that only ``refresh`` updates.
    """

    supports_prefetch: bool

    def __call__(self, field: Any, rays: Rays, generator: torch.Generator | None) -> Samples: ...
    def refresh(self, field: Any, step: int, generator: torch.Generator | None = None) -> None: ...
    def parameters(self) -> Any: ...


@runtime_checkable
class Model(Protocol):
    """A field and its sampler, rendered into named quantities."""

    @property
    def field(self) -> TrainedField: ...
    @property
    def sampler(self) -> Sampler: ...
    def refresh(self, step: int, generator: torch.Generator | None = None) -> None: ...
    def sampling_rays(self, rays: Rays) -> Rays: ...
    def training_rays(self, rays: Rays, step: int) -> Rays: ...
    def advance(self, step: int) -> None: ...
    def render(
        self, samples: Samples, needs: Collection[str], *, given: Mapping[str, Any], generator: Any
    ) -> Quantities: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


@runtime_checkable
class Gradient(Protocol):
    """A scalar loss, or anything else whose ``backward`` writes gradients to the parameters."""

    @property
    def requires_grad(self) -> bool: ...
    def backward(self) -> None: ...


@runtime_checkable
class Fault(Protocol):
    """Location of a non-finite value or gradient: the term, the quantity and the rays."""

    def as_dict(self) -> dict[str, Any]: ...


@runtime_checkable
class LossReport(Protocol):
    """The total loss of a step, and the value and the weight of each term."""

    @property
    def total(self) -> Tensor: ...
    @property
    def values(self) -> Mapping[str, Tensor]: ...
    @property
    def weights(self) -> Mapping[str, float | Tensor]: ...
    def scalars(self) -> dict[str, float]: ...


@runtime_checkable
class Recipe(Protocol):
    """A loss recipe. Its methods are documented in `nerfloss.recipe.LossRecipe`."""

    @property
    def balancer(self) -> nn.Module: ...
    @property
    def stateless(self) -> bool: ...
    def needs(self, step: int) -> frozenset[str]: ...
    def __call__(self, quantities: Mapping[str, Any], step: int, *, check_finite: bool) -> Any: ...
    def objective(self, report: Any, step: int, parameters: Sequence[nn.Parameter]) -> Gradient: ...
    def after_step(self, step: int) -> dict[str, float]: ...
    def explain_value(self, report: Any, quantities: Mapping[str, Any], step: int) -> Any:
        """Return the error for a total that is not finite; its ``fault`` is a `Fault`."""
        ...

    def explain_gradient(self, quantities: Mapping[str, Any], step: int) -> Fault: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any: ...


@runtime_checkable
class ShareableRecipe(Recipe, Protocol):
    """A loss recipe that several processes can share."""

    def combines(self, step: int) -> bool: ...
    def objective(
        self,
        report: Any,
        step: int,
        parameters: Sequence[nn.Parameter],
        *,
        all_reduce: Callable[[Tensor, list[bool]], tuple[Tensor, list[bool]]] | None = None,
    ) -> Gradient: ...
    def trainable_parameters(self) -> Sequence[nn.Parameter]: ...
    def self_trained_parameters(self) -> Sequence[Tensor]: ...
