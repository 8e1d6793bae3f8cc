"""Check that a run offers every quantity that the terms and the balancer of a recipe need."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from nerfloss.quantities.vocabulary import VOCABULARY
from nerfloss.recipe.parsing import suggestion
from nerfloss.recipe.term import Term


def missing_quantities(
    terms: Mapping[str, Term], of_balancer: Iterable[str], offered: Collection[str]
) -> Iterator[str]:
    """Yield a message for each quantity that is needed but not ``offered``."""
    needed = {
        name: dict.fromkeys([*term.arguments.values(), *filter(None, [term.where])])
        for name, term in terms.items()
    }
    for name, quantities in [*needed.items(), ("balancer", sorted(of_balancer))]:
        for quantity in quantities:
            if quantity not in offered:
                yield f"{name}: needs '{quantity}', {_provision(quantity, offered)}"


def _provision(quantity: str, offered: Collection[str]) -> str:
    if quantity in VOCABULARY:
        return VOCABULARY[quantity].provision
    return f"which nothing provides{suggestion(quantity, {*VOCABULARY, *offered})}"
