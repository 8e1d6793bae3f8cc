"""One look at a step: what each term weighs, and how its gradient stands to the others'."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.recipe import LossReport
from nerfloss.recipe.term_gradients import loss_jacobian

CollectiveProtocol = Callable[[Tensor, list[bool]], tuple[Tensor, list[bool]]]


@dataclass(frozen=True)
class GradientSnapshot:
    """What was seen of the terms that acted, by name.

    ``norms`` are the lengths of the weighted terms' gradients on the shared parameters. ``cosines``
    has each pair once, in the recipe's order; none where one of the two gradients is 0.
    """

    values: Mapping[str, float]
    weights: Mapping[str, float]
    shares: Mapping[str, float]
    norms: Mapping[str, float]
    cosines: Mapping[tuple[str, str], float]

    @property
    def gradient_shares(self) -> dict[str, float]:
        """Each term's part of the sum of all lengths: these sum to 1, or are all 0."""
        total = sum(self.norms.values())
        return {name: norm / total if total > 0 else 0.0 for name, norm in self.norms.items()}


def look_at(
    report: LossReport, shared: Sequence[nn.Parameter], exchange: CollectiveProtocol | None = None
) -> GradientSnapshot:
    """Look at a step's report, one backward pass for each term; its graph stays as it was.

    ``exchange`` makes whole gradients of those that several processes find for their rays.
    """
    losses = {name: report.weights[name] * value for name, value in report.values.items()}
    rows, reached = loss_jacobian(losses, shared, retain_graph=True)
    if exchange is not None:
        rows, _ = exchange(rows, reached)
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
    """Lengths of the rows, and the cosines between them; the rows are scaled in place.

    A cosine with a row of zeros is 0.
    """
    # Scaled by the largest number first: squares of 1e20 are not float32's.
    largest = rows.abs().amax(1) if rows.shape[1] else rows.new_zeros(len(rows))
    rows /= torch.where(largest > 0, largest, 1.0)[:, None]
    products = (rows @ rows.t()).double()
    lengths = products.diagonal().sqrt()
    # Of rows that are not 0 one number is 1, so the floor is for rows of zeros alone.
    cosines = products / lengths.clamp_min(1e-12)[:, None] / lengths.clamp_min(1e-12)
    # In float32: nine digits, as in a table, are then the number itself.
    return (largest * lengths).float(), cosines.clamp(-1, 1)


def _number(value: float | Tensor) -> float:
    return value.item() if isinstance(value, Tensor) else float(value)
