"""PCGrad: projection of each gradient off those that it conflicts with."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.recipe.balancer import Balancer
from nerfloss.recipe.balancers.settings_checks import require_whole


class ProjectedGradients(Balancer):
    """Project each term's gradient off those that it conflicts with, and sum them.

    For every term, against the others in random order: where ``g . g_other < 0``,
    ``g <- g - (g . g_other / |g_other|^2) g_other``, with the others as they were. Two projected
    gradients never conflict; of more, a later projection may bring back a little of an earlier
    conflict, as in the paper. The weights do not change.

    Every projection is a linear combination of the gradients, so it is computed from their
    ``terms x terms`` inner products: two passes over the parameters for any number of terms. Every
    step takes one backward pass for each term instead of one for all.

    Reference: Yu et al., "Gradient Surgery for Multi-Task Learning", NeurIPS 2020, algorithm 1.
    """

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__()
        require_whole(0, seed=seed)
        self.seed = seed

    def forward(self, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:  # noqa: ARG002
        return {}

    def combines(self, step: int) -> bool:  # noqa: ARG002
        """Return True: every step."""
        return True

    def combine(
        self,
        gradients: Float[Tensor, "terms numbers"],
        losses: Mapping[str, Tensor],
        base_weights: Mapping[str, float],  # noqa: ARG002
        step: int,
    ) -> Float[Tensor, "numbers"]:
        """Return the sum of the projected gradients, in an order drawn from the step's number."""
        # Drawn for the sorted names, so that the order of the recipe does not matter.
        names = list(losses)
        order = sorted(range(len(names)), key=names.__getitem__)
        shares = projections(gradients @ gradients.t(), order, self.seed * 1_000_003 + step)
        return shares.sum(0).to(gradients) @ gradients


def projections(
    products: Float[Tensor, "terms terms"], order: list[int], seed: int
) -> Float[Tensor, "terms terms"]:
    """Return the coefficients of each projected gradient (row) in the gradients (columns).

    ``products`` holds the gradients' inner products; ``order`` is the order of the terms in draws.
    """
    generator = torch.Generator().manual_seed(seed)
    known = products.double().cpu()
    shares = torch.eye(len(known), dtype=torch.float64)
    for one in order:
        for drawn in torch.randperm(len(order), generator=generator).tolist():
            other = order[drawn]
            along = shares[one] @ known[:, other]
            # A gradient of 0 has no products below 0: never divided by.
            if other != one and along < 0:
                shares[one, other] -= along / known[other, other]
    return shares
