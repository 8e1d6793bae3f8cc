"""Check that a run offers every quantity that the terms and the balancer of a recipe need."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from nerfloss.quantities.remedies import REMEDIES
from nerfloss.quantities.vocabulary import VOCABULARY
from nerfloss.recipe.parsing import suggestion
from nerfloss.recipe.term import Term


def missing_quantities(
    terms: Mapping[str, Term], of_balancer: Iterable[str], offered: Collection[str]
) -> Iterator[str]:
    """Yield a message for each quantity that is needed but not ``offered``, then the remedies.

    A source of data has one remedy, however many of its quantities are missing.
    """
    needed = {
        name: dict.fromkeys([*term.arguments.values(), *filter(None, [term.where])])
        for name, term in terms.items()
    }
    without: dict[str, dict[str, None]] = {}
    for name, quantities in [*needed.items(), ("balancer", sorted(of_balancer))]:
        for quantity in quantities:
            if quantity not in offered:
                yield f"{name}: needs '{quantity}', {_provision(quantity, offered)}"
                if (source := _source(quantity, offered)) in REMEDIES:
                    without.setdefault(source, {})[_switch(name, terms)] = None
    for source, switches in without.items():
        yield f"to do: {REMEDIES[source]}; or leave it out: {' '.join(switches)}"


def _provision(quantity: str, offered: Collection[str]) -> str:
    if quantity not in VOCABULARY:
        return f"which nothing provides{suggestion(quantity, {*VOCABULARY, *offered})}"
    shown = _on_rays(quantity, offered)
    through = "" if shown == quantity else f"from '{shown}', "
    return through + VOCABULARY[shown].provision


def _source(quantity: str, offered: Collection[str]) -> str:
    shown = _on_rays(quantity, offered)
    return VOCABULARY[shown].source if shown in VOCABULARY else ""


def _on_rays(quantity: str, offered: Collection[str]) -> str:
    """Return the quantity of rays that is missing where a run has patches; else the same."""
    shown = quantity.removeprefix("patch_")
    return shown if "patch_shape" in offered and shown in VOCABULARY else quantity


def _switch(name: str, terms: Mapping[str, Term]) -> str:
    """Return the override without which a term, or the balancer, needs nothing."""
    return f"loss.terms.{name}.weight=0" if name in terms else "loss/balancer=none"
