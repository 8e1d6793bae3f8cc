"""GradNorm: gradient norms that depend on the relative training rate of each term."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.recipe.balancer import Balancer
from nerfloss.recipe.balancers.running_stats import RunningStats, by_term, unweighted
from nerfloss.recipe.balancers.settings_checks import require_above, require_between, require_whole


class GradNorm(Balancer):
    """Move every factor ``f`` so that ``G = f |grad L|`` reaches ``mean(G) r^asymmetry``.

    ``r`` is a term's ``L(t) / L(0)`` over the mean of all: above 1 where it trains more slowly
    than the others; ``L(0)`` is the loss when its gradient was first measured. Targets are scaled
    to the mean of ``G``: the paper's have another, so that no factors reach all of them and the
    smallest runs away to 0.

    The factors descend ``sum |G - target| / mean(G)``, whose derivative by ``log f`` is
    ``+-G / mean(G)`` exactly: a gradient's size is linear in its factor, so no second derivative
    is needed. Steps in the logarithm (the paper's are in ``f``) keep factors positive and ``rate``
    free of the losses' units; a step ends at the target at most. Then the factors of the active
    terms are scaled to a mean of 1. ``G`` excludes the base weights, which multiply the result.

    Every ``every`` steps this takes one backward pass for each term instead of one for all; the
    new factors apply from the next step on.

    Reference: Chen et al., "GradNorm: Gradient Normalization for Adaptive Loss Balancing in Deep
    Multitask Networks", ICML 2018, equations 1 and 2, algorithm 1.
    """

    def __init__(self, *, asymmetry: float = 1.5, rate: float = 0.1, every: int = 10) -> None:
        super().__init__()
        require_between(0, 100, asymmetry=asymmetry)
        require_above(0, rate=rate)
        require_whole(1, every=every)
        self.asymmetry, self.rate, self.every = asymmetry, rate, every
        self.stats = RunningStats(met=0.0, first=0.0, factor=1.0)

    def forward(self, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return by_term(losses, self.stats.read(losses)[-1])

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
        values = unweighted(losses, base_weights)
        met, first, factor = self.stats.read(losses)
        first = torch.where(met > 0, first, values)
        # Rows are gradients of w f L: without w, their sizes are G.
        weights = gradients.new_tensor([base_weights[name] for name in losses])
        sizes = torch.linalg.vector_norm(gradients, dim=1) / weights
        factor = factor * torch.exp(self._steps(sizes, values / first.clamp_min(1e-12)))
        factor = factor / factor.mean()
        self.stats.write(losses, torch.ones_like(met), first, factor)
        return gradients.sum(0)

    def _steps(
        self, sizes: Float[Tensor, "terms"], left: Float[Tensor, "terms"]
    ) -> Float[Tensor, "terms"]:
        """Return the changes of ``log f``; 0 for a term with gradient 0."""
        # The floor: a training rate is not negative.
        rates = left.clamp_min(1e-6) / left.clamp_min(1e-6).mean()
        mean = sizes.mean().clamp_min(1e-30)
        shares = rates**self.asymmetry
        targets = mean * shares / shares.mean()
        too_large = torch.log(sizes.clamp_min(1e-30)) - torch.log(targets)
        steps = -too_large.sign() * torch.minimum(self.rate * sizes / mean, too_large.abs())
        return torch.where(sizes > 0, steps, 0.0)
