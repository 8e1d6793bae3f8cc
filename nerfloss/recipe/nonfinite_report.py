"""Finding the term and the quantity at fault when a loss or its gradient is not finite."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from nerfloss.recipe.nonfinite_location import Fault, how_much, rays_of, say_where
from nerfloss.recipe.term import Term


class NonFiniteLoss(RuntimeError):
    """A loss that is NaN or infinite; ``fault`` names the term and what it was fed, if that."""

    def __init__(self, message: str, fault: Fault) -> None:
        super().__init__(message)
        self.fault = fault


def explain_value(
    terms: Mapping[str, Term],
    values: Mapping[str, Tensor],
    quantities: Mapping[str, Any],
    step: int,
) -> NonFiniteLoss:
    """The error for a total that is not finite, from the terms that acted and their values."""
    fault = _fault_of_value(terms, values, quantities, step)
    return NonFiniteLoss(str(fault), fault)


def _fault_of_value(
    terms: Mapping[str, Term],
    values: Mapping[str, Tensor],
    quantities: Mapping[str, Any],
    step: int,
) -> Fault:
    guilty = next((name for name, value in values.items() if not value.isfinite().all()), None)
    if guilty is None:
        listed = ", ".join(f"{name}={value.item():.3g}" for name, value in values.items())
        return Fault(
            "value",
            f"the total loss is not finite at step {step} although every term is ({listed}): "
            f"their weighted sum overflows; look at the weights and at the balancer",
        )
    found = f"loss term '{guilty}' is {values[guilty].item()} at step {step}"
    for quantity, value in taken_by(terms[guilty], quantities).items():
        much = how_much(value)
        if much:
            rays = rays_of(quantity, value, quantities)
            return Fault(
                "value",
                f"{found} because its quantity '{quantity}' holds {much}"
                f"{say_where(rays, quantities)}: look at what makes '{quantity}', or lower the "
                f"learning rate",
                guilty,
                quantity,
                rays,
            )
    rays = _rays_that_the_term_spoils(terms[guilty], quantities)
    listed = ", ".join(f"'{quantity}'" for quantity in sorted(terms[guilty].needs))
    return Fault(
        "value",
        f"{found} although all it was fed ({listed}) is finite, so the term itself produced it"
        f"{say_where(rays, quantities)}: floor what it divides by or takes the root or the "
        f"logarithm of",
        guilty,
        None,
        rays,
    )


def taken_by(term: Term, quantities: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a term takes, by quantity in alphabetical order, its ``where`` included."""
    taken = term.selected_inputs(quantities)
    if term.where is not None:
        taken = {term.where: quantities[term.where], **taken}
    return dict(sorted(taken.items()))


def explain_gradient(
    terms: Mapping[str, Term], weights: Mapping[str, Any], quantities: Mapping[str, Any], step: int
) -> Fault:
    """Which term has a gradient that is not finite, to which quantity, and for which rays.

    Every term is computed anew from detached quantities, so that only its own part of the chain
    is looked at.
    """
    for name, term in terms.items():
        for quantity, gradient in gradients_to_quantities(term, weights[name], quantities):
            much = how_much(gradient)
            if much:
                rays = rays_of(quantity, gradient, quantities)
                return Fault(
                    "gradient",
                    f"at step {step} the gradient of loss term '{name}' with respect to its "
                    f"quantity '{quantity}' holds {much}{say_where(rays, quantities)}: "
                    f"floor what the term divides by or takes the root or the logarithm of",
                    name,
                    quantity,
                    rays,
                )
    return Fault(
        "gradient",
        f"at step {step} every loss term ({', '.join(terms)}) has a finite gradient with respect "
        f"to every quantity it was fed, so the fault lies behind the quantities: in the renderer, "
        f"the field, or a term that queries the field itself",
    )


def gradients_to_quantities(
    term: Term, weight: Any, quantities: Mapping[str, Any]
) -> Iterable[tuple[str, Tensor | None]]:
    """The weighted term's gradient to each quantity that it takes, as if those were constants."""
    leaves = {quantity: _leaf(quantities[quantity]) for quantity in term.needs}
    names = [name for name in sorted(leaves) if _differentiable(leaves[name])]
    with torch.enable_grad():
        value = weight * term(leaves)
    if not names or not value.requires_grad:
        return []
    found = torch.autograd.grad(value, [leaves[name] for name in names], allow_unused=True)
    return zip(names, found, strict=True)


def _rays_that_the_term_spoils(term: Term, quantities: Mapping[str, Any]) -> tuple[int, ...]:
    """The rays for which a term returns numbers that are not finite, of those that it keeps."""
    with torch.no_grad():
        errors = term.unreduced(quantities)
        if term.where is not None and errors.ndim:
            keep = quantities[term.where]
            kept = (keep > 0).reshape(keep.shape + (1,) * (errors.ndim - keep.ndim))
            errors = torch.where(kept, errors, 0.0)
    takes_patches = any(name.startswith("patch_") for name in term.needs)
    return rays_of("patch_rgb" if takes_patches else None, errors, quantities)


def _leaf(value: Any) -> Any:
    if isinstance(value, Tensor) and value.is_floating_point():
        return value.detach().clone().requires_grad_()
    return value


def _differentiable(value: Any) -> bool:
    return isinstance(value, Tensor) and value.requires_grad
