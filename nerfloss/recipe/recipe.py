"""The loss recipe: named terms, each weighted, scheduled and averaged in one place."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from nerfloss.quantities.vocabulary import VOCABULARY
from nerfloss.recipe.balancer_adapter import BalancerAdapter
from nerfloss.recipe.batch_requirements import faults_of_sizes
from nerfloss.recipe.nonfinite_location import Fault
from nerfloss.recipe.nonfinite_report import NonFiniteLoss, explain_gradient, explain_value
from nerfloss.recipe.parsing import RecipeError, read_terms, suggestion
from nerfloss.recipe.report import LossReport
from nerfloss.recipe.stateful_terms import finish_step, trained_apart
from nerfloss.recipe.term import Term
from nerfloss.recipe.term_gradients import CombinedGradient


class LossRecipe(nn.Module):
    """The weighted sum of the terms that act at a step.

    A term whose weight is 0 asks for nothing and costs nothing. Terms that are modules, and the
    balancer (`nerfloss.recipe.balancer_adapter` says what one is), are saved and moved with the recipe under
    their names. Raises RecipeError with every fault of every term that cannot be read.
    """

    def __init__(self, terms: Mapping[str, Any], balancer: nn.Module | None = None) -> None:
        super().__init__()
        self.terms = read_terms(terms)
        self.term_modules = nn.ModuleDict(
            {name: term.fn for name, term in self.terms.items() if isinstance(term.fn, nn.Module)}
        )
        self.balancer = balancer
        self._balance = BalancerAdapter.of(balancer, self.terms)

    def active(self, step: int) -> dict[str, Term]:
        """The terms whose weight is above 0 at ``step``, in the order of the recipe."""
        return {name: term for name, term in self.terms.items() if term.weight_at(step) > 0}

    def needs(self, step: int) -> frozenset[str]:
        """The quantities to make for this step, and no others."""
        return self._needs(self.active(step))

    def all_needs(self) -> frozenset[str]:
        """Every quantity that any term can ask for at some step."""
        return self._needs(self._weighted())

    def check(self, offered: Collection[str]) -> None:
        """Raise one RecipeError that lists every quantity this run cannot provide."""
        asked = {
            name: dict.fromkeys([*term.arguments.values(), *filter(None, [term.where])])
            for name, term in self._weighted().items()
        }
        faults = [
            f"  {name}: needs '{quantity}', {_provision(quantity, offered)}"
            for name, quantities in [*asked.items(), ("balancer", sorted(self._balance.needs))]
            for quantity in quantities
            if quantity not in offered
        ]
        if faults:
            raise RecipeError("this run cannot feed its loss recipe:\n" + "\n".join(faults))

    def check_teaches(self, sampler: Any) -> None:
        """Raise RecipeError for a sampler that learns where no term would teach it."""
        quantity = getattr(sampler, "learns_from", None)
        if quantity is not None and quantity not in self.all_needs():
            raise RecipeError(
                f"this sampler learns from a term on '{quantity}', and the recipe has none: add "
                f"+loss/term@loss.terms.interlevel=interlevel, or take another sampler"
            )

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

    def forward(
        self, quantities: Mapping[str, Any], step: int, *, trusted: bool = False
    ) -> LossReport:
        """The total at ``step``; a constant 0 where no term acts, which nothing can descend.

        Runs outside autocast: squares and logarithms need float32. Raises NonFiniteLoss, which
        names the term and the quantity at fault, before a gradient could carry it further; not
        where it is ``trusted``: who does not want to wait for a GPU asks ``explain`` later.
        """
        active = self.active(step)
        # Looked up before autocast is off: a quantity may be made only now, by the field.
        fed = {name: quantities[name] for name in sorted(self.needs(step))}
        with torch.autocast(_device_type(fed), enabled=False):
            values = {name: _value(name, term, fed) for name, term in active.items()}
            priors = {name: term.weight_at(step) for name, term in active.items()}
            losses = {name: priors[name] * values[name] for name in active}
            factors = self._balance.factors(losses, priors, fed)
            weights = {name: priors[name] * factors.get(name, 1.0) for name in active}
            penalty = self._balance.penalty(priors)
            parts = [weights[name] * values[name] for name in active]
            total = sum(parts, torch.zeros(()) if penalty is None else penalty)
        report = LossReport(total, values, weights, factors, penalty)
        if not trusted and not total.isfinite():
            raise self.explain(report, quantities, step)
        return report

    def explain(
        self, report: LossReport, quantities: Mapping[str, Any], step: int
    ) -> NonFiniteLoss:
        """The error for a report whose total is not finite: which term, and what it was fed."""
        return explain_value(self.active(step), report.values, quantities, step)

    def descent(
        self, report: LossReport, step: int, parameters: Sequence[nn.Parameter]
    ) -> Tensor | CombinedGradient:
        """What leaves the gradient to descend in ``parameters``, by its method ``backward``.

        The total, unless the balancer makes this step's gradient itself, from one of each term.
        """
        if not self._balance.combines(step):
            return report.total
        own, shared = self.descended(), self.shared(parameters)
        priors = {name: self.terms[name].weight_at(step) for name in report.values}
        losses = {name: priors[name] * value.detach() for name, value in report.values.items()}
        combine: Any = getattr(self.balancer, "combine")  # noqa: B009 (of some balancers only)
        return CombinedGradient(
            {name: report.weights[name] * value for name, value in report.values.items()},
            shared,
            own,
            partial(combine, losses=losses, priors=priors, step=step),
        )

    @property
    def stateless(self) -> bool:
        """Whether nothing in it moves from step to step: no balancer, no term that is a module."""
        return self._balance.stateless and not self.term_modules

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

    def shared(self, parameters: Sequence[nn.Parameter]) -> list[nn.Parameter]:
        """Those of the run's parameters that are no term's own: where terms compete."""
        own = {id(each) for each in self.descended()}
        return [each for each in parameters if id(each) not in own]

    def blame(self, quantities: Mapping[str, Any], step: int) -> Fault:
        """After a gradient that is not finite: which term's gradient to which quantity is not."""
        active = self.active(step)
        weights = {name: term.weight_at(step) for name, term in active.items()}
        return explain_gradient(active, weights, quantities, step)

    def _needs(self, terms: Mapping[str, Term]) -> frozenset[str]:
        """What these terms look at, and the balancer where there are any."""
        needs = [term.needs for term in terms.values()]
        return frozenset().union(*needs, self._balance.needs if needs else ())

    def _weighted(self) -> dict[str, Term]:
        return {name: term for name, term in self.terms.items() if term.weight > 0}


def _value(name: str, term: Term, quantities: Mapping[str, Any]) -> Tensor:
    try:
        return term(quantities)
    except Exception as error:
        error.add_note(f"in the loss term '{name}'")
        raise


def _provision(quantity: str, offered: Collection[str]) -> str:
    if quantity in VOCABULARY:
        return VOCABULARY[quantity].provision
    return f"which nothing provides{suggestion(quantity, {*VOCABULARY, *offered})}"


def _device_type(quantities: Mapping[str, Any]) -> str:
    tensors = (value for value in quantities.values() if isinstance(value, Tensor))
    return next((tensor.device.type for tensor in tensors), "cpu")
