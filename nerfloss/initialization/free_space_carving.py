"""Free-space carving: the solid cells of a density grid, as the training cameras see it."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nerfloss.data.cameras.cameras import Cameras
from nerfloss.data.visual_hull import cell_centers
from nerfloss.geometry import intersect_box
from nerfloss.kernels.numba.visibility import AT_SURFACE, IN_FRONT, count_view, new_view_counts

CHUNK = 1 << 16


@dataclass(frozen=True)
class FreeSpaceCarving:
    """Mark a cell as empty where enough views see through it, and as solid otherwise.

    A cell is empty if rays of at least one in ``views_per_vote`` views pass through it (at least
    one view, at most ``max_votes``: a single ray may slip through a gap in an unfinished density)
    and if these are at least ``min_view_fraction`` of the views to which the cell is visible. A ray
    ends where its accumulated opacity exceeds ``opacity_threshold``. A cell that is visible in no
    view is solid if it projects into an image, and empty if not. At most ``max_views`` cameras are
    used, evenly spaced.
    """

    views_per_vote: int = 20
    max_votes: int = 3
    min_view_fraction: float = 0.3
    opacity_threshold: float = 0.5
    max_views: int = 120

    def __call__(
        self, densities: Float[Tensor, "x y z"], box: Float[Tensor, "2 3"], cameras: Cameras
    ) -> Bool[Tensor, "x y z"]:
        """Return the solid cells of a box, given their densities."""
        used = min(len(cameras), self.max_views)
        cameras = cameras[torch.linspace(0, len(cameras) - 1, used).round().long()]
        in_front, at_surface = count_views(densities, box, cameras, self.opacity_threshold)
        visible = in_front + at_surface
        votes = min(max(used // self.views_per_vote, 1), self.max_votes)
        # A cell visible in fewer views than it has votes is empty if all of these see through it.
        solid = (
            (in_front < visible.clamp_max(votes))
            | (in_front < self.min_view_fraction * visible)
            | (visible == 0)
        )
        hidden = (visible == 0).reshape(-1)
        solid.view(-1)[hidden] &= in_any_image(cell_centers(box, len(solid))[hidden], cameras)
        return solid


def count_views(
    densities: Float[Tensor, "x y z"],
    box: Float[Tensor, "2 3"],
    cameras: Cameras,
    opacity_threshold: float,
) -> tuple[Int[Tensor, "x y z"], Int[Tensor, "x y z"]]:
    """Count the views in which a cell is in front of the first surface, and at it."""
    resolution = len(densities)
    cell = float((box[1] - box[0]).min()) / resolution
    z_first = densities.permute(2, 1, 0).contiguous()
    counts = new_view_counts(resolution)
    for view in range(len(cameras)):
        pixel = _pixel_grid(cameras, view, box, cell)
        which = torch.full((len(pixel),), view)
        rays = cameras.rays(which, pixel, torch.zeros(len(pixel), 3))
        sight = (rays.origins, rays.directions, *intersect_box(rays, box), z_first, box)
        count_view(counts, view, *sight, step=cell, spent=opacity_threshold)
    x_first = counts[0].permute(0, 3, 2, 1).contiguous()
    return x_first[IN_FRONT], x_first[AT_SURFACE]


def in_any_image(points: Float[Tensor, "points 3"], cameras: Cameras) -> Bool[Tensor, "points"]:
    """Return True for points that project into at least one image."""
    remaining = torch.arange(len(points))
    for view in range(len(cameras)):
        pixel, depth = cameras.project(points[remaining], view)
        inside = (depth > 0) & cameras.in_image(pixel, view)
        remaining = remaining[~inside]
    result = torch.ones(len(points), dtype=torch.bool)
    result[remaining] = False
    return result


@torch.no_grad()
def densities_in(field: Any, box: Float[Tensor, "2 3"], resolution: int) -> Float[Tensor, "x y z"]:
    """Evaluate a field's density at the centres of the cells of a box."""
    points = cell_centers(box, resolution).to(field.box)
    parts = [field(part, {"densities"})["densities"].cpu() for part in points.split(CHUNK)]
    return torch.cat(parts).reshape(resolution, resolution, resolution)


def box_around(
    solid: Bool[Tensor, "x y z"], box: Float[Tensor, "2 3"], margin: float
) -> Float[Tensor, "2 3"]:
    """Return the bounding box of the solid cells in the unit ball, grown by ``margin``.

    It is clipped to ``box``, and is ``box`` itself if no cell is solid.
    """
    centers = cell_centers(box, len(solid))
    # Few images cover the corners outside of the ball.
    centers = centers[solid.reshape(-1) & (centers.square().sum(-1) <= 1.0)]
    if not len(centers):
        return box
    half = 0.5 * (box[1] - box[0]) / len(solid)
    bounds = torch.stack([centers.amin(0) - half - margin, centers.amax(0) + half + margin])
    return torch.minimum(torch.maximum(bounds, box[0]), box[1])


def _pixel_grid(
    cameras: Cameras, view: int, box: Float[Tensor, "2 3"], cell: float
) -> Float[Tensor, "pixels 2"]:
    """Return pixels of a view, spaced by the projected size of a cell at the box's centre."""
    distance = float((cameras.poses[view, :, 3] - box.mean(0)).norm())
    spacing = float(cameras.intrinsics[view, 0, 0]) * cell / max(distance, cell)
    stride = max(1, round(spacing))
    width, height = cameras.size(view)
    columns = torch.arange(0.5 * stride, width, stride)
    rows = torch.arange(0.5 * stride, height, stride)
    return torch.cartesian_prod(columns, rows)
