"""Uncertainty weighting: learn the noise of each term (homoscedastic uncertainty)."""

from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

from nerfloss.recipe.balancer import Balancer
from nerfloss.recipe.balancers.settings_checks import require_above


class Uncertainty(Balancer):
    """Learn the noise of every term: the total is ``sum w (1/2 exp(-s) L + s/2)``.

    ``s`` is the logarithm of a term's variance, 0 at first, trained with the other parameters; at
    its optimum ``exp(s) = L``. The base weight ``w`` multiplies both parts: in the first alone it
    would be absorbed by ``s``. A scheduled term learns its noise while it is active. Losses have to
    be positive. ``floor`` moves the optimum to ``exp(s) = L + floor``, which bounds the weight of a
    loss that vanishes.

    Reference: Kendall, Gal and Cipolla, "Multi-Task Learning Using Uncertainty to Weigh Losses for
    Scene Geometry and Semantics", CVPR 2018, equation 7 with s = log sigma^2.
    """

    def __init__(self, *, floor: float = 1e-6) -> None:
        super().__init__()
        require_above(0, floor=floor)
        self.floor = floor
        self.log_variance = nn.ParameterDict()

    def setup(self, terms: Collection[str]) -> None:
        """Create one parameter for each term, sorted: an optimizer's state goes by their order."""
        for name in sorted(terms):
            self.log_variance[name] = nn.Parameter(torch.zeros(()))

    def forward(self, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: 0.5 * torch.exp(-self.log_variance[name]) for name in losses}

    def penalty(self, base_weights: Mapping[str, float]) -> Tensor:
        """Return ``sum w (s/2 + 1/2 exp(-s) floor)``, which keeps the variances from growing."""
        parts = [
            weight
            * 0.5
            * (self.log_variance[name] + self.floor * torch.exp(-self.log_variance[name]))
            for name, weight in base_weights.items()
        ]
        return torch.stack(parts).sum()
