"""Relative loss balancing with random lookback (ReLoBRaLo)."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.recipe.balancer import Balancer
from nerfloss.recipe.balancers.running_stats import RunningStats, by_term, unweighted
from nerfloss.recipe.balancers.settings_checks import require_above, require_between, require_whole


class RelativeLossBalancing(Balancer):
    """Average ``balance(L(t) / L(t-1))`` over time, sometimes restarted from ``L(t) / L(0)``.

    With ``balance(r) = K softmax(r / temperature)`` over the ``K`` active terms, and ``coin``
    1 with probability ``remember``, else 0, drawn once per step:
    ``f(t) = decay (coin f(t-1) + (1 - coin) balance(L(t) / L(0)))
    + (1 - decay) balance(L(t) / L(t-1))``. ``f`` is 1 at first; ``L(0)`` is the loss when its term
    was first active. Losses are floored at 1e-12 before they divide.

    Reference: Bischof and Kraus, "Multi-Objective Loss Balancing for Physics-Informed Deep
    Learning", 2021, section 3.2; the settings are those of its code.
    """

    def __init__(
        self,
        *,
        temperature: float = 0.1,
        decay: float = 0.999,
        remember: float = 0.999,
        seed: int = 0,
    ) -> None:
        super().__init__()
        require_above(0, temperature=temperature)
        require_between(0, 1, decay=decay, remember=remember)
        require_whole(0, seed=seed)
        self.temperature, self.decay, self.remember, self.seed = temperature, decay, remember, seed
        self.stats = RunningStats(met=0.0, first=0.0, last=0.0, factor=1.0)

    def forward(
        self, losses: Mapping[str, Tensor], base_weights: Mapping[str, float], step: int
    ) -> dict[str, Tensor]:
        values = unweighted(losses, base_weights)
        met, first, last, factor = self.stats.read(losses)
        first, last = torch.where(met > 0, first, values), torch.where(met > 0, last, values)
        kept = factor if self._coin(step) else self._balance(values, first)
        factor = self.decay * kept + (1 - self.decay) * self._balance(values, last)
        if self.training:
            self.stats.write(losses, torch.ones_like(met), first, values, factor)
        return by_term(losses, factor)

    def _balance(
        self, values: Float[Tensor, "terms"], past: Float[Tensor, "terms"]
    ) -> Float[Tensor, "terms"]:
        ratio = values / past.clamp_min(1e-12)
        return len(values) * torch.softmax(ratio / self.temperature, 0)

    def _coin(self, step: int) -> bool:
        """Return the step's draw; its seed is the step's number, for runs that resume."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        return bool(torch.rand((), generator=generator) < self.remember)
