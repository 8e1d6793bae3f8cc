"""Dynamic weight average: a loss that decreases slowly gets a larger factor."""

from collections.abc import Mapping

import torch
from torch import Tensor

from nerfloss.recipe.balancer import Balancer
from nerfloss.recipe.balancers.running_stats import RunningStats, by_term, unweighted
from nerfloss.recipe.balancers.settings_checks import require_above, require_whole


class DynamicWeightAverage(Balancer):
    """Weigh ``K`` terms by ``K softmax(r / temperature)``, ``r = L1 / L2`` their rate of change.

    ``L1`` is a loss's mean over the last full ``window`` of steps, ``L2`` over the one before (the
    paper's windows are epochs). ``r`` is 1 until a term has two windows, and where ``L2`` is not
    above 0.

    Reference: Liu, Johns and Davison, "End-to-End Multi-Task Learning with Attention", CVPR 2019,
    equation 7.
    """

    def __init__(self, *, temperature: float = 2.0, window: int = 100) -> None:
        super().__init__()
        require_above(0, temperature=temperature)
        require_whole(1, window=window)
        self.temperature, self.window = temperature, window
        self.stats = RunningStats(total=0.0, count=0.0, last=0.0, before=0.0)

    def forward(
        self, losses: Mapping[str, Tensor], base_weights: Mapping[str, float]
    ) -> dict[str, Tensor]:
        total, count, last, before = self.stats.read(losses)
        fell = torch.where(before > 0, last / before, 1.0)
        factors = len(losses) * torch.softmax(fell / self.temperature, 0)
        if self.training:
            total, count = total + unweighted(losses, base_weights), count + 1
            full = count >= self.window
            self.stats.write(
                losses,
                torch.where(full, 0.0, total),
                torch.where(full, 0.0, count),
                torch.where(full, total / count, last),
                torch.where(full, last, before),
            )
        return by_term(losses, factors)
