"""Derivatives by autograd beside those by central differences, along random directions."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from nerfloss.diagnostics.frozen_stop_gradients import FrozenStopGradients

# Step sizes of the differences, relative to a leaf's own size. The best one counts: a kink near by
# spoils the large ones (ten thousands of ReLUs have one everywhere), rounding the small ones, and a
# wrong derivative is wrong at all of them.
STEPS = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
# So close, no better step is looked for.
CLOSE = 1e-6
DIRECTIONS = 3
# A leaf smaller than this moves as if it were of this size.
SMALLEST = 1e-3
# What is lost to rounding in a value of about 1, in double precision, and how many times as much
# a derivative must be to be told from none.
ROUNDING, CLEAR = 1e-14, 1e4


@dataclass(frozen=True)
class DerivativeComparison:
    """How far autograd and differences are apart, relative to the larger of the two.

    ``moves``: whether the leaves move the value at all.
    """

    error: float
    moves: bool


def compare_slopes(
    value: Callable[[], Tensor],
    leaves: Sequence[Tensor],
    *,
    seed: int = 0,
    held: FrozenStopGradients | None = None,
) -> DerivativeComparison:
    """Compare for a number that ``value`` makes of the leaves, in double precision.

    Each direction moves all leaves at once. ``value`` has to draw the same at every call. With
    ``held``, what it stops stays as it is.
    """
    generator = torch.Generator().manual_seed(seed)
    moves = [[_direction(leaf, generator) for leaf in leaves] for _ in range(DIRECTIONS)]
    with held or nullcontext():
        found = value()
    size = max(abs(found.item()), 1e-3)
    worst, moving = 0.0, False
    for move, analytic in zip(moves, _along(_gradient(found, leaves), moves), strict=True):
        best = float("inf")
        for step in STEPS:
            ahead = _moved(value, leaves, move, step, held)
            behind = _moved(value, leaves, move, -step, held)
            numeric, noise = (ahead - behind) / (2 * step), ROUNDING * size / step
            largest, clear = max(abs(analytic), abs(numeric)), CLEAR * noise
            if largest < clear and step != STEPS[0]:
                break  # so small a step says nothing of so small a slope
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
    held: FrozenStopGradients | None,
) -> float:
    """The value with the leaves moved, and the leaves back where they were."""
    before = [leaf.detach().clone() for leaf in leaves]
    try:
        with torch.no_grad():
            for leaf, part in zip(leaves, move, strict=True):
                leaf.add_(part, alpha=step)
        with held or nullcontext():
            return value().item()
    finally:
        with torch.no_grad():
            for leaf, saved in zip(leaves, before, strict=True):
                leaf.copy_(saved)
