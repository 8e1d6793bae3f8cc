"""Colours of texels: of the model along the directions of the training views, or of photographs."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from nerfloss.assembly.export.surface_visibility import Seen, SurfaceVisibility, interpolated
from nerfloss.evaluation.mesh_extraction import Colors
from nerfloss.evaluation.oom_retry import ChunkSize

CHUNK = 2**17  # points of which the model's colours are evaluated at once
# Support of the best view up to which the model's colours are mixed in.
FULL_SUPPORT = 0.2

# Colours of a training view's pixels without the correction of that image.
Neutral = Callable[
    [int, Float[Tensor, "pixels 2"], Float[Tensor, "pixels 3"]], Float[Tensor, "pixels 3"]
]


@dataclass(frozen=True)
class ModelColors:
    """Colours of the model, seen along the mean direction of the views that see a point.

    The mean is weighted as photographs are. Points that no view sees are seen along the inverted
    normal.
    """

    colors: Colors
    visible: SurfaceVisibility

    def __call__(
        self, points: Float[Tensor, "points 3"], normals: Float[Tensor, "points 3"]
    ) -> Float[Tensor, "points 3"]:
        sums = _Sums.zeros(len(points))
        at, along = points.double().cpu(), normals.double().cpu()
        for seen in self.visible(at, along):
            sums.add(seen, seen.direction)
        return model_colors(self.colors, points, normals, sums.mean(-along))


@dataclass(frozen=True)
class PhotographColors:
    """Colours of the photographs that see a point best, blended by their weights.

    ``neutral`` takes the correction of an image off its colours. Where no view sees a point, or
    only barely, the model's colours are taken, along the mean direction of these views.
    """

    colors: Colors
    visible: SurfaceVisibility
    neutral: Neutral

    def __call__(
        self, points: Float[Tensor, "points 3"], normals: Float[Tensor, "points 3"]
    ) -> Float[Tensor, "points 3"]:
        photographed, direction = _Sums.zeros(len(points)), _Sums.zeros(len(points))
        best = torch.zeros(len(points), dtype=torch.float64)
        at, along = points.double().cpu(), normals.double().cpu()
        for seen in self.visible(at, along):
            rgb = interpolated(self.visible.views.rgb[seen.view], seen.pixel) / 255
            photographed.add(seen, self.neutral(seen.view, seen.pixel, rgb))
            direction.add(seen, seen.direction)
            best[seen.index] = torch.maximum(best[seen.index], seen.support)
        share = (best / FULL_SUPPORT).clamp(0, 1)[:, None]
        found = photographed.mean(torch.zeros_like(at))
        mixed = (share[:, 0] < 1).nonzero()[:, 0]
        if len(mixed):
            where = mixed.to(points.device)
            view = direction.mean(-along)[mixed]
            model = model_colors(self.colors, points[where], normals[where], view).double().cpu()
            found[mixed] = share[mixed] * found[mixed] + (1 - share[mixed]) * model
        return found


@dataclass(frozen=True)
class _Sums:
    """Weighted sums of three numbers per point, and the sums of weights."""

    values: Float[Tensor, "points 3"]
    weights: Float[Tensor, "points"]

    @classmethod
    def zeros(cls, count: int) -> "_Sums":
        return cls(*(torch.zeros(count, *more, dtype=torch.float64) for more in ((3,), ())))

    def add(self, seen: Seen, values: Float[Tensor, "seen 3"]) -> None:
        self.values[seen.index] += seen.weight[:, None] * values
        self.weights[seen.index] += seen.weight

    def mean(self, otherwise: Float[Tensor, "points 3"]) -> Float[Tensor, "points 3"]:
        """Return the weighted means; ``otherwise`` where the weights are 0."""
        known = (self.weights > 0)[:, None]
        safe = torch.where(known[:, 0], self.weights, 1.0)[:, None]
        return torch.where(known, self.values / safe, otherwise)


def model_colors(
    colors: Colors,
    points: Float[Tensor, "points 3"],
    normals: Float[Tensor, "points 3"],
    directions: Float[Tensor, "points 3"],
) -> Float[Tensor, "points 3"]:
    """Return the model's colours along directions of any length, in [0, 1]."""
    along = normalize(directions, dim=1).to(points)

    def of_rows(rows: slice) -> Tensor:
        return colors(points[rows], normals[rows], along[rows]).clamp(0, 1)

    parts = ChunkSize(CHUNK, "eval.mesh.chunk").results(of_rows, len(points))
    return torch.cat([points.new_zeros(0, 3), *parts])
