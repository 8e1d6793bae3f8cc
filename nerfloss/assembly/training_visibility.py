"""Visibility of surface points from the training cameras, by rendering rays towards them."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nerfloss.data.cameras.cameras import Cameras
from nerfloss.evaluation.image_rendering import Render
from nerfloss.evaluation.oom_retry import ChunkSize

VIEWS = 32  # cameras at most, evenly spread over the training views
MIN_VIEWS = 2  # that have to see a point; one where there is only one camera
MIN_VIEW_FRACTION = 0.1  # of the cameras have to see a point
TRANSMITTANCE = 0.1  # that has to be left in front of the point
WEIGHT = 0.05  # that the ray's samples near the point have to have
CHUNK = 16384  # rays
NEEDS = frozenset({"weights", "t_starts", "t_ends"})


@dataclass(frozen=True)
class TrainingVisibility:
    """Points that the training views see, by what the model renders.

    A view sees a point that lies in its image, where the ray towards it keeps a transmittance of
    0.1 in front of the point, and has samples with a weight of 0.05 at the point.
    """

    render: Render
    cameras: Cameras

    @property
    def views(self) -> list[int]:
        """Indices of the views that are asked: 32 at most, evenly spread."""
        count = min(len(self.cameras), VIEWS)
        return torch.linspace(0, len(self.cameras) - 1, count).round().long().tolist()

    def __call__(
        self, points: Float[Tensor, "points 3"], tolerance: float
    ) -> Bool[Tensor, "points"]:
        """Return which points two views, and a tenth of them, see; the surface may be off.

        ``tolerance`` is the distance by which the rendered surface may be off, in scene units.
        """
        seen = torch.zeros(len(points), dtype=torch.int64, device=points.device)
        for view in self.views:
            seen += self.seen_by(view, points, tolerance)
        count = len(self.views)
        return seen >= min(max(MIN_VIEWS, math.ceil(MIN_VIEW_FRACTION * count)), count)

    @torch.no_grad()
    def seen_by(
        self, view: int, points: Float[Tensor, "points 3"], tolerance: float
    ) -> Bool[Tensor, "points"]:
        """Return which points one view sees; the surface may be off by ``tolerance``."""
        pixel, depth = self.cameras.project(points, view)
        inside = (depth > 0) & self.cameras.in_image(pixel, view)
        index = inside.nonzero().squeeze(1)
        near, at = points[index], pixel[index]

        def sees(rows: slice) -> Tensor:
            return self._sees(near[rows], at[rows], view, tolerance)

        found = ChunkSize(CHUNK, "eval.mesh.chunk").results(sees, len(index))
        inside[index] = torch.cat([*found, inside.new_zeros(0)])
        return inside

    def _sees(
        self,
        points: Float[Tensor, "points 3"],
        pixel: Float[Tensor, "points 2"],
        view: int,
        tolerance: float,
    ) -> Bool[Tensor, "points"]:
        which = torch.full((len(points),), view, device=points.device)
        rays = self.cameras.rays(which, pixel, torch.zeros_like(points))
        distance = (points - rays.origins).norm(dim=1)[:, None]
        rendered = self.render(rays, NEEDS)
        weights, starts, ends = (rendered[name] for name in ("weights", "t_starts", "t_ends"))
        in_front = (weights * (ends < distance - tolerance)).sum(1)
        near = (starts <= distance + tolerance) & (ends >= distance - tolerance)
        return (in_front < 1 - TRANSMITTANCE) & ((weights * near).sum(1) >= WEIGHT)
