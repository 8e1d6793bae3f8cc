"""The loss recipe: named terms, each weighted, scheduled and averaged in one place."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.quantities.vocabulary import VOCABULARY
from nerfloss.terms.nonfinite import NonFiniteLoss, explain_gradient, explain_value
from nerfloss.terms.reading import RecipeError, read_terms, suggestion
from nerfloss.terms.sizes import faults_of_sizes
from nerfloss.terms.stateful import finish_step, trained_apart
from nerfloss.terms.term import Term

__all__ = ["LossRecipe", "LossReport", "NonFiniteLoss", "RecipeError", "Term"]


@dataclass(frozen=True)
class LossReport:
    """The total to descend, and what each active term contributed to it.

    ``values`` are the raw means, ``weights`` what multiplied them: weight, schedule and balancer.
    ``afterwards`` is what terms reported once the step was taken, as ``<term>/<name>``.
    """

    total: Float[Tensor, ""]
    values: Mapping[str, Tensor]
    weights: Mapping[str, float | Tensor]
    afterwards: Mapping[str, float] = field(default_factory=dict)

    @property
    def shares(self) -> dict[str, float]:
        """Each term's part of the total, by size: these sum to 1, or are all 0."""
        sizes = {name: abs(_number(self.weights[name] * self.values[name])) for name in self.values}
        total = sum(sizes.values())
        return {name: size / total if total > 0 else 0.0 for name, size in sizes.items()}

    def scalars(self) -> dict[str, float]:
        """Everything worth logging, as ``loss/<name>``, ``weight/<name>``, ``share/<name>``."""
        return {
            "loss/total": _number(self.total),
            **{f"loss/{name}": _number(value) for name, value in self.values.items()},
            **{f"loss/{name}": value for name, value in self.afterwards.items()},
            **{f"weight/{name}": _number(weight) for name, weight in self.weights.items()},
            **{f"share/{name}": share for name, share in self.shares.items()},
        }


class LossRecipe(nn.Module):
    """The weighted sum of the terms that act at a step.

    A term whose weight is 0 asks for nothing and costs nothing. Terms that are modules, and the
    balancer, are saved and moved with the recipe under their names. Raises RecipeError with every
    fault of every term that cannot be read.
    """

    def __init__(self, terms: Mapping[str, Any], balancer: nn.Module | None = None) -> None:
        super().__init__()
        self.terms = read_terms(terms)
        self.term_modules = nn.ModuleDict(
            {name: term.fn for name, term in self.terms.items() if isinstance(term.fn, nn.Module)}
        )
        self.balancer = balancer

    def active(self, step: int) -> dict[str, Term]:
        """The terms whose weight is above 0 at ``step``, in the order of the recipe."""
        return {name: term for name, term in self.terms.items() if term.weight_at(step) > 0}

    def needs(self, step: int) -> frozenset[str]:
        """The quantities to make for this step, and no others."""
        return frozenset().union(*(term.needs for term in self.active(step).values()))

    def all_needs(self) -> frozenset[str]:
        """Every quantity that any term can ask for at some step."""
        return frozenset().union(*(term.needs for term in self._weighted().values()))

    def check(self, offered: Collection[str]) -> None:
        """Raise one RecipeError that lists every quantity this run cannot provide."""
        faults = [
            f"  {name}: needs '{quantity}', {_provision(quantity, offered)}"
            for name, term in self._weighted().items()
            for quantity in dict.fromkeys([*term.arguments.values(), *filter(None, [term.where])])
            if quantity not in offered
        ]
        if faults:
            raise RecipeError("this run cannot feed its loss recipe:\n" + "\n".join(faults))

    def check_sizes(self, patch: tuple[int, int] | None, rays: int) -> None:
        """Raise one RecipeError that lists every term for which a run's batches are too small.

        ``patch`` is the height and width of its patches, None where it draws single pixels.
        """
        faults = [
            f"  {name}: {fault}"
            for name, term in self._weighted().items()
            for fault in faults_of_sizes(name, term.fn, patch, rays)
        ]
        if faults:
            raise RecipeError("this run's batches are too small:\n" + "\n".join(faults))

    def forward(self, quantities: Mapping[str, Any], step: int) -> LossReport:
        """The total at ``step``; a constant 0 where no term acts, which nothing can descend.

        Runs outside autocast: squares and logarithms need float32. Raises NonFiniteLoss, which
        names the term and the quantity at fault, before a gradient could carry it further.
        """
        active = self.active(step)
        # Looked up before autocast is off: a quantity may be made only now, by the field.
        fed = {name: quantities[name] for name in sorted(self.needs(step))}
        with torch.autocast(_device_type(fed), enabled=False):
            values = {name: _value(name, term, fed) for name, term in active.items()}
            set_weights = {name: term.weight_at(step) for name, term in active.items()}
            weights = self._balance(values, set_weights)
            total = sum((weights[name] * values[name] for name in active), torch.zeros(()))
        if not total.isfinite():
            raise explain_value(active, values, fed, step)
        return LossReport(total, values, weights)

    def after_step(self, step: int) -> dict[str, float]:
        """Let terms with state finish the step that was taken, as ``after_step(step)`` of theirs.

        Called once per step, after the update, for the terms that acted in it: to train a
        discriminator, to fill a memory, to move an average. Returns what they report, as
        ``<term>/<name>``.
        """
        reported = {}
        for name in (name for name in self.active(step) if name in self.term_modules):
            try:
                found = finish_step(self.term_modules[name], step)
            except Exception as error:
                error.add_note(f"in after_step of the loss term '{name}'")
                raise
            reported |= {f"{name}/{each}": value for each, value in found.items()}
        return reported

    def descended(self) -> list[nn.Parameter]:
        """Parameters for the run's own optimizer: not those that a term trains by its own."""
        apart = trained_apart(self.term_modules.values())
        return [p for p in self.parameters() if p.requires_grad and id(p) not in apart]

    def blame(self, quantities: Mapping[str, Any], step: int) -> str:
        """After a gradient that is not finite: which term's gradient to which quantity is not."""
        active = self.active(step)
        weights = {name: term.weight_at(step) for name, term in active.items()}
        return explain_gradient(active, weights, quantities, step)

    def _weighted(self) -> dict[str, Term]:
        return {name: term for name, term in self.terms.items() if term.weight > 0}

    def _balance(
        self, values: Mapping[str, Tensor], weights: Mapping[str, float]
    ) -> dict[str, float | Tensor]:
        """The weights times the factors that the balancer gives to the weighted losses."""
        if self.balancer is None:
            return dict(weights)
        factors = self.balancer({name: weights[name] * values[name] for name in values})
        return {name: weights[name] * factors[name] for name in values}


def _value(name: str, term: Term, quantities: Mapping[str, Any]) -> Tensor:
    try:
        return term(quantities)
    except Exception as error:
        error.add_note(f"in the loss term '{name}'")
        raise


def _number(value: float | Tensor) -> float:
    return value.item() if isinstance(value, Tensor) else float(value)


def _provision(quantity: str, offered: Collection[str]) -> str:
    if quantity in VOCABULARY:
        return VOCABULARY[quantity].provision
    return f"which nothing provides{suggestion(quantity, {*VOCABULARY, *offered})}"


def _device_type(quantities: Mapping[str, Any]) -> str:
    tensors = (value for value in quantities.values() if isinstance(value, Tensor))
    return next((tensor.device.type for tensor in tensors), "cpu")
