"""Uncertainty weighting: a loss counts by the noise that remains in what it fits."""

from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

from nerfloss.recipe.balancers.settings_checks import require_above


class Uncertainty(nn.Module):
    """Learn the noise of every term: the total is ``sum w (1/2 exp(-s) L + s/2)``.

    ``s`` is the logarithm of a term's variance, 0 at first, descended with the other parameters;
    where it settles, ``exp(s) = L``. The set weight ``w`` multiplies both parts, so that it stays
    a prior (inside the first alone it would be absorbed by ``s``) and a scheduled term learns its
    noise while it acts. Losses have to be positive. ``exp(s)`` settles at ``L + floor``, so that
    the weight of a loss that vanishes does not grow without bound.

    Reference: Kendall, Gal and Cipolla, "Multi-Task Learning Using Uncertainty to Weigh Losses for
    Scene Geometry and Semantics", CVPR 2018, equation 7 with s = log sigma^2.
    """

    def __init__(self, *, floor: float = 1e-6) -> None:
        super().__init__()
        require_above(0, floor=floor)
        self.floor = floor
        self.log_variance = nn.ParameterDict()

    def follow(self, terms: Collection[str]) -> None:
        """Learn one number for each term: sorted, as an optimizer's state goes by their order."""
        for name in sorted(terms):
            self.log_variance[name] = nn.Parameter(torch.zeros(()))

    def forward(self, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: 0.5 * torch.exp(-self.log_variance[name]) for name in losses}

    def penalty(self, priors: Mapping[str, float]) -> Tensor:
        """What keeps the variances from growing: ``sum w (s/2 + 1/2 exp(-s) floor)``."""
        parts = [
            prior
            * 0.5
            * (self.log_variance[name] + self.floor * torch.exp(-self.log_variance[name]))
            for name, prior in priors.items()
        ]
        return torch.stack(parts).sum()
