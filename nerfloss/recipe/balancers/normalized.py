"""Normalization: divide every loss by its own running mean."""

from collections.abc import Mapping

from torch import Tensor

from nerfloss.recipe.balancer import Balancer
from nerfloss.recipe.balancers.running_stats import RunningStats, by_term, unweighted
from nerfloss.recipe.balancers.settings_checks import require_above, require_between


class Normalized(Balancer):
    """Divide every loss by the running mean of its absolute value, this step's included.

    ``m = decay m + (1 - decay) |L|``, corrected for its start at 0 as Adam corrects its moments;
    the factor is ``1 / max(m, floor)``. At a term's first step its loss becomes exactly 1, times
    its weight. ``floor`` bounds the factor of a loss that vanishes.
    """

    def __init__(self, *, decay: float = 0.99, floor: float = 1e-8) -> None:
        super().__init__()
        require_between(0, 0.999999, decay=decay)
        require_above(0, floor=floor)
        self.decay, self.floor = decay, floor
        self.stats = RunningStats(mean=0.0, share=0.0)

    def forward(
        self, losses: Mapping[str, Tensor], base_weights: Mapping[str, float]
    ) -> dict[str, Tensor]:
        mean, share = self.stats.read(losses)
        # share: the part of the mean that comes from losses, not from its initial 0.
        mean = self.decay * mean + (1 - self.decay) * unweighted(losses, base_weights).abs()
        share = self.decay * share + (1 - self.decay)
        if self.training:
            self.stats.write(losses, mean, share)
        return by_term(losses, 1 / (mean / share).clamp_min(self.floor))
