"""Gradient snapshot of a step: norms of the terms' gradients and the cosines between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.recipe import LossReport
from nerfloss.recipe.term_gradients import AllReduce, loss_jacobian


@dataclass(frozen=True)
class GradientSnapshot:
    """Values, weights and gradients of the active terms, by name.

    ``norms`` are those of the weighted terms' gradients on the shared parameters. ``cosines`` has
    each pair once, in the recipe's order; pairs with a gradient of 0 are missing.
    """

    values: Mapping[str, float]
    weights: Mapping[str, float]
    shares: Mapping[str, float]
    norms: Mapping[str, float]
    cosines: Mapping[tuple[str, str], float]

    @property
    def gradient_shares(self) -> dict[str, float]:
        """Each term's share of the sum of all norms: these sum to 1, or are all 0."""
        total = sum(self.norms.values())
        return {name: norm / total if total > 0 else 0.0 for name, norm in self.norms.items()}


def take_snapshot(
    report: LossReport, shared: Sequence[nn.Parameter], all_reduce: AllReduce | None = None
) -> GradientSnapshot:
    """Return the snapshot of a report, with one backward pass for each term; keeps the graph.

    ``all_reduce`` averages the gradients of several processes.
    """
    losses = {name: report.weights[name] * value for name, value in report.values.items()}
    rows, reached = loss_jacobian(losses, shared, retain_graph=True)
    if all_reduce is not None:
        rows, _ = all_reduce(rows, reached)
    norms, cosines = norms_and_cosines(rows)
    names, lengths, table = list(losses), norms.tolist(), cosines.tolist()
    return GradientSnapshot(
        values={name: value.item() for name, value in report.values.items()},
        weights={name: _number(weight) for name, weight in report.weights.items()},
        shares=report.shares,
        norms=dict(zip(names, lengths, strict=True)),
        cosines={
            (one, other): table[i][j]
            for i, one in enumerate(names)
            for j, other in enumerate(names)
            if i < j and lengths[i] != 0 and lengths[j] != 0
        },
    )


def norms_and_cosines(
    rows: Float[Tensor, "terms numbers"],
) -> tuple[Float[Tensor, "terms"], Float[Tensor, "terms terms"]]:
    """Return the norms of the rows and the cosines between them; scales the rows in place.

    A cosine with a row of zeros is 0.
    """
    # Scaled by the largest number first: squares of 1e20 overflow in float32.
    largest = rows.abs().amax(1) if rows.shape[1] else rows.new_zeros(len(rows))
    rows /= torch.where(largest > 0, largest, 1.0)[:, None]
    products = (rows @ rows.t()).double()
    lengths = products.diagonal().sqrt()
    # A row that is not 0 contains a 1 now, so the floor affects rows of zeros only.
    cosines = products / lengths.clamp_min(1e-12)[:, None] / lengths.clamp_min(1e-12)
    # In float32, nine digits in a table identify the number.
    return (largest * lengths).float(), cosines.clamp(-1, 1)


def _number(value: float | Tensor) -> float:
    return value.item() if isinstance(value, Tensor) else float(value)
