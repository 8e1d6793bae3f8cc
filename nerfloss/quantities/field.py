"""What a field is to those who use one: something in a box that answers names at points."""

from collections.abc import Collection, Mapping
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor


@runtime_checkable
class Field(Protocol):
    """A field inside a box, in scene units.

    ``offers`` names the quantities that it answers at points. ``appearance`` makes colours: the
    names of its positional parameters say from which quantities. A field may have ``heads`` too,
    a mapping from a quantity's name to a network of the same kind with ``moves_surface``: what
    they say is composited along rays.
    """

    appearance: Any

    @property
    def box(self) -> Float[Tensor, "2 3"]:
        """Two corners of the box."""
        ...

    @property
    def offers(self) -> frozenset[str]:
        """Names of the quantities that can be asked for."""
        ...

    def __call__(
        self, points: Float[Tensor, "points 3"], needs: Collection[str]
    ) -> Mapping[str, Tensor]:
        """The quantities in ``needs`` at points, each of shape points and more, differentiable."""
        ...

    def constants(self) -> Mapping[str, Tensor]:
        """Quantities that are the same everywhere, by name."""
        ...
