"""What a trainer is put together from, as seen from the loop."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from nerfloss.geometry import Rays, Samples
from nerfloss.quantities.resolve import Quantities
from nerfloss.recipe import LossReport


@runtime_checkable
class Batch(Protocol):
    """Rays, what was observed along them, and what a step is given beside."""

    rays: Rays
    targets: Mapping[str, Any]


@runtime_checkable
class Batches(Protocol):
    """Draws batches: the same step gives the same batch."""

    def draw(self, step: int, rays: int) -> Batch: ...


@runtime_checkable
class Model(Protocol):
    """A field with its sampler, rendered by name."""

    @property
    def field(self) -> Any: ...
    @property
    def sampler(self) -> Any: ...
    def render(self, samples: Samples, needs: Any, *, given: Any, generator: Any) -> Quantities: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


@runtime_checkable
class Differentiable(Protocol):
    """A loss, or what stands for one: leaves its gradient in the parameters."""

    def backward(self) -> None: ...


@runtime_checkable
class Diagnostics(Protocol):
    """Looks at a step between its forward pass and its update; changes nothing in it."""

    def due(self, step: int) -> bool: ...
    def look(self, step: int, report: LossReport) -> None: ...
