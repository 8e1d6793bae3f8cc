"""PCGrad: what one term's gradient does against another's is taken away."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.recipe.balancers.settings_checks import require_whole


class ProjectedGradients(nn.Module):
    """Project each term's gradient off those that it conflicts with, then add all up.

    For every term, against the others in random order: where ``g . g_other < 0``,
    ``g <- g - (g . g_other / |g_other|^2) g_other``, with the others as they were. Two projected
    gradients never conflict; of more, a later projection may bring back a little of an earlier
    conflict, as in the paper. Weights stay as they are set.

    Every projection is a sum of the gradients, so all of it happens among their ``terms x terms``
    products: the parameters are passed over twice, whatever the number of terms. Every step takes
    one backward pass for each term instead of one for all.

    Reference: Yu et al., "Gradient Surgery for Multi-Task Learning", NeurIPS 2020, algorithm 1.
    """

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__()
        require_whole(0, seed=seed)
        self.seed = seed

    def forward(self, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:  # noqa: ARG002
        return {}

    def combines(self, step: int) -> bool:  # noqa: ARG002
        """Always."""
        return True

    def combine(
        self,
        gradients: Float[Tensor, "terms numbers"],
        losses: Mapping[str, Tensor],
        priors: Mapping[str, float],  # noqa: ARG002
        step: int,
    ) -> Float[Tensor, "numbers"]:
        """The sum of the projected gradients; the order is drawn from the step's number."""
        # Drawn for the names in order, so that the order of the recipe does not matter.
        names = list(losses)
        order = sorted(range(len(names)), key=names.__getitem__)
        shares = projections(gradients @ gradients.t(), order, self.seed * 1_000_003 + step)
        return shares.sum(0).to(gradients) @ gradients


def projections(
    products: Float[Tensor, "terms terms"], order: list[int], seed: int
) -> Float[Tensor, "terms terms"]:
    """How much of each gradient (column) is in each projected one (row), from their products.

    ``order`` lists the terms as draws go through them.
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
