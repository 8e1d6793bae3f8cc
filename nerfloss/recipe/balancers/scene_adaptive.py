"""Scene-adaptive weighting: priors count where depth is unsure, less where images have detail."""

from collections.abc import Collection, Mapping

import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn

from nerfloss.recipe.balancers.settings_checks import require_above, require_between


class SceneAdaptive(nn.Module):
    """Weigh terms that observe nothing by ``(1 + unsure v) / (1 + detailed d)``, averaged in time.

    ``v`` in [0, 1): the variance of depth along rays as ``var / (var + depth_scale^2)``, a mean
    over rays by their opacity. ``d`` in [0, 1): the step ``c`` between a ray's pixel and its
    neighbours as ``c / (c + color_scale)``, a mean over rays. So a regulariser counts more while
    the surface is not found, and less where images say themselves what is there. Terms that are
    compared with observations (they take a ``target_``, ``patch_target_`` or ``view_`` quantity)
    keep their weights. ``depth_scale`` is in scene units, ``color_scale`` in colours of [0, 1].
    Ours: no paper.
    """

    seen: Tensor

    def __init__(
        self,
        *,
        unsure: float = 1.0,
        detailed: float = 1.0,
        depth_scale: float = 0.1,
        color_scale: float = 0.1,
        decay: float = 0.99,
    ) -> None:
        super().__init__()
        require_between(0, 1e6, unsure=unsure, detailed=detailed)
        require_above(0, depth_scale=depth_scale, color_scale=color_scale)
        require_between(0, 0.999999, decay=decay)
        self.unsure, self.detailed, self.decay = unsure, detailed, decay
        self.depth_scale, self.color_scale = depth_scale, color_scale
        self.observing: frozenset[str] = frozenset()
        # The running means of v and d, and how much of them is not the 0 that they began with.
        self.register_buffer("seen", torch.zeros(3))

    def follow(self, terms: Mapping[str, Collection[str]]) -> None:
        """Note which terms look at observations, from the quantities that each one needs."""
        self.observing = frozenset(
            name for name, needs in terms.items() if any(map(_is_observed, needs))
        )

    def forward(
        self,
        losses: Mapping[str, Tensor],
        weights: Float[Tensor, "rays samples"],
        t_starts: Float[Tensor, "rays samples"],
        t_ends: Float[Tensor, "rays samples"],
        view_images: Integer[Tensor, "views height width 3"],
        view: Integer[Tensor, "rays"],
        pixel: Float[Tensor, "rays 2"],
    ) -> dict[str, Tensor]:
        depth = depth_variance(weights.detach(), 0.5 * (t_starts + t_ends).detach())
        opacity = weights.detach().sum(-1)
        unsure = depth / (depth + self.depth_scale**2)
        unsure = (opacity * unsure).sum() / opacity.sum().clamp_min(1e-12)
        step = color_steps(view_images, view, pixel)
        now = torch.stack(
            [unsure, (step / (step + self.color_scale)).mean(), torch.ones_like(unsure)]
        )
        seen = self.decay * self.seen + (1 - self.decay) * now
        if self.training:
            self.seen.copy_(seen)
        variance, detail = seen[0] / seen[2], seen[1] / seen[2]
        factor = (1 + self.unsure * variance) / (1 + self.detailed * detail)
        return {name: factor for name in losses if name not in self.observing}


def depth_variance(
    weights: Float[Tensor, "rays samples"], distances: Float[Tensor, "rays samples"]
) -> Float[Tensor, "rays"]:
    """Variance of distance along each ray, by its weights; 0 where nothing is hit."""
    total = weights.sum(-1, keepdim=True).clamp_min(1e-12)
    mean = (weights * distances).sum(-1, keepdim=True) / total
    return (weights * (distances - mean).square()).sum(-1) / total[:, 0]


def color_steps(
    images: Integer[Tensor, "views height width 3"],
    view: Integer[Tensor, "rays"],
    pixel: Float[Tensor, "rays 2"],
) -> Float[Tensor, "rays"]:
    """Mean difference in colour from a ray's pixel to those on its right and below it."""
    height, width = images.shape[1:3]
    # The last column and row stand for those before them: their neighbours are in the image.
    column = pixel[:, 0].long().clamp(0, width - 2)
    row = pixel[:, 1].long().clamp(0, height - 2)
    here, right, below = (
        images[view, row + down, column + aside].to(pixel.dtype) / 255
        for down, aside in ((0, 0), (0, 1), (1, 0))
    )
    return 0.5 * ((right - here).abs() + (below - here).abs()).mean(-1)


def _is_observed(quantity: str) -> bool:
    return quantity.removeprefix("patch_").startswith(("target_", "view_"))
