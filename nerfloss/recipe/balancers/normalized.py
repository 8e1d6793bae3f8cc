"""Normalisation: every loss over its own running mean, so that all begin and stay alike."""

from collections.abc import Mapping

from torch import Tensor, nn

from nerfloss.recipe.balancers.running_stats import Memory, by_name, without_weights
from nerfloss.recipe.balancers.settings_checks import require_above, require_between


class Normalized(nn.Module):
    """Divide every loss by the running mean of its size, this step's included.

    ``m = decay m + (1 - decay) |L|``, corrected for its start at 0 as Adam corrects its moments;
    the factor is ``1 / max(m, floor)``. At a term's first step its loss becomes exactly 1, times
    its weight. A loss smaller than ``floor`` is taken to have vanished.
    """

    def __init__(self, *, decay: float = 0.99, floor: float = 1e-8) -> None:
        super().__init__()
        require_between(0, 0.999999, decay=decay)
        require_above(0, floor=floor)
        self.decay, self.floor = decay, floor
        self.memory = Memory(mean=0.0, share=0.0)

    def forward(
        self, losses: Mapping[str, Tensor], priors: Mapping[str, float]
    ) -> dict[str, Tensor]:
        mean, share = self.memory.read(losses)
        # share: how much of the mean is made of losses, and not of the 0 that it began with.
        mean = self.decay * mean + (1 - self.decay) * without_weights(losses, priors).abs()
        share = self.decay * share + (1 - self.decay)
        if self.training:
            self.memory.write(losses, mean, share)
        return by_name(losses, 1 / (mean / share).clamp_min(self.floor))
