"""Explanation of a non-finite loss or gradient: the term and the quantity at fault."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from nerfloss.recipe.nonfinite.location import (
    Fault,
    affected_rays,
    describe_non_finite,
    list_rays,
)
from nerfloss.recipe.term import Term


class NonFiniteLoss(RuntimeError):
    """A total loss that is NaN or infinite; ``fault`` names the term and the quantity."""

    def __init__(self, message: str, fault: Fault) -> None:
        super().__init__(message)
        self.fault = fault


def explain_value(
    terms: Mapping[str, Term],
    values: Mapping[str, Tensor],
    quantities: Mapping[str, Any],
    step: int,
) -> NonFiniteLoss:
    """Return the error for a total that is not finite, given the active terms and their values."""
    name = next((name for name, value in values.items() if not value.isfinite().all()), None)
    if name is None:
        listed = ", ".join(f"{name}={value.item():.3g}" for name, value in values.items())
        sentence = (
            f"the total loss is not finite at step {step} although every term is ({listed}): "
            f"their weighted sum overflows; check the weights and the balancer"
        )
        return NonFiniteLoss(sentence, Fault("value", sentence))
    quantity, rays, cause = _cause(terms[name], quantities)
    sentence = f"loss term '{name}' is {values[name].item()} at step {step} {cause}"
    return NonFiniteLoss(sentence, Fault("value", sentence, name, quantity, rays))


def explain_gradient(
    terms: Mapping[str, Term], weights: Mapping[str, Any], quantities: Mapping[str, Any], step: int
) -> Fault:
    """Return the fault of a gradient that is not finite: its term, quantity and rays."""
    for name, term in terms.items():
        for quantity, gradient in gradients_to_quantities(term, weights[name], quantities):
            found = describe_non_finite(quantity, gradient, quantities)
            if found:
                sentence = (
                    f"at step {step} the gradient of loss term '{name}' with respect to its "
                    f"quantity '{quantity}' holds {found}: floor what the term divides by or takes "
                    f"the root or the logarithm of"
                )
                rays = affected_rays(quantity, gradient, quantities)
                return Fault("gradient", sentence, name, quantity, rays)
    return Fault(
        "gradient",
        f"at step {step} every loss term ({', '.join(terms)}) has a finite gradient with respect "
        f"to every quantity it takes, so the fault lies behind the quantities: in the renderer, "
        f"the field, or a term that queries the field itself",
    )


def gradients_to_quantities(
    term: Term, weight: Any, quantities: Mapping[str, Any]
) -> Iterable[tuple[str, Tensor | None]]:
    """Return the weighted term's gradient to each quantity it takes, all of them detached."""
    leaves = {quantity: _leaf(quantities[quantity]) for quantity in term.needs}
    names = [name for name in sorted(leaves) if _differentiable(leaves[name])]
    with torch.enable_grad():
        value = weight * term(leaves)
    if not names or not value.requires_grad:
        return []
    found = torch.autograd.grad(value, [leaves[name] for name in names], allow_unused=True)
    return zip(names, found, strict=True)


def quantities_taken(term: Term, quantities: Mapping[str, Any]) -> dict[str, Any]:
    """Return what enters a term, ``where`` included, by quantity in alphabetical order."""
    taken = term.selected_inputs(quantities)
    if term.where is not None:
        taken = {term.where: quantities[term.where], **taken}
    return dict(sorted(taken.items()))


def _cause(term: Term, quantities: Mapping[str, Any]) -> tuple[str | None, tuple[int, ...], str]:
    """Return the quantity that made a term's value non-finite, its rays, and the explanation."""
    for quantity, value in quantities_taken(term, quantities).items():
        found = describe_non_finite(quantity, value, quantities)
        if found:
            rays = affected_rays(quantity, value, quantities)
            advice = f"check how '{quantity}' is computed, or lower the learning rate"
            return quantity, rays, f"because its quantity '{quantity}' holds {found}: {advice}"
    rays = _rays_of_term(term, quantities)
    listed = ", ".join(f"'{quantity}'" for quantity in sorted(term.needs))
    return (
        None,
        rays,
        (
            f"although every quantity it takes ({listed}) is finite, so the term itself produced it"
            f"{list_rays(rays, quantities)}: floor what it divides by or takes the root or the "
            f"logarithm of"
        ),
    )


def _rays_of_term(term: Term, quantities: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the selected rays for which a term returns values that are not finite."""
    with torch.no_grad():
        errors = term.unreduced(quantities)
        if term.where is not None and errors.ndim:
            keep = quantities[term.where]
            kept = (keep > 0).reshape(keep.shape + (1,) * (errors.ndim - keep.ndim))
            errors = torch.where(kept, errors, 0.0)
    takes_patches = any(name.startswith("patch_") for name in term.needs)
    return affected_rays("patch_rgb" if takes_patches else None, errors, quantities)


def _leaf(value: Any) -> Any:
    if isinstance(value, Tensor) and value.is_floating_point():
        return value.detach().clone().requires_grad_()
    return value


def _differentiable(value: Any) -> bool:
    return isinstance(value, Tensor) and value.requires_grad
