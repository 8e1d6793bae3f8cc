"""Finding the term and the quantity at fault when a loss or its gradient is not finite."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from nerfloss.terms.term import Term


class NonFiniteLoss(RuntimeError):
    """A loss that is NaN or infinite: ``term`` names it, ``quantity`` what it was fed, if that."""

    def __init__(self, message: str, *, term: str | None = None, quantity: str | None = None):
        super().__init__(message)
        self.term = term
        self.quantity = quantity


def explain_value(
    terms: Mapping[str, Term],
    values: Mapping[str, Tensor],
    quantities: Mapping[str, Any],
    step: int,
) -> NonFiniteLoss:
    """The error for a total that is not finite, from the terms that acted and their values."""
    guilty = next((name for name, value in values.items() if not value.isfinite().all()), None)
    if guilty is None:
        listed = ", ".join(f"{name}={value.item():.3g}" for name, value in values.items())
        return NonFiniteLoss(
            f"the total loss is not finite at step {step} although every term is ({listed}): "
            f"their weighted sum overflows; look at the weights and at the balancer"
        )
    found = f"loss term '{guilty}' is {values[guilty].item()} at step {step}"
    for quantity in sorted(terms[guilty].needs):
        fault = _describe(quantities[quantity])
        if fault:
            return NonFiniteLoss(
                f"{found} because its quantity '{quantity}' holds {fault}: look at what makes "
                f"'{quantity}', or lower the learning rate",
                term=guilty,
                quantity=quantity,
            )
    listed = ", ".join(f"'{quantity}'" for quantity in sorted(terms[guilty].needs))
    return NonFiniteLoss(
        f"{found} although all it was fed ({listed}) is finite, so the term itself produced it: "
        f"floor what it divides by or takes the root or the logarithm of",
        term=guilty,
    )


def explain_gradient(
    terms: Mapping[str, Term], weights: Mapping[str, Any], quantities: Mapping[str, Any], step: int
) -> str:
    """A sentence that says which term has a gradient that is not finite, to which quantity.

    Every term is computed anew from detached quantities, so that only its own part of the chain
    is looked at.
    """
    for name, term in terms.items():
        leaves = {quantity: _leaf(quantities[quantity]) for quantity in term.needs}
        for quantity, gradient in _gradients(term, weights[name], leaves):
            fault = _describe(gradient)
            if fault:
                return (
                    f"at step {step} the gradient of loss term '{name}' with respect to its "
                    f"quantity '{quantity}' holds {fault}: floor what the term divides by or "
                    f"takes the root or the logarithm of"
                )
    return (
        f"at step {step} every loss term ({', '.join(terms)}) has a finite gradient with respect "
        f"to every quantity it was fed, so the fault lies behind the quantities: in the renderer, "
        f"the field, or a term that queries the field itself"
    )


def _gradients(
    term: Term, weight: Any, leaves: Mapping[str, Any]
) -> Iterable[tuple[str, Tensor | None]]:
    names = [name for name in sorted(leaves) if _differentiable(leaves[name])]
    with torch.enable_grad():
        value = weight * term(leaves)
    if not names or not value.requires_grad:
        return []
    found = torch.autograd.grad(value, [leaves[name] for name in names], allow_unused=True)
    return zip(names, found, strict=True)


def _leaf(value: Any) -> Any:
    if isinstance(value, Tensor) and value.is_floating_point():
        return value.detach().clone().requires_grad_()
    return value


def _differentiable(value: Any) -> bool:
    return isinstance(value, Tensor) and value.requires_grad


def _describe(value: Any) -> str:
    """How much of a tensor is not finite, e.g. ``3 of 96 values that are not finite (nan)``."""
    if not isinstance(value, Tensor) or not value.is_floating_point():
        return ""
    value = value.detach()
    wrong = value[~value.isfinite()]
    if not wrong.numel():
        return ""
    kinds = sorted({str(x) for x in wrong[:1000].tolist()})
    total = value.numel()
    return f"{wrong.numel()} of {total} values that are not finite ({', '.join(kinds)})"
