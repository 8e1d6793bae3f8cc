"""Comparison of autograd with central differences along random directions."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from nerfloss.diagnostics.frozen_stop_gradients import FrozenStopGradients

# Step sizes of the differences, relative to the size of a tensor. The best one counts: kinks nearby
# (there is always one among many ReLUs) spoil the large steps, rounding spoils the small ones, and
# a wrong derivative is wrong for all of them.
STEPS = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
# An error below this ends the search for a better step.
CLOSE = 1e-6
DIRECTIONS = 3
# Lower bound of the size of a tensor.
SMALLEST = 1e-3
# Rounding error of a value of about 1 in double precision, and the ratio of derivative to error
# from which on a derivative is significant.
ROUNDING, CLEAR = 1e-14, 1e4


@dataclass(frozen=True)
class DerivativeComparison:
    """Difference of autograd and central differences, relative to the larger of the two.

    ``moves`` is False where the value does not depend on the tensors.
    """

    error: float
    moves: bool


def compare_derivatives(
    value: Callable[[], Tensor],
    leaves: Sequence[Tensor],
    *,
    seed: int = 0,
    frozen: FrozenStopGradients | None = None,
) -> DerivativeComparison:
    """Compare both derivatives of ``value``, a function of the ``leaves``, in double precision.

    A direction changes all leaves at once. ``value`` must use the same random numbers at every
    call. With ``frozen``, the tensors that it detaches keep their values.
    """
    generator = torch.Generator().manual_seed(seed)
    moves = [[_direction(leaf, generator) for leaf in leaves] for _ in range(DIRECTIONS)]
    with frozen or nullcontext():
        found = value()
    size = max(abs(found.item()), 1e-3)
    worst, moving = 0.0, False
    for move, analytic in zip(moves, _along(_gradient(found, leaves), moves), strict=True):
        best = float("inf")
        for step in STEPS:
            ahead = _moved(value, leaves, move, step, frozen)
            behind = _moved(value, leaves, move, -step, frozen)
            numeric, noise = (ahead - behind) / (2 * step), ROUNDING * size / step
            largest, clear = max(abs(analytic), abs(numeric)), CLEAR * noise
            if largest < clear and step != STEPS[0]:
                break  # smaller steps cannot resolve so small a derivative
            best = min(best, abs(analytic - numeric) / max(largest, clear))
            moving |= analytic != 0 or abs(numeric) > noise
            if best <= CLOSE:
                break
        worst = max(worst, best)
    return DerivativeComparison(worst, moving)


def _direction(leaf: Tensor, generator: torch.Generator) -> Tensor:
    size = leaf.detach().square().mean().sqrt().clamp_min(SMALLEST)
    drawn = torch.randn(leaf.shape, generator=generator, dtype=leaf.dtype)
    return size * drawn.to(leaf.device)


def _gradient(value: Tensor, leaves: Sequence[Tensor]) -> list[Tensor | None]:
    if not value.requires_grad:
        return [None] * len(leaves)
    return list(torch.autograd.grad(value, leaves, retain_graph=True, allow_unused=True))


def _along(gradients: Sequence[Tensor | None], moves: Sequence[Sequence[Tensor]]) -> list[float]:
    return [
        sum(
            float((g * part).sum())
            for g, part in zip(gradients, move, strict=True)
            if g is not None
        )
        for move in moves
    ]


def _moved(
    value: Callable[[], Tensor],
    leaves: Sequence[Tensor],
    move: Sequence[Tensor],
    step: float,
    frozen: FrozenStopGradients | None,
) -> float:
    """Return the value at moved leaves, and restore the leaves."""
    before = [leaf.detach().clone() for leaf in leaves]
    try:
        with torch.no_grad():
            for leaf, part in zip(leaves, move, strict=True):
                leaf.add_(part, alpha=step)
        with frozen or nullcontext():
            return value().item()
    finally:
        with torch.no_grad():
            for leaf, saved in zip(leaves, before, strict=True):
                leaf.copy_(saved)
