"""How a recipe talks to its balancer: what it is fed, and what it says about weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.quantities.signature import inputs_of
from nerfloss.recipe.term import Term


@dataclass(frozen=True)
class BalancerAdapter:
    """A balancer, and the names that its ``forward`` takes beside the weighted losses.

    The contract: ``forward(losses, ...)`` takes the weighted losses by term name, then, by the
    names of its parameters, ``priors`` (the set weights at this step: what multiplied the losses)
    or any quantity. It returns factors by term name; a term that it leaves alone may be missing.
    Its state moves only in training mode. Optional beside:

    - ``follow(terms)``: called once with the quantities that each term of the recipe needs.
    - ``stateless``: true where nothing in it moves from step to step.
    - ``penalty(priors)``: a number that joins the total, for balancers that learn parameters.
    - ``combines(step)`` and ``combine(gradients, losses, priors, step)``: at steps where the
      first is true, the second makes the gradient to descend from one row for each term.
    """

    balancer: nn.Module | None
    inputs: tuple[str, ...]

    @classmethod
    def of(cls, balancer: nn.Module | None, terms: Mapping[str, Term]) -> "Balance":
        """Make a balancer known to the terms. Raises ValueError for settings that do not fit."""
        if balancer is None:
            return cls(None, ())
        follow: Any = getattr(balancer, "follow", None)
        if follow is not None:
            follow({name: term.needs for name, term in terms.items()})
        return cls(balancer, inputs_of(balancer)[1:])

    @property
    def stateless(self) -> bool:
        """Whether no step leaves anything in it."""
        return self.balancer is None or getattr(self.balancer, "stateless", False)

    @property
    def needs(self) -> frozenset[str]:
        """The quantities that it looks at."""
        return frozenset(self.inputs) - {"priors"}

    def factors(
        self,
        losses: Mapping[str, Tensor],
        priors: Mapping[str, float],
        quantities: Mapping[str, Any],
    ) -> dict[str, Float[Tensor, ""]]:
        """What multiplies the weighted losses, for the terms that it changes."""
        if self.balancer is None or not losses:
            return {}
        known = {**quantities, "priors": priors}
        return self.balancer(losses, *(known[name] for name in self.inputs))

    def penalty(self, priors: Mapping[str, float]) -> Float[Tensor, ""] | None:
        """What joins the total beside the terms, if anything."""
        made: Any = getattr(self.balancer, "penalty", None)
        return None if made is None or not priors else made(priors)

    def combines(self, step: int) -> bool:
        """Whether it makes this step's gradient itself."""
        asked: Any = getattr(self.balancer, "combines", None)
        return asked is not None and asked(step)
