"""Spatial-BCE: opacities are binarised at a learned threshold, without masks."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.losses.settings_checks import check_settings, condition, positive


class SpatialBce(nn.Module):
    """Loss that moves each opacity away from a learned threshold t, towards the end on its side.

    ``1 - ((t - o) / t)^2`` up to t, ``1 - ((o - t) / (1 - t))^2`` above: 1 at t, with gradient 0,
    and 0 at both ends. It needs no mask, and does not determine where the object is: combine it
    with a colour term. After each step t takes a step of Adam, on that step's detached opacities,
    on the mean over the rays up to t plus the mean over those above, where there are both: it
    settles between a group near 0 and one near 1; a group that lies entirely below 1/2 may end up
    below the threshold. It stays in [0.01, 0.99]; opacity is clamped to [0, 1]. Logged: the
    threshold.

    Differences to the paper, which learns from image-level labels: the threshold is one number
    instead of a network's output, is trained every step instead of 20 in 100, and no prior on the
    share of foreground is used.

    Reference: Wu et al., "Adaptive Spatial-BCE Loss for Weakly Supervised Semantic Segmentation",
    ECCV 2022, and its released code.
    """

    def __init__(self, *, threshold: float = 0.5, learning_rate: float = 0.01) -> None:
        super().__init__()
        settings = {"threshold": threshold, "learning_rate": learning_rate}
        conditions = (
            condition("threshold in [0.01, 0.99]", lambda threshold: 0.01 <= threshold <= 0.99),
            positive("learning_rate"),
        )
        check_settings("spatial_bce", settings, *conditions)
        self.threshold = nn.Parameter(torch.tensor(float(threshold)))
        self.optimizer = torch.optim.Adam([self.threshold], lr=learning_rate)
        self._opacity: Tensor | None = None

    def forward(self, opacity: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return each ray's loss, in [0, 1]; no gradient of it reaches the threshold."""
        self._opacity = opacity.detach()
        return _distance_loss(opacity, self.threshold.detach())

    def after_step(self, step: int) -> dict[str, float] | None:  # noqa: ARG002
        """Update the threshold on this step's opacities."""
        if self._opacity is None:
            return None
        opacity, self._opacity = self._opacity, None
        low = opacity <= self.threshold
        # With all opacities on one side the threshold would move without bound.
        if low.any() and not low.all():
            errors = _distance_loss(opacity, self.threshold)
            # A mean per side, or the larger side would dominate.
            loss = errors[low].mean() + errors[~low].mean()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
            with torch.no_grad():
                self.threshold.clamp_(0.01, 0.99)
        return {"threshold": self.threshold.item()}

    def get_extra_state(self) -> dict[str, Any]:
        """Return what the threshold's optimizer has gathered."""
        return {"optimizer": self.optimizer.state_dict()}

    def set_extra_state(self, state: Mapping[str, Any]) -> None:
        """Restore the state of the threshold's optimizer."""
        self.optimizer.load_state_dict(state["optimizer"])


def _distance_loss(
    opacity: Float[Tensor, "*shape"], threshold: Float[Tensor, ""]
) -> Float[Tensor, "*shape"]:
    inside = opacity.clamp(0, 1)
    room = torch.where(inside <= threshold, threshold, 1 - threshold)
    return 1 - ((inside - threshold) / room).square()


# Name of the term in conf/loss/term/spatial_bce.yaml.
spatial_bce = SpatialBce
