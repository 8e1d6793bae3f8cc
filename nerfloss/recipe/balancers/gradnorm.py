"""GradNorm: gradients whose sizes follow how far behind each term is."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.recipe.balancers.running_stats import Memory, by_name, without_weights
from nerfloss.recipe.balancers.settings_checks import require_above, require_between, require_whole


class GradNorm(nn.Module):
    """Move every factor ``f`` so that ``G = f |grad L|`` reaches ``mean(G) r^asymmetry``.

    ``r`` is a term's ``L(t) / L(0)`` over the mean of all: above 1 where it trains more slowly
    than the others; ``L(0)`` is the loss when its gradient was first looked at. Targets are scaled
    to the mean of ``G``: the paper's have another, so that no factors reach all of them and the
    smallest runs away to 0.

    The factors descend ``sum |G - target| / mean(G)``, whose derivative by ``log f`` is
    ``+-G / mean(G)`` exactly: a gradient's size is linear in its factor, so no second derivative
    is needed. Steps in the logarithm (the paper's are in ``f``) keep factors positive and ``rate``
    free of the losses' units; none goes past its target. Then the mean of the factors that act is
    set back to 1. The set weights are left out of ``G`` and multiply afterwards: they are priors.

    Every ``every`` steps this takes one backward pass for each term instead of one for all; what
    it finds acts from the next step on.

    Reference: Chen et al., "GradNorm: Gradient Normalization for Adaptive Loss Balancing in Deep
    Multitask Networks", ICML 2018, equations 1 and 2, algorithm 1.
    """

    def __init__(self, *, asymmetry: float = 1.5, rate: float = 0.1, every: int = 10) -> None:
        super().__init__()
        require_between(0, 100, asymmetry=asymmetry)
        require_above(0, rate=rate)
        require_whole(1, every=every)
        self.asymmetry, self.rate, self.every = asymmetry, rate, every
        self.memory = Memory(met=0.0, first=0.0, factor=1.0)

    def forward(self, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return by_name(losses, self.memory.read(losses)[-1])

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
        values = without_weights(losses, priors)
        met, first, factor = self.memory.read(losses)
        first = torch.where(met > 0, first, values)
        # Rows are gradients of w f L: without w, their sizes are G.
        weights = gradients.new_tensor([priors[name] for name in losses])
        sizes = torch.linalg.vector_norm(gradients, dim=1) / weights
        factor = factor * torch.exp(self._steps(sizes, values / first.clamp_min(1e-12)))
        factor = factor / factor.mean()
        self.memory.write(losses, torch.ones_like(met), first, factor)
        return gradients.sum(0)

    def _steps(
        self, sizes: Float[Tensor, "terms"], left: Float[Tensor, "terms"]
    ) -> Float[Tensor, "terms"]:
        """How ``log f`` moves; a term without any gradient stays."""
        # The floor: what is left of a loss cannot be below nothing.
        behind = left.clamp_min(1e-6) / left.clamp_min(1e-6).mean()
        mean = sizes.mean().clamp_min(1e-30)
        shares = behind**self.asymmetry
        targets = mean * shares / shares.mean()
        too_large = torch.log(sizes.clamp_min(1e-30)) - torch.log(targets)
        steps = -too_large.sign() * torch.minimum(self.rate * sizes / mean, too_large.abs())
        return torch.where(sizes > 0, steps, 0.0)
