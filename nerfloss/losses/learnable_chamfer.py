"""Learnable Chamfer distance: matches are weighted by a network trained adversarially."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from nerfloss.losses.settings_checks import check_settings, not_negative, positive
from nerfloss.maths.directions import length
from nerfloss.maths.nearest_neighbours import nearest


class Attention(nn.Module):
    """Network that gives each point of two clouds a weight; the weights of each cloud sum to 1.

    Points pass through shared layers, and a maximum over the cloud gives a global feature: one of
    each cloud for the pair, one of a point's own cloud. From these and the point follows a score s;
    weights are proportional to ``sigma + exp(-s^2)``.

    Reference: as for ``LearnableChamfer``.
    """

    def __init__(self, *, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma
        self.shape = _layers(3, 64, 128)
        self.cloud = _layers(3, 64, 64)
        self.score = nn.Sequential(
            nn.Linear(3 + 64 + 2 * 128, 64),
            nn.LeakyReLU(0.2),
            nn.Linear(64, 16),
            nn.LeakyReLU(0.2),
            nn.Linear(16, 1),
        )

    def forward(
        self, points: Float[Tensor, "points 3"], others: Float[Tensor, "others 3"]
    ) -> tuple[Float[Tensor, "points"], Float[Tensor, "others"]]:
        pair = torch.cat([self.shape(points).amax(0), self.shape(others).amax(0)])
        return self._weights(points, pair), self._weights(others, pair)

    def _weights(
        self, points: Float[Tensor, "points 3"], pair: Float[Tensor, "channels"]
    ) -> Float[Tensor, "points"]:
        whole = torch.cat([self.cloud(points).amax(0), pair]).expand(len(points), -1)
        score = self.score(torch.cat([points, whole], -1))[:, 0]
        raw = self.sigma + (-score.square()).exp()
        return raw / raw.sum()


class LearnableChamfer(nn.Module):
    """Chamfer distance whose matches are weighted by a network that maximises it.

    ``1/2 (sum_i w_i min_j |x_i - y_j| + sum_j v_j min_i |x_i - y_j|)``, in scene units; w and v are
    the weights that ``Attention`` gives to target and surface points. After each step the network
    takes a step of Adam on ``-log(distance + 1e-3)``, on that step's detached points: it learns to
    put weight on the largest errors. ``sigma`` keeps every weight above 0; if large, the weights
    become uniform. Nearest neighbours are recomputed each time, in blocks of bounded memory. 0
    where a set is empty; distances are floored at 1e-6, where their gradient is 0. Logged: the
    distance under the network's weights.

    Reference: Huang et al., "Learnable Chamfer Distance for Point Cloud Reconstruction", Pattern
    Recognition Letters 2024 (arXiv 2312.16582), section 3, and its released code.
    """

    def __init__(self, *, sigma: float = 0.01, learning_rate: float = 1e-3) -> None:
        super().__init__()
        settings = {"sigma": sigma, "learning_rate": learning_rate}
        conditions = (not_negative("sigma"), positive("learning_rate"))
        check_settings("learnable_chamfer", settings, *conditions)
        self.attention = Attention(sigma=sigma)
        self.optimizer = torch.optim.Adam(self.attention.parameters(), lr=learning_rate)
        self._points: tuple[Tensor, Tensor] | None = None

    def forward(
        self,
        surface_points: Float[Tensor, "*surface 3"],
        target_points: Float[Tensor, "*observed 3"],
    ) -> Float[Tensor, ""]:
        """Return the weighted distance of the two sets; no gradient of it reaches the network."""
        if not len(surface_points) or not len(target_points):
            return surface_points.sum() * 0
        self._points = (target_points.detach(), surface_points.detach())
        fixed = {name: p.detach() for name, p in self.attention.named_parameters()}
        weights = functional_call(self.attention, fixed, (target_points, surface_points))
        return _weighted_distance(target_points, surface_points, *weights)

    def after_step(self, step: int) -> dict[str, float] | None:  # noqa: ARG002
        """Train the network for one step on this step's points."""
        if self._points is None:
            return None
        points, others = self._points
        self._points = None
        distance = _weighted_distance(points, others, *self.attention(points, others))
        self.optimizer.zero_grad()
        # 1e-3 as in the released code: it bounds the gradient for small distances.
        (-(distance + 1e-3).log()).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return {"attention": distance.item()}

    def get_extra_state(self) -> dict[str, Any]:
        """Return the state of the network's optimizer."""
        return {"optimizer": self.optimizer.state_dict()}

    def set_extra_state(self, state: Mapping[str, Any]) -> None:
        """Restore the state of the network's optimizer."""
        self.optimizer.load_state_dict(state["optimizer"])


def _weighted_distance(
    points: Float[Tensor, "points 3"],
    others: Float[Tensor, "others 3"],
    weights: Float[Tensor, "points"],
    other_weights: Float[Tensor, "others"],
) -> Float[Tensor, ""]:
    there = length(points - others[nearest(points, others)[:, 0]])
    back = length(others - points[nearest(others, points)[:, 0]])
    return 0.5 * ((weights * there).sum() + (other_weights * back).sum())


def _layers(*widths: int) -> nn.Sequential:
    steps = ((nn.Linear(a, b), nn.ReLU()) for a, b in pairwise(widths))
    return nn.Sequential(*(part for step in steps for part in step))


# Name of the term in conf/loss/term/learnable_chamfer.yaml.
learnable_chamfer = LearnableChamfer
