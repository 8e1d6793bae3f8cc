"""Sample sparse, noisy surface points of a synthetic scene, with visibility per view."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nerfloss.data.cameras.cameras import Cameras
from nerfloss.data.sparse_points import SparsePoints
from nerfloss.data.synthetic.rendering import refine_hits
from nerfloss.data.synthetic.shapes import Sdf
from nerfloss.data.synthetic.sphere_tracing import BOUND, PORTION, march
from nerfloss.geometry import Rays

# Smallest cosine between view direction and normal at which a point counts as visible (78 degrees).
LEAST_COSINE = 0.2
# A point is occluded if the first hit is nearer than the point by more than this, in scene units.
CLEARANCE = 5e-3
# Draws after which points that are still missing are given up: of few rays one may hit.
ROUNDS = 40


def sample_surface_points(
    sdf: Sdf, cameras: Cameras, count: int, *, noise: float, seed: int
) -> SparsePoints:
    """Sample ``count`` surface points through random pixels, with their visibility per view.

    A point of confidence c, uniform in [0, 1], is displaced by Gaussian noise of standard deviation
    ``noise (1 - c)`` per axis, in scene units. Normals are those of the surface before the
    displacement. Returns fewer points if almost all pixels are background.
    """
    generator = torch.Generator().manual_seed(seed)
    points, normals = _sample_through_pixels(sdf, cameras, count, generator)
    visible = _visibility(sdf, cameras, points, normals)
    confidence = torch.rand(len(points), generator=generator)
    offset = torch.randn(points.shape, generator=generator)
    positions = points + noise * (1 - confidence)[:, None] * offset
    return SparsePoints(positions, confidence, normals, visible)


def _sample_through_pixels(
    sdf: Sdf, cameras: Cameras, count: int, generator: torch.Generator
) -> tuple[Float[Tensor, "points 3"], Float[Tensor, "points 3"]]:
    """Return the surface points, and their normals, hit by rays through random image positions."""
    batches, size = [], torch.tensor([cameras.width, cameras.height])
    # Most rays miss, so four times the missing number is drawn, and again if that is too few.
    for _ in range(ROUNDS):
        missing = count - sum(len(points) for points, _ in batches)
        if missing <= 0:
            break
        view = torch.randint(len(cameras), (4 * missing,), generator=generator)
        pixel = torch.rand(4 * missing, 2, generator=generator) * size
        rays = cameras.rays(view, pixel, torch.zeros(4 * missing, 3))
        distance, hits = march(sdf, rays, _distance_to_bound(rays))
        origins, directions = rays.origins[hits], rays.directions[hits]
        _, points, normals = refine_hits(sdf, origins, directions, distance[hits])
        facing = (normals * directions).sum(-1) < -LEAST_COSINE
        batches.append((points[facing], normals[facing]))
    points, normals = (torch.cat(part)[:count] for part in zip(*batches, strict=True))
    return points, normals


def _visibility(
    sdf: Sdf,
    cameras: Cameras,
    points: Float[Tensor, "points 3"],
    normals: Float[Tensor, "points 3"],
) -> Bool[Tensor, "views points"]:
    """Return True where a point is inside the image, faces the camera, and is not occluded."""
    in_image = torch.stack([_in_image(cameras, view, points) for view in range(len(cameras))])
    offset = points - cameras.poses[:, None, :, 3]
    distance = offset.norm(dim=-1).clamp_min(1e-12)
    directions = offset / distance[..., None]
    visible = in_image & ((directions * normals).sum(-1) < -LEAST_COSINE)
    view, point = visible.nonzero().unbind(-1)
    # All pairs at once: tracing few rays takes as long as tracing many.
    for some in torch.arange(len(view)).split(PORTION):
        v, p = view[some], point[some]
        blank = torch.zeros(len(some), 3)
        rays = Rays(cameras.poses[v, :, 3], directions[v, p], blank[:, :2], v, blank)
        reached, _ = march(sdf, rays, _distance_to_bound(rays))
        visible[v, p] = reached > distance[v, p] - CLEARANCE
    return visible


def _in_image(
    cameras: Cameras, view: int, points: Float[Tensor, "points 3"]
) -> Bool[Tensor, "points"]:
    pixel, depth = cameras.project(points, view)
    size = pixel.new_tensor([cameras.width, cameras.height])
    return (depth > 0) & ((pixel >= 0) & (pixel < size)).all(-1)


def _distance_to_bound(rays: Rays) -> Float[Tensor, "rays"]:
    """Return a distance along each ray that lies outside the bounding ball of the scene."""
    return (rays.origins.norm(dim=-1) - BOUND).clamp_min(0.0)
