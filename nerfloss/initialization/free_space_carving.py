"""Free-space carving: the solid cells of a density grid, as the training cameras see it."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nerfloss.data.cameras.pinhole import Cameras
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
        """The solid cells of a box, given the density of each."""
        asked = min(len(cameras), self.max_views)
        cameras = cameras[torch.linspace(0, len(cameras) - 1, asked).round().long()]
        before, there = count_sightings(densities, box, cameras, self.opacity_threshold)
        seen = before + there
        votes = min(max(asked // self.views_per_vote, 1), self.max_votes)
        # Cells that fewer views see than have a vote are empty if all of these look past.
        solid = (
            (before < seen.clamp_max(votes))
            | (before < self.min_view_fraction * seen)
            | (seen == 0)
        )
        unseen = (seen == 0).reshape(-1)
        solid.view(-1)[unseen] &= in_an_image(cell_centers(box, len(solid))[unseen], cameras)
        return solid


def count_sightings(
    densities: Float[Tensor, "x y z"], box: Float[Tensor, "2 3"], cameras: Cameras, spent: float
) -> tuple[Int[Tensor, "x y z"], Int[Tensor, "x y z"]]:
    """How many views see a cell before what stops their light, and how many see it there."""
    resolution = len(densities)
    cell = float((box[1] - box[0]).min()) / resolution
    z_first = densities.permute(2, 1, 0).contiguous()
    counts = new_view_counts(resolution)
    for view in range(len(cameras)):
        pixel = _lattice(cameras, view, box, cell)
        which = torch.full((len(pixel),), view)
        rays = cameras.rays(which, pixel, torch.zeros(len(pixel), 3))
        sight = (rays.origins, rays.directions, *intersect_box(rays, box), z_first, box)
        count_view(counts, view, *sight, step=cell, spent=spent)
    x_first = counts[0].permute(0, 3, 2, 1).contiguous()
    return x_first[IN_FRONT], x_first[AT_SURFACE]


def in_an_image(points: Float[Tensor, "points 3"], cameras: Cameras) -> Bool[Tensor, "points"]:
    """Whether any of the cameras has a point in its image."""
    left = torch.arange(len(points))
    for view in range(len(cameras)):
        pixel, depth = cameras.project(points[left], view)
        inside = (pixel >= 0).all(-1) & (depth > 0)
        inside &= (pixel[:, 0] < cameras.width) & (pixel[:, 1] < cameras.height)
        left = left[~inside]
    found = torch.ones(len(points), dtype=torch.bool)
    found[left] = False
    return found


@torch.no_grad()
def densities_in(field: Any, box: Float[Tensor, "2 3"], resolution: int) -> Float[Tensor, "x y z"]:
    """The field's density at the centres of the cells of a box."""
    points = cell_centers(box, resolution).to(field.box)
    parts = [field(part, {"densities"})["densities"].cpu() for part in points.split(CHUNK)]
    return torch.cat(parts).reshape(resolution, resolution, resolution)


def box_around(
    solid: Bool[Tensor, "x y z"], box: Float[Tensor, "2 3"], margin: float
) -> Float[Tensor, "2 3"]:
    """Bounding box of the solid cells within the unit ball, grown by ``margin`` inside ``box``.

    Where there are none, ``box`` itself.
    """
    places = cell_centers(box, len(solid))
    # In the corners beyond the ball few images reach.
    places = places[solid.reshape(-1) & (places.square().sum(-1) <= 1.0)]
    if not len(places):
        return box
    half = 0.5 * (box[1] - box[0]) / len(solid)
    around = torch.stack([places.amin(0) - half - margin, places.amax(0) + half + margin])
    return torch.minimum(torch.maximum(around, box[0]), box[1])


def _lattice(
    cameras: Cameras, view: int, box: Float[Tensor, "2 3"], cell: float
) -> Float[Tensor, "pixels 2"]:
    """Pixels of a view, about as far apart as cells in the middle of the box look."""
    away = float((cameras.poses[view, :, 3] - box.mean(0)).norm())
    apart = float(cameras.intrinsics[view, 0, 0]) * cell / max(away, cell)
    stride = max(1, round(apart))
    columns = torch.arange(0.5 * stride, cameras.width, stride)
    rows = torch.arange(0.5 * stride, cameras.height, stride)
    return torch.cartesian_prod(columns, rows)
