"""Replay of a failed step: its fault, and the value and gradient of each term."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from nerfloss.geometry import Samples
from nerfloss.recipe import Fault, LossRecipe, NonFiniteLoss, Term
from nerfloss.recipe.nonfinite import (
    describe_non_finite,
    gradients_to_quantities,
    quantities_taken,
)
from nerfloss.training.failure_snapshot import Failure


@dataclass(frozen=True)
class ReplayedTerm:
    """Value, weight and gradient of one term in the replayed step.

    ``gradient`` is the norm of the weighted term's gradient on the model's parameters. ``faults``
    describes the quantities that are not finite, or whose gradient is not, by name.
    """

    value: float
    weight: float
    gradient: float
    faults: Mapping[str, str]


@dataclass(frozen=True)
class Replay:
    """A replayed step: its ``fault``, None where everything is finite, and its terms by name.

    ``expected`` is the fault that stopped the run.
    ``behind`` describes the gradients that are not finite of the quantities between the parameters
    and the terms. ``groups`` lists the groups of the model's parameters whose gradient is not.
    """

    expected: Fault
    fault: Fault | None
    terms: Mapping[str, ReplayedTerm]
    behind: Mapping[str, str]
    groups: Sequence[str]


def replay(failure: Failure, model: Any, recipe: LossRecipe) -> Replay:
    """Repeat the step with a model and a recipe built from its configuration.

    Loads the state of the step into both, and gives terms the weights that they had then; no
    parameter is updated.
    """
    for changed in failure.interventions:
        recipe.set_weight(changed["term"], changed["new"])
    with torch.random.fork_rng(devices=[]):
        quantities = _step(failure, model, recipe)
        fault = _fault(failure, model, recipe, quantities)
        # Again: the search above has freed the graph, and drawn from the generator.
        quantities = _step(failure, model, recipe)
        terms, total = _terms(failure, model, recipe, quantities)
    behind = _behind(total, quantities)
    for each in recipe.parameters():
        each.grad = None
    expected = Fault.from_dict(failure.fault)
    return Replay(expected, fault, terms, behind, _broken_groups(total, model))


def _step(failure: Failure, model: Any, recipe: LossRecipe) -> Mapping[str, Any]:
    """Return the quantities of the step, computed from the states at its beginning."""
    model.field.load_state_dict(failure.model["field"])
    if model.appearance is not None:
        model.appearance.load_state_dict(failure.model["appearance"])
    if model.cameras is not None:
        model.cameras.load_state_dict(failure.model["cameras"])
    recipe.load_state_dict(failure.recipe)
    generator = torch.Generator(failure.rays.origins.device).manual_seed(failure.seed)
    scheduled = failure.at["step"]
    model.advance(scheduled)
    samples = Samples(failure.rays, **failure.samples)
    if "sampler" in failure.model:
        model.sampler.load_state_dict(failure.model["sampler"])
        samples = model.sampler(model.field, model.sampling_rays(failure.rays), generator)
    samples = replace(samples, rays=model.training_rays(failure.rays, scheduled))
    generator.set_state(failure.generator)
    torch.set_rng_state(failure.torch_rng)
    given = {**failure.targets, **failure.at}
    return model.render(samples, recipe.needs(scheduled), given=given, generator=generator)


def _fault(
    failure: Failure, model: Any, recipe: LossRecipe, quantities: Mapping[str, Any]
) -> Fault | None:
    """Return the fault that training would have reported for these quantities."""
    scheduled = failure.at["step"]
    try:
        report = recipe(quantities, scheduled)
    except NonFiniteLoss as error:
        return error.fault
    parameters = [p for group in model.parameter_groups().values() for p in group]
    recipe.objective(report, scheduled, [*parameters, *recipe.trainable_parameters()]).backward()
    gradients = [p.grad.flatten() for p in parameters if p.grad is not None]
    for each in parameters:
        each.grad = None
    # Squares, as in the optimizer's check.
    if all(bool(each.dot(each).isfinite()) for each in gradients):
        return None
    return recipe.explain_gradient(quantities, scheduled)


def _terms(
    failure: Failure, model: Any, recipe: LossRecipe, quantities: Mapping[str, Any]
) -> tuple[dict[str, ReplayedTerm], Tensor]:
    """Return each term, and the sum of all by their base weights."""
    scheduled = failure.at["step"]
    active = recipe.active(scheduled)
    weights = {name: term.weight_at(scheduled) for name, term in active.items()}
    # All values first and in order, so that random terms draw the same numbers as in training.
    losses = {name: weights[name] * term(quantities) for name, term in active.items()}
    parameters = [p for group in model.parameter_groups().values() for p in group]
    found = {
        name: ReplayedTerm(
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
    """Describe by quantity what of it, or of the term's gradient to it, is not finite."""
    faults = {}
    for name, value in quantities_taken(term, quantities).items():
        if found := describe_non_finite(name, value, quantities):
            faults[name] = f"holds {found}"
    for name, gradient in gradients_to_quantities(term, weight, quantities):
        if name not in faults and (found := describe_non_finite(name, gradient, quantities)):
            faults[name] = f"has a gradient with {found}"
    return faults


def _behind(total: Tensor, quantities: Mapping[str, Any]) -> dict[str, str]:
    """Describe by quantity the gradients of the total that are not finite."""
    made = {
        name: value
        for name in quantities
        if isinstance(value := quantities[name], Tensor) and value.requires_grad
    }
    if not made or not total.requires_grad:
        return {}
    found = torch.autograd.grad(total, list(made.values()), retain_graph=True, allow_unused=True)
    return {
        name: text
        for name, gradient in zip(made, found, strict=True)
        if (text := describe_non_finite(name, gradient, quantities))
    }


def _broken_groups(total: Tensor, model: Any) -> list[str]:
    """Return the groups of the model's parameters whose gradient is not finite."""
    groups = {name: list(group) for name, group in model.parameter_groups().items() if group}
    parameters = [p for group in groups.values() for p in group]
    if not total.requires_grad:
        return []
    found = torch.autograd.grad(total, parameters, allow_unused=True)
    owners = [name for name, group in groups.items() for _ in group]
    broken = (
        owner
        for owner, gradient in zip(owners, found, strict=True)
        if gradient is not None and not gradient.isfinite().all()
    )
    return list(dict.fromkeys(broken))
