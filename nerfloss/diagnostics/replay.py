"""A step that failed, made again: is it the same fault, and what does each term say?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nerfloss.geometry import Samples
from nerfloss.recipe import Fault, LossRecipe, NonFiniteLoss, Term
from nerfloss.recipe.nonfinite_location import how_much, rays_of, say_where
from nerfloss.recipe.nonfinite_report import gradients_to_quantities, taken_by
from nerfloss.training.failure_snapshot import Failure


@dataclass(frozen=True)
class TermReplayed:
    """What one term did in the step, on its own.

    ``gradient`` is the length of the weighted term's gradient on the model's parameters.
    ``faults`` names quantities that are not finite, or whose gradient is not, and says how much.
    """

    value: float
    weight: float
    gradient: float
    faults: Mapping[str, str]


@dataclass(frozen=True)
class Replay:
    """A step made again: its ``fault``, None where everything is finite, and its terms by name.

    ``behind`` says which of the quantities between the parameters and the terms have a gradient
    that is not finite, and ``groups`` for which of the model's parameters the gradient is not.
    """

    fault: Fault | None
    terms: Mapping[str, TermReplayed]
    behind: Mapping[str, str]
    groups: Sequence[str]


def replay(failure: Failure, model: Any, recipe: LossRecipe) -> Replay:
    """Make the step again with a model and a recipe built from its configuration.

    Both are put into the state of the step first; no parameter moves.
    """
    with torch.random.fork_rng(devices=[]):
        quantities = _step(failure, model, recipe)
        fault = _fault(failure, model, recipe, quantities)
        # Made anew: the search above has used up the graph, and drawn from the generator.
        quantities = _step(failure, model, recipe)
        terms, total = _terms(failure, model, recipe, quantities)
    behind = _behind(total, quantities)
    for each in recipe.parameters():
        each.grad = None
    return Replay(fault, terms, behind, _broken_groups(total, model))


def _step(failure: Failure, model: Any, recipe: LossRecipe) -> Mapping[str, Any]:
    """The quantities of the step: every state is what the step began with."""
    model.field.load_state_dict(failure.model["field"])
    recipe.load_state_dict(failure.recipe)
    generator = torch.Generator(failure.rays.origins.device).manual_seed(failure.seed)
    scheduled = failure.at["step"]
    model.field.advance(scheduled)
    samples = Samples(failure.rays, **failure.samples)
    if "sampler" in failure.model:
        model.sampler.load_state_dict(failure.model["sampler"])
        samples = model.sampler(model.field, failure.rays, generator)
    generator.set_state(failure.generator)
    torch.set_rng_state(failure.torch_rng)
    given = {**failure.targets, **failure.at}
    return model.render(samples, recipe.needs(scheduled), given=given, generator=generator)


def _fault(
    failure: Failure, model: Any, recipe: LossRecipe, quantities: Mapping[str, Any]
) -> Fault | None:
    """What training would have said of these quantities."""
    scheduled = failure.at["step"]
    try:
        report = recipe(quantities, scheduled)
    except NonFiniteLoss as error:
        return error.fault
    parameters = [p for group in model.parameter_groups().values() for p in group]
    recipe.descent(report, scheduled, [*parameters, *recipe.descended()]).backward()
    gradients = [p.grad.flatten() for p in parameters if p.grad is not None]
    for each in parameters:
        each.grad = None
    # Squares, as the optimizer's guard looks at them.
    if all(bool(each.dot(each).isfinite()) for each in gradients):
        return None
    return recipe.blame(quantities, scheduled)


def _terms(
    failure: Failure, model: Any, recipe: LossRecipe, quantities: Mapping[str, Any]
) -> tuple[dict[str, TermReplayed], Tensor]:
    """Each term on its own, and the sum of all, weighted as set."""
    scheduled = failure.at["step"]
    active = recipe.active(scheduled)
    weights = {name: term.weight_at(scheduled) for name, term in active.items()}
    # All values first and in order, so that those that draw draw what they drew.
    losses = {name: weights[name] * term(quantities) for name, term in active.items()}
    parameters = [p for group in model.parameter_groups().values() for p in group]
    found = {
        name: TermReplayed(
            value=losses[name].item() / weights[name],
            weight=weights[name],
            gradient=_length(losses[name], parameters),
            faults=_faults(term, weights[name], quantities),
        )
        for name, term in active.items()
    }
    return found, sum(losses.values(), torch.zeros(()))


def _length(loss: Tensor, parameters: Sequence[nn.Parameter]) -> float:
    if not loss.requires_grad:
        return 0.0
    found = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    squares = [float(each.double().square().sum()) for each in found if each is not None]
    return sum(squares) ** 0.5


def _faults(term: Term, weight: float, quantities: Mapping[str, Any]) -> dict[str, str]:
    """By quantity, what of it or of the term's gradient to it is not finite, and for which rays."""
    faults = {}
    for name, value in taken_by(term, quantities).items():
        much = how_much(value)
        if much:
            rays = rays_of(name, value, quantities)
            faults[name] = f"holds {much}{say_where(rays, quantities)}"
    for name, gradient in gradients_to_quantities(term, weight, quantities):
        much = how_much(gradient)
        if much and name not in faults:
            rays = rays_of(name, gradient, quantities)
            faults[name] = f"has a gradient with {much}{say_where(rays, quantities)}"
    return faults


def _behind(total: Tensor, quantities: Mapping[str, Any]) -> dict[str, str]:
    """The quantities on the way back to the parameters whose gradient is not finite."""
    made = {
        name: value
        for name in quantities
        if isinstance(value := quantities[name], Tensor) and value.requires_grad
    }
    if not made or not total.requires_grad:
        return {}
    found = torch.autograd.grad(total, list(made.values()), retain_graph=True, allow_unused=True)
    return {
        name: f"{much}{say_where(rays_of(name, gradient, quantities), quantities)}"
        for name, gradient in zip(made, found, strict=True)
        if (much := how_much(gradient))
    }


def _broken_groups(total: Tensor, model: Any) -> list[str]:
    """The groups of the model's parameters that get a gradient that is not finite."""
    groups = {name: list(group) for name, group in model.parameter_groups().items() if group}
    parameters = [p for group in groups.values() for p in group]
    if not total.requires_grad:
        return []
    found = torch.autograd.grad(total, parameters, allow_unused=True)
    owners = [name for name, group in groups.items() for _ in group]
    return list(dict.fromkeys(n for n, g in zip(owners, found, strict=True) if how_much(g)))
