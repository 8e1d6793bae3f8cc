"""Gradient check of every term of a recipe: on its quantities, and through the field."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nerfloss.diagnostics.finite_differences import compare_derivatives
from nerfloss.diagnostics.frozen_stop_gradients import FrozenStopGradients
from nerfloss.diagnostics.synthetic_batch import (
    SyntheticBatch,
    observable_quantities,
    synthetic_batch,
)
from nerfloss.quantities.vocabulary import VOCABULARY
from nerfloss.recipe import LossRecipe, Term
from nerfloss.recipe.requirements import requirements_of
from nerfloss.testing.terms import fake_quantities, in_dtype, is_predicted

# Largest relative difference of autograd and finite differences, for exact and for approximate
# gradients.
TOLERANCE, COARSE = 1e-4, 0.5
FROZEN = "frozen stop-gradients"


@dataclass(frozen=True)
class Trial:
    """One comparison: the relative ``error``, None where there is nothing to compare.

    ``note`` is the reason for that, or the condition under which the error holds.
    """

    error: float | None = None
    note: str = ""


@dataclass(frozen=True)
class CheckedTerm:
    """Both comparisons of one term.

    ``draws`` is True for a term that draws at random; ``approximate`` is the reason, declared by
    the loss, why its gradient is not exact, and empty for the others.
    """

    on_quantities: Trial
    through_field: Trial
    draws: bool = False
    approximate: str = ""

    @property
    def wrong(self) -> bool:
        """True where a gradient disagrees with finite differences."""
        allowed = COARSE if self.approximate else TOLERANCE
        errors = (self.on_quantities.error, self.through_field.error)
        # Negated so that NaN counts as wrong.
        return any(error is not None and not error <= allowed for error in errors)


def check_recipe(recipe: LossRecipe, model: Any, *, step: int) -> dict[str, CheckedTerm]:
    """Check every term of a recipe, also those of weight 0, without their schedules.

    Converts the model to double precision and perturbs its parameters.
    """
    terms = {name: in_dtype(term, torch.float64) for name, term in recipe.terms.items()}
    on_quantities = {name: _on_quantities(term) for name, term in terms.items()}
    through_field = _through_field(terms, model, step)
    return {
        name: CheckedTerm(
            on_quantities[name],
            through_field[name],
            draws="generator" in term.needs,
            approximate=_approximate(term),
        )
        for name, term in terms.items()
    }


def _approximate(term: Term) -> str:
    requirements = requirements_of(term.fn)
    return "" if requirements is None else requirements.approximate_gradient


def _on_quantities(term: Term) -> Trial:
    """Return the largest error over the differentiable quantities, each checked on its own."""
    unknown = sorted(term.needs - VOCABULARY.keys())
    if unknown:
        return Trial(note=f"not tried: '{unknown[0]}' is your own, and has no random values")
    quantities = fake_quantities(term, torch.float64)
    names = [name for name in sorted(quantities) if is_predicted(term, name, quantities[name])]
    if not names:
        return Trial(note="takes none")
    leaves = {name: quantities[name].clone().requires_grad_() for name in names}
    found = [_tried(_value_of(term, {**quantities, **leaves}), [leaves[name]]) for name in names]
    return max(found, key=lambda trial: -1.0 if trial.error is None else trial.error)


def _value_of(term: Term, quantities: Mapping[str, Any]) -> Callable[[], Tensor]:
    """Return a function for the term's value, with the same random numbers at every call."""
    return lambda: term({**quantities, "generator": torch.Generator().manual_seed(0)})


def _through_field(terms: Mapping[str, Term], model: Any, step: int) -> dict[str, Trial]:
    """Return each term's error along random directions of the model's parameters."""
    needs = frozenset().union(*(term.needs for term in terms.values()))
    offers = model.offers(observable_quantities(needs))
    trials: dict[str, Trial] = {}
    for name, term in terms.items():
        missing = [quantity for quantity in sorted(term.needs) if quantity not in offers]
        if missing:
            who = VOCABULARY[missing[0]].provision if missing[0] in VOCABULARY else "unknown"
            trials[name] = Trial(note=f"not tried: needs '{missing[0]}', {who}")
    rest = {name: term for name, term in terms.items() if name not in trials}
    if not rest:
        return trials
    made = synthetic_batch(model, list(rest.values()), step=step)
    parameters = [p for group in model.parameter_groups().values() for p in group]
    for name, term in rest.items():
        trials[name] = _tried(_rendered(model, made, term), parameters)
    return {name: trials[name] for name in terms}


def _rendered(model: Any, made: SyntheticBatch, term: Term) -> Callable[[], Tensor]:
    """Return a function for the term's value on rendered quantities, with fixed random numbers."""
    learns = bool(list(model.sampler.parameters()))

    def value() -> Tensor:
        generator = torch.Generator().manual_seed(0)
        samples = made.samples
        if learns:
            samples = model.sampler(model.field, samples.rays, generator)
        return term(model.render(samples, term.needs, given=made.given, generator=generator))

    return value


def _tried(value: Callable[[], Tensor], leaves: Sequence[Tensor]) -> Trial:
    """Return the error; if it is too large, the one with frozen stop-gradients if that is not."""
    try:
        found = compare_derivatives(value, leaves)
    except Exception as error:  # a user's term may raise anything on random numbers
        return Trial(note=f"not tried: {type(error).__name__}: {error}")
    if not found.moves:
        return Trial(note="does not move it")
    if found.error <= TOLERANCE:
        return Trial(found.error)
    return _tried_frozen(value, leaves, found.error)


def _tried_frozen(value: Callable[[], Tensor], leaves: Sequence[Tensor], error: float) -> Trial:
    frozen = FrozenStopGradients()
    try:
        found = compare_derivatives(value, leaves, frozen=frozen)
    except RuntimeError:
        return Trial(error)
    # Without a stop-gradient the error is the same as before.
    return Trial(found.error, FROZEN) if found.error <= TOLERANCE else Trial(error)
