"""Robust loss with a learned scale."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Inliers(nn.Module):
    """Squared error that saturates for outliers: ``s^2 e^2 / (s^2 + e^2)`` per ray.

    ``e`` is the root mean square error over the colours of a ray. The scale ``s``, floored at 1e-3,
    follows the ``quantile`` of the errors: after each step, its own optimizer takes a step on their
    pinball loss.

    Reference: Geman and McClure, "Statistical methods for tomographic image reconstruction", 1987,
    for the shape; Koenker and Bassett, "Regression Quantiles", 1978, for the pinball loss.
    """

    def __init__(self, *, quantile: float = 0.9, learning_rate: float = 1e-2) -> None:
        super().__init__()
        if not 0 < quantile < 1:
            raise ValueError(f"Inliers needs 0 < quantile < 1, got quantile={quantile}")
        self.quantile = quantile
        self.scale = nn.Parameter(torch.tensor(0.3))
        self.optimizer = torch.optim.Adam([self.scale], lr=learning_rate)
        self._errors: Tensor | None = None

    def forward(
        self, rgb: Float[Tensor, "rays 3"], target_rgb: Float[Tensor, "rays 3"]
    ) -> Float[Tensor, "rays"]:
        squares = (rgb - target_rgb).square().mean(-1)
        self._errors = squares.detach().sqrt()
        # Detached: the scale must not be a way to lower this loss.
        scale = self.scale.detach().clamp_min(1e-3).square()
        return scale * squares / (scale + squares)

    def after_step(self, step: int) -> Mapping[str, float] | None:
        """Train the scale for one step; ``step`` is that of the run."""
        if self._errors is None:
            return None
        above = self._errors - self.scale
        pinball = torch.maximum(self.quantile * above, (self.quantile - 1) * above).mean()
        pinball.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return {"scale": self.scale.item(), "outliers": (above > 0).float().mean().item()}

    def get_extra_state(self) -> dict[str, Any]:
        """Return the state that is saved in addition to parameters and buffers."""
        return {"optimizer": self.optimizer.state_dict()}

    def set_extra_state(self, state: Mapping[str, Any]) -> None:
        self.optimizer.load_state_dict(state["optimizer"])
