"""Space between the training cameras and the unit ball, which a background model leaves empty.

The background of a ray that crosses the unit ball begins behind it. Density between a camera and
the ball would be seen by all other cameras but not by this one, so that every view could be
explained by an image of its own just behind the ball.
"""

import torch
from jaxtyping import Bool
from torch import Tensor

from nerfloss.data.cameras.cameras import Cameras
from nerfloss.geometry import Rays, intersect_sphere
from nerfloss.maths.contraction import uncontract

MAX_VIEWS = 200


def cells_before_the_ball(cameras: Cameras, resolution: int) -> Bool[Tensor, "x y z"]:
    """Return the cells of contracted space through which a camera looks at the unit ball.

    Such a cell's centre is in the camera's image, and on its way into the ball. At most 200 views
    are used, evenly spaced.
    """
    used = torch.linspace(0, len(cameras) - 1, min(len(cameras), MAX_VIEWS)).round().long()
    steps = (torch.arange(resolution) + 0.5) * (4.0 / resolution) - 2.0
    centers = torch.cartesian_prod(steps, steps, steps)
    radius = centers.norm(dim=1)
    index = ((radius > 1) & (radius < 2)).nonzero().squeeze(1)
    points = uncontract(centers[index])
    found = torch.zeros(len(points), dtype=torch.bool)
    for view in used.tolist():
        pixel, depth = cameras.project(points, view)
        seen = ((depth > 0) & cameras.in_image(pixel, view) & ~found).nonzero().squeeze(1)
        found[seen] = _on_the_way(points[seen], cameras.poses[view, :, 3])
    cells = torch.zeros(resolution**3, dtype=torch.bool)
    cells[index] = found
    return cells.reshape(resolution, resolution, resolution)


def _on_the_way(points: Tensor, camera: Tensor) -> Bool[Tensor, "points"]:
    """Return which points lie between a camera and the unit ball, in front of it."""
    towards = points - camera
    distance = towards.norm(dim=1)
    directions = towards / distance.clamp_min(1e-9)[:, None]
    zeros, view = torch.zeros_like(points), torch.zeros(len(points), dtype=torch.int64)
    rays = Rays(camera.expand_as(points), directions, zeros[:, :2], view, zeros)
    enter, leave = intersect_sphere(rays)
    return (leave > enter) & (distance < enter)
