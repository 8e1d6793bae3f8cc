"""Scene-adaptive weighting of regularizers, by the uncertainty of depth and by image detail."""

from collections.abc import Collection, Mapping

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from nerfloss.recipe.balancer import Balancer
from nerfloss.recipe.balancers.settings_checks import require_above, require_between


class SceneAdaptive(Balancer):
    """Multiply regularizers by ``(1 + unsure v) / (1 + detailed d)``, averaged over time.

    ``v`` in [0, 1) is the mean over rays, weighted by opacity, of ``var / (var + depth_scale^2)``
    with the variance of depth along the ray. ``d`` in [0, 1) is the mean over rays of
    ``c / (c + color_scale)`` with the colour difference ``c`` of a pixel and its neighbours. A
    regularizer thus counts more while the surface is uncertain, and less where images have detail.
    Data terms, which take a ``target_``, ``patch_target_`` or ``view_`` quantity, keep their
    weights. ``depth_scale`` is in scene units, ``color_scale`` in colours of [0, 1]. No paper.
    """

    running: Tensor

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
        self.data_terms: frozenset[str] = frozenset()
        # Running means of v and d, and the part of them that does not come from their initial 0.
        self.register_buffer("running", torch.zeros(3))

    def setup(self, terms: Mapping[str, Collection[str]]) -> None:
        """Store which terms take observations."""
        self.data_terms = frozenset(
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
        difference = color_differences(view_images, view, pixel)
        now = torch.stack(
            [unsure, (difference / (difference + self.color_scale)).mean(), torch.ones_like(unsure)]
        )
        running = self.decay * self.running + (1 - self.decay) * now
        if self.training:
            self.running.copy_(running)
        variance, detail = running[0] / running[2], running[1] / running[2]
        factor = (1 + self.unsure * variance) / (1 + self.detailed * detail)
        return {name: factor for name in losses if name not in self.data_terms}


def depth_variance(
    weights: Float[Tensor, "rays samples"], distances: Float[Tensor, "rays samples"]
) -> Float[Tensor, "rays"]:
    """Return the weighted variance of distance along each ray; 0 where nothing is hit."""
    total = weights.sum(-1, keepdim=True).clamp_min(1e-12)
    mean = (weights * distances).sum(-1, keepdim=True) / total
    return (weights * (distances - mean).square()).sum(-1) / total[:, 0]


def color_differences(
    images: Integer[Tensor, "views height width 3"],
    view: Integer[Tensor, "rays"],
    pixel: Float[Tensor, "rays 2"],
) -> Float[Tensor, "rays"]:
    """Return the mean colour difference of a ray's pixel and those on its right and below it."""
    height, width = images.shape[1:3]
    # Pixels of the last column and row are replaced by those before, whose neighbours exist.
    column = pixel[:, 0].long().clamp(0, width - 2)
    row = pixel[:, 1].long().clamp(0, height - 2)
    here, right, below = (
        images[view, row + down, column + aside].to(pixel.dtype) / 255
        for down, aside in ((0, 0), (0, 1), (1, 0))
    )
    return 0.5 * ((right - here).abs() + (below - here).abs()).mean(-1)


def _is_observed(quantity: str) -> bool:
    return quantity.removeprefix("patch_").startswith(("target_", "view_"))
