"""Members of the sampler protocol for samplers that cover the whole box of a field."""

from jaxtyping import Bool
from torch import Tensor

from nerfloss.quantities.field import Field


class Unrestricted:
    """A sampler that cannot be restricted to a region, and offers no quantities of its own."""

    offers: frozenset[str] = frozenset()
    learns_from: str | None = None
    supports_prefetch = False

    @property
    def region(self) -> None:
        """None: the sampler cannot be restricted to a region."""
        return None

    def restrict_to(self, region: Bool[Tensor, "x y z"]) -> None:
        """Do nothing: the sampler cannot be restricted to a region."""

    def sampled_region(self, field: Field) -> Bool[Tensor, "x y z"] | None:  # noqa: ARG002
        """Return None: samples are placed everywhere in the field's box."""
        return None
