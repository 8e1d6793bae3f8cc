"""Protocol of a field: quantities at points, by name."""

from collections.abc import Collection, Mapping
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn


@runtime_checkable
class Field(Protocol):
    """A field inside a box, in scene units.

    ``offers`` names the quantities that it computes at points. ``appearance`` computes colours from
    the quantities that its positional parameters name. ``heads``, which may be empty, maps names of
    further quantities to networks of the same kind, with ``moves_surface``; the results of heads
    are composited along rays.
    """

    appearance: Any

    @property
    def heads(self) -> Mapping[str, Any] | nn.ModuleDict:
        """Networks by the name of the quantity that they composite to."""
        ...

    @property
    def box(self) -> Float[Tensor, "2 3"]:
        """Minimum and maximum corner of the box."""
        ...

    @property
    def offers(self) -> frozenset[str]:
        """Names of the quantities that it computes."""
        ...

    def __call__(
        self, points: Float[Tensor, "points 3"], needs: Collection[str]
    ) -> Mapping[str, Tensor]:
        """Return the quantities in ``needs`` at points; their first axis is that of the points."""
        ...

    def constants(self) -> Mapping[str, Tensor]:
        """Return the quantities that do not depend on the position, by name."""
        ...


@runtime_checkable
class TrainedField(Field, Protocol):
    """A field whose parameters are trained; ``advance`` sets its schedules to a step."""

    def advance(self, step: int) -> None: ...
    def set_box(self, box: Float[Tensor, "2 3"]) -> None: ...
    def implicit(self, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points"]: ...
    def parameter_groups(self) -> dict[str, list[nn.Parameter]]: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any: ...
