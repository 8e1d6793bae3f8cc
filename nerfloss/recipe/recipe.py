"""Loss recipe: the weighted, scheduled sum of named terms."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from nerfloss.recipe.balancer import Balancer
from nerfloss.recipe.balancers.none import Unbalanced
from nerfloss.recipe.batch_requirements import faults_of_images, faults_of_sizes, refuse_small
from nerfloss.recipe.nonfinite import Fault, NonFiniteLoss, explain_gradient, explain_value
from nerfloss.recipe.offered_quantities import missing_quantities
from nerfloss.recipe.parsing import RecipeError, read_terms
from nerfloss.recipe.report import LossReport
from nerfloss.recipe.stateful_terms import finish_step, self_trained_parameters
from nerfloss.recipe.term import Term
from nerfloss.recipe.term_gradients import AllReduce, CombinedGradient


class LossRecipe(nn.Module):
    """Sum the terms that are active at a step, each weighted, scheduled and averaged.

    A term of weight 0 needs no quantity and is not computed. Terms that are modules, and the
    balancer, are saved and moved with the recipe under their names. Raises RecipeError, with every
    fault of every term, for terms that cannot be read, and for a balancer that is no `Balancer`.
    """

    def __init__(self, terms: Mapping[str, Any], balancer: nn.Module | None = None) -> None:
        super().__init__()
        self.terms = read_terms(terms)
        self.term_modules = nn.ModuleDict(
            {name: term.fn for name, term in self.terms.items() if isinstance(term.fn, nn.Module)}
        )
        self.balancer = _checked(Unbalanced() if balancer is None else balancer)
        self.balancer.setup({name: term.needs for name, term in self.terms.items()})

    def active(self, step: int) -> dict[str, Term]:
        """Return the terms whose weight is above 0 at ``step``, in the order of the recipe."""
        return {name: term for name, term in self.terms.items() if term.weight_at(step) > 0}

    def needs(self, step: int) -> frozenset[str]:
        """Return the names of the quantities that this step is computed from."""
        return self._needs(self.active(step))

    def all_needs(self) -> frozenset[str]:
        """Return the names of all quantities that are needed at some step."""
        return self._needs(self._weighted())

    def mentions(self, quantity: str) -> bool:
        """Return True if a term takes the quantity, whatever its weight."""
        return any(quantity in term.needs for term in self.terms.values())

    def set_weight(self, name: str, weight: float) -> None:
        """Change the weight of a term; call it between two steps."""
        self.terms[name] = replace(self.terms[name], weight=weight)

    def check(self, offered: Collection[str]) -> None:
        """Raise a RecipeError that lists every needed quantity that is not ``offered``."""
        faults = missing_quantities(self._weighted(), self.balancer.needs, offered)
        if listed := "\n".join(f"  {fault}" for fault in faults):
            raise RecipeError(f"this run cannot feed its loss recipe:\n{listed}")

    def check_sampler(self, learns_from: str | None) -> None:
        """Raise RecipeError where no term takes the quantity that the sampler learns from."""
        if learns_from is not None and learns_from not in self.all_needs():
            raise RecipeError(
                f"this sampler learns from a term on '{learns_from}', and the recipe has none: add "
                f"+loss/term@loss.terms.interlevel=interlevel, or take another sampler"
            )

    def check_batch(self, patch: tuple[int, int] | None, rays: int) -> None:
        """Raise a RecipeError that lists every term for which the batches are too small.

        ``patch`` is the height and width of the patches, None for batches of single pixels.
        """
        refuse_small("batches", self._weighted(), partial(faults_of_sizes, patch=patch, rays=rays))

    def check_images(self, size: tuple[int, int]) -> None:
        """Raise a RecipeError that lists every term for which images of this size are too small.

        ``size`` is the height and width that all training views have.
        """
        refuse_small("images", self._weighted(), partial(faults_of_images, size=size))

    def forward(
        self, quantities: Mapping[str, Any], step: int, *, check_finite: bool = True
    ) -> LossReport:
        """Return the total at ``step`` and its parts; without an active term a constant 0.

        Runs outside autocast: squares and logarithms need float32. Raises NonFiniteLoss for a total
        that is not finite, unless ``check_finite`` is False, which saves a GPU synchronization:
        `explain_value` then makes the error later.
        """
        active = self.active(step)
        # Looked up while autocast is on: the field may compute a quantity only now.
        fed = {name: quantities[name] for name in sorted(self._needs(active))}
        with torch.autocast(_device_type(fed), enabled=False):
            values = {name: _value(name, term, fed) for name, term in active.items()}
            base_weights = {name: term.weight_at(step) for name, term in active.items()}
            losses = {name: base_weights[name] * values[name] for name in active}
            factors = self.balancer.factors(losses, base_weights, fed)
            weights = {name: base_weights[name] * factors.get(name, 1.0) for name in active}
            losses = losses | {n: weights[n] * values[n] for n in active if n in factors}
            penalty = self.balancer.penalty(base_weights) if active else None
            total = sum(losses.values(), torch.zeros(()) if penalty is None else penalty)
        report = LossReport(total, values, weights, factors, penalty)
        if check_finite and not total.isfinite():
            raise self.explain_value(report, quantities, step)
        return report

    def explain_value(
        self, report: LossReport, quantities: Mapping[str, Any], step: int
    ) -> NonFiniteLoss:
        """Return the error for a report whose total is not finite (`nerfloss.recipe.nonfinite`)."""
        return explain_value(self.active(step), report.values, quantities, step)

    def explain_gradient(self, quantities: Mapping[str, Any], step: int) -> Fault:
        """Return the fault of a gradient that is not finite (`nerfloss.recipe.nonfinite`)."""
        active = self.active(step)
        weights = {name: term.weight_at(step) for name, term in active.items()}
        return explain_gradient(active, weights, quantities, step)

    def combines(self, step: int) -> bool:
        """Return True where the balancer combines the gradients of the terms at a step."""
        return self.balancer.combines(step)

    def objective(
        self,
        report: LossReport,
        step: int,
        parameters: Sequence[nn.Parameter],
        *,
        all_reduce: AllReduce | None = None,
    ) -> Tensor | CombinedGradient:
        """Return an object whose ``backward()`` leaves the step's gradient in ``parameters``.

        The total, or a `CombinedGradient` at a step at which the balancer combines the gradients of
        the terms; ``all_reduce`` averages those over several processes first.
        """
        if not self.combines(step):
            return report.total
        base_weights = {name: self.terms[name].weight_at(step) for name in report.values}
        losses = {
            name: base_weights[name] * value.detach() for name, value in report.values.items()
        }
        return CombinedGradient(
            {name: report.weights[name] * value for name, value in report.values.items()},
            self.shared_parameters(parameters),
            self.trainable_parameters(),
            partial(self.balancer.combine, losses=losses, base_weights=base_weights, step=step),
            all_reduce,
        )

    @property
    def stateless(self) -> bool:
        """True where no step changes the recipe: no term is a module, the balancer is stateless."""
        return self.balancer.stateless and not self.term_modules

    def after_step(self, step: int) -> dict[str, float]:
        """Call ``after_step(step)`` of the active terms that have one; call it after the update.

        There a term trains a discriminator, fills a memory bank or updates an average. Returns what
        the terms report, as ``<term>/<name>``.
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

    def trainable_parameters(self) -> list[nn.Parameter]:
        """Return the recipe's parameters for the run's optimizer, without self-trained ones."""
        others = {id(each) for each in self.self_trained_parameters()}
        return [p for p in self.parameters() if p.requires_grad and id(p) not in others]

    def self_trained_parameters(self) -> list[Tensor]:
        """Return the parameters that terms train by optimizers of their own."""
        modules = self.term_modules.values()
        return [each for module in modules for each in self_trained_parameters(module)]

    def shared_parameters(self, parameters: Sequence[nn.Parameter]) -> list[nn.Parameter]:
        """Return those of the run's parameters that are not the recipe's own."""
        own = {id(each) for each in self.trainable_parameters()}
        return [each for each in parameters if id(each) not in own]

    def _needs(self, terms: Mapping[str, Term]) -> frozenset[str]:
        """Return what the terms need, and the balancer if there is a term."""
        needs = [term.needs for term in terms.values()]
        return frozenset().union(*needs, self.balancer.needs if needs else ())

    def _weighted(self) -> dict[str, Term]:
        return {name: term for name, term in self.terms.items() if term.weight > 0}


def _checked(balancer: nn.Module) -> Balancer:
    if isinstance(balancer, Balancer):
        return balancer
    raise RecipeError(
        f"the balancer is a {type(balancer).__name__}: derive it from nerfloss.recipe.Balancer"
    )


def _value(name: str, term: Term, quantities: Mapping[str, Any]) -> Tensor:
    try:
        return term(quantities)
    except Exception as error:
        error.add_note(f"in the loss term '{name}'")
        raise


def _device_type(quantities: Mapping[str, Any]) -> str:
    tensors = (value for value in quantities.values() if isinstance(value, Tensor))
    return next((tensor.device.type for tensor in tensors), "cpu")
