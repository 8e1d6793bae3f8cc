"""Is every term's gradient right: on the quantities that it takes, and through the field?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nerfloss.diagnostics.finite_differences import compare_slopes
from nerfloss.diagnostics.frozen_stop_gradients import FrozenStopGradients
from nerfloss.diagnostics.synthetic_batch import SyntheticBatch, make_up_step, observed_by
from nerfloss.quantities.vocabulary import VOCABULARY
from nerfloss.recipe import LossRecipe, Term
from nerfloss.recipe.requirements import requirements_of
from nerfloss.testing.terms import fakes_for, in_dtype, is_predicted

# Apart by more, relative to the larger of the two, autograd and differences disagree; a gradient
# that is said to be approximate may be off by the second.
TOLERANCE, COARSE = 1e-4, 0.5
HELD = "held fixed"


@dataclass(frozen=True)
class Trial:
    """One comparison: the relative ``error``, None where there was nothing to compare.

    ``note`` says why there was nothing, or under what condition the error holds.
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
        """Whether a gradient is not what differences say."""
        allowed = COARSE if self.approximate else TOLERANCE
        errors = (self.on_quantities.error, self.through_field.error)
        # Written so that an error that is no number is wrong.
        return any(error is not None and not error <= allowed for error in errors)


def check_recipe(recipe: LossRecipe, model: Any, *, step: int) -> dict[str, CheckedTerm]:
    """Check every term of a recipe, also those of weight 0, whatever their schedules.

    The model ends up in double precision, its parameters moved a little.
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
    """The worst error over the quantities that a gradient may flow into, each moved on its own."""
    strange = sorted(term.needs - VOCABULARY.keys())
    if strange:
        return Trial(note=f"not tried: '{strange[0]}' is your own, and cannot be made up")
    quantities = fakes_for(term, torch.float64)
    names = [name for name in sorted(quantities) if is_predicted(term, name, quantities[name])]
    if not names:
        return Trial(note="takes none")
    leaves = {name: quantities[name].clone().requires_grad_() for name in names}
    found = [_tried(_value_of(term, {**quantities, **leaves}), [leaves[name]]) for name in names]
    return max(found, key=lambda trial: -1.0 if trial.error is None else trial.error)


def _value_of(term: Term, quantities: Mapping[str, Any]) -> Callable[[], Tensor]:
    """The term's value on quantities; it draws the same every time."""
    return lambda: term({**quantities, "generator": torch.Generator().manual_seed(0)})


def _through_field(terms: Mapping[str, Term], model: Any, step: int) -> dict[str, Trial]:
    """Each term's error along random directions in the space of the model's parameters."""
    needs = frozenset().union(*(term.needs for term in terms.values()))
    offers = model.offers(observed_by(needs))
    trials: dict[str, Trial] = {}
    for name, term in terms.items():
        missing = [quantity for quantity in sorted(term.needs) if quantity not in offers]
        if missing:
            who = VOCABULARY[missing[0]].provision if missing[0] in VOCABULARY else "unknown"
            trials[name] = Trial(note=f"not tried: needs '{missing[0]}', {who}")
    rest = {name: term for name, term in terms.items() if name not in trials}
    if not rest:
        return trials
    made = make_up_step(model, list(rest.values()), step=step)
    parameters = [p for group in model.parameter_groups().values() for p in group]
    for name, term in rest.items():
        trials[name] = _tried(_rendered(model, made, term), parameters)
    return {name: trials[name] for name in terms}


def _rendered(model: Any, made: SyntheticBatch, term: Term) -> Callable[[], Tensor]:
    """The term's value on what the model renders; it draws the same every time."""
    learns = bool(list(model.sampler.parameters()))

    def value() -> Tensor:
        generator = torch.Generator().manual_seed(0)
        samples = made.samples
        if learns:
            samples = model.sampler(model.field, samples.rays, generator)
        return term(model.render(samples, term.needs, given=made.given, generator=generator))

    return value


def _tried(value: Callable[[], Tensor], leaves: Sequence[Tensor]) -> Trial:
    """The error; where it is too large, that with all that is stopped held fixed, if it is not."""
    try:
        found = compare_slopes(value, leaves)
    except Exception as error:  # whatever a term of somebody's raises on made-up numbers
        return Trial(note=f"not tried: {type(error).__name__}: {error}")
    if not found.moves:
        return Trial(note="does not move it")
    if found.error <= TOLERANCE:
        return Trial(found.error)
    return _tried_held_fixed(value, leaves, found.error)


def _tried_held_fixed(value: Callable[[], Tensor], leaves: Sequence[Tensor], error: float) -> Trial:
    held = FrozenStopGradients()
    try:
        found = compare_slopes(value, leaves, held=held)
    except RuntimeError:
        return Trial(error)
    # Without any stop nothing was held: the differences are what they were.
    return Trial(found.error, HELD) if found.error <= TOLERANCE else Trial(error)
