"""Gradient scaling: the gradients of all terms get about the same length."""

from collections.abc import Collection, Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.recipe.balancer import Balancer
from nerfloss.recipe.balancers.running_stats import RunningStats, by_term
from nerfloss.recipe.balancers.settings_checks import require_above, require_between, require_whole


class GradientScale(Balancer):
    """Use the running mean of ``size / |grad L|`` as a term's factor.

    ``size`` is the length of the gradient of the term ``reference``, or the mean of all lengths
    where that is null: ``f = decay f + (1 - decay) size / |grad L|``, kept in
    ``[1 / limit, limit]``, 1 at first. The paper divides the largest component of the reference's
    gradient by the mean component of the other; in a hash grid nearly all components are 0, so
    lengths are compared here. A term with gradient 0 keeps its factor; a step without the
    reference changes none. The base weights multiply the result.

    Every ``every`` steps this takes one backward pass for each term instead of one for all; the
    new factors apply from the next step on.

    Reference: Wang, Teng and Perdikaris, "Understanding and Mitigating Gradient Flow Pathologies in
    Physics-Informed Neural Networks", SIAM Journal on Scientific Computing 2021, algorithm 1.
    """

    def __init__(
        self,
        *,
        decay: float = 0.9,
        every: int = 10,
        reference: str | None = None,
        limit: float = 1e4,
    ) -> None:
        super().__init__()
        require_between(0, 0.999999, decay=decay)
        require_whole(1, every=every)
        require_above(1, limit=limit)
        self.decay, self.every, self.reference, self.limit = decay, every, reference, limit
        self.stats = RunningStats(factor=1.0)

    def setup(self, terms: Collection[str]) -> None:
        """Raise ValueError where the reference is no term of the recipe."""
        if self.reference is not None and self.reference not in terms:
            raise ValueError(
                f"loss.balancer.reference is {self.reference!r}, which is no term of this recipe: "
                f"choose one of {', '.join(terms)}, or null for the mean of all"
            )

    def forward(self, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return by_term(losses, self.stats.read(losses)[0])

    def combines(self, step: int) -> bool:
        """Return True for every ``every``-th step."""
        return step % self.every == 0

    def combine(
        self,
        gradients: Float[Tensor, "terms numbers"],
        losses: Mapping[str, Tensor],
        base_weights: Mapping[str, float],
        step: int,  # noqa: ARG002
    ) -> Float[Tensor, "numbers"]:
        """Return the sum of the gradients, and update the factors."""
        (factor,) = self.stats.read(losses)
        # Rows are gradients of w f L: without w and f, their lengths are those of L itself.
        weights = gradients.new_tensor([base_weights[name] for name in losses])
        lengths = torch.linalg.vector_norm(gradients, dim=1) / (weights * factor)
        moving = lengths > 0
        names = list(losses)
        if self.reference is None:
            size = lengths.sum() / moving.sum().clamp_min(1)
        elif self.reference in names:
            size = lengths[names.index(self.reference)]
        else:
            return gradients.sum(0)
        wanted = (size / lengths.clamp_min(1e-30)).clamp(1 / self.limit, self.limit)
        moved = self.decay * factor + (1 - self.decay) * wanted
        self.stats.write(losses, torch.where(moving & (size > 0), moved, factor))
        return gradients.sum(0)
