"""Gradient scaling: every term pulls at the parameters with about the same force."""

from collections.abc import Collection, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.recipe.balancers.running_stats import Memory, by_name
from nerfloss.recipe.balancers.settings_checks import require_above, require_between, require_whole


class GradientScale(nn.Module):
    """Average ``size / |grad L|`` over time as a term's factor: gradients become equally long.

    ``size`` is the length of the gradient of the term ``reference``, or the mean of all lengths
    where that is null: ``f = decay f + (1 - decay) size / |grad L|``, kept in
    ``[1 / limit, limit]``, 1 at first. The paper divides the largest component of the reference's
    gradient by the mean component of the other; in a hash grid nearly all components are 0, so
    lengths are compared here. A term without any gradient, or a step without the reference, leaves
    the factors as they are. The set weights multiply afterwards: they are priors.

    Every ``every`` steps this takes one backward pass for each term instead of one for all; what
    it finds acts from the next step on.

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
        self.memory = Memory(factor=1.0)

    def follow(self, terms: Collection[str]) -> None:
        """Raise ValueError where the reference is no term of the recipe."""
        if self.reference is not None and self.reference not in terms:
            raise ValueError(
                f"loss.balancer.reference is {self.reference!r}, which is no term of this recipe: "
                f"choose one of {', '.join(terms)}, or null for the mean of all"
            )

    def forward(self, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return by_name(losses, self.memory.read(losses)[0])

    def combines(self, step: int) -> bool:
        """Whether this step's gradients are looked at."""
        return step % self.every == 0

    def combine(
        self,
        gradients: Float[Tensor, "terms numbers"],
        losses: Mapping[str, Tensor],
        priors: Mapping[str, float],
        step: int,  # noqa: ARG002
    ) -> Float[Tensor, "numbers"]:
        """The sum, as without balancing; the factors move for the steps to come."""
        (factor,) = self.memory.read(losses)
        # Rows are gradients of w f L: without w and f, their lengths are those of L itself.
        weights = gradients.new_tensor([priors[name] for name in losses])
        lengths = torch.linalg.vector_norm(gradients, dim=1) / (weights * factor)
        pulling = lengths > 0
        names = list(losses)
        if self.reference is None:
            size = lengths.sum() / pulling.sum().clamp_min(1)
        elif self.reference in names:
            size = lengths[names.index(self.reference)]
        else:
            return gradients.sum(0)
        wanted = (size / lengths.clamp_min(1e-30)).clamp(1 / self.limit, self.limit)
        moved = self.decay * factor + (1 - self.decay) * wanted
        self.memory.write(losses, torch.where(pulling & (size > 0), moved, factor))
        return gradients.sum(0)
