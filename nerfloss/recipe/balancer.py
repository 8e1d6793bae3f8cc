"""Base class of the balancers, which multiply the weights of a recipe's terms during training."""

from collections.abc import Collection, Mapping
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.quantities.signature import inputs_of

BASE_WEIGHTS = "base_weights"


class Balancer(nn.Module):
    """Compute a factor for each term from the losses; derive a balancer of your own from it.

    Implement ``forward(losses, ...)``. It takes the weighted losses by term name, then, by the
    names of its parameters, ``base_weights`` (weight times schedule of each term at this step) or
    any quantity. It returns the factors by term name; a term without a factor keeps its weight.
    State may change in training mode only. Override the other members where they apply.
    """

    stateless: bool = False
    """True for a balancer that has the same state after every step."""

    def setup(self, terms: Mapping[str, Collection[str]]) -> None:
        """Prepare for a recipe, given the quantities that each of its terms takes.

        Called once, when the recipe is built. Raises ValueError for settings that do not fit.
        """

    def penalty(self, base_weights: Mapping[str, float]) -> Float[Tensor, ""] | None:  # noqa: ARG002
        """Return what is added to the total, for balancers that learn parameters; None for 0."""
        return None

    def combines(self, step: int) -> bool:  # noqa: ARG002
        """Return True for the steps at which ``combine`` has to be called."""
        return False

    def combine(
        self,
        gradients: Float[Tensor, "terms numbers"],
        losses: Mapping[str, Tensor],  # noqa: ARG002
        base_weights: Mapping[str, float],  # noqa: ARG002
        step: int,  # noqa: ARG002
    ) -> Float[Tensor, "numbers"]:
        """Return the gradient for the optimizer, from one row for each term of ``losses``."""
        return gradients.sum(0)

    @property
    def needs(self) -> frozenset[str]:
        """Names of the quantities that ``forward`` takes."""
        return frozenset(self._inputs()) - {BASE_WEIGHTS}

    def factors(
        self,
        losses: Mapping[str, Tensor],
        base_weights: Mapping[str, float],
        quantities: Mapping[str, Any],
    ) -> dict[str, Float[Tensor, ""]]:
        """Return the factors of ``forward``, called with what its signature names."""
        if not losses:
            return {}
        known = {**quantities, BASE_WEIGHTS: base_weights}
        return self(losses, *(known[name] for name in self._inputs()))

    def _inputs(self) -> tuple[str, ...]:
        return inputs_of(self)[1:]
