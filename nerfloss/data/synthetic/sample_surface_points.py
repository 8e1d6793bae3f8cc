"""Sample sparse, noisy surface points of a synthetic scene, with visibility per view."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nerfloss.data.cameras.pinhole import Cameras
from nerfloss.data.sparse_points import SparsePoints
from nerfloss.data.synthetic.rendering import settle
from nerfloss.data.synthetic.shapes import Sdf
from nerfloss.data.synthetic.sphere_tracing import BOUND, PORTION, march
from nerfloss.geometry import Rays

# A view that sees a surface at more than about 78 degrees from its normal matches nothing there.
LEAST_COSINE = 0.2
# Nothing before a point by more than this, in scene units: it is seen.
CLEARANCE = 5e-3


def sample_surface_points(
    sdf: Sdf, cameras: Cameras, count: int, *, noise: float, seed: int
) -> SparsePoints:
    """Sample ``count`` surface points through random pixels, with the views that see each.

    A point of confidence c, uniform in [0, 1], lies off the surface by a normal deviate of
    standard deviation ``noise (1 - c)`` per axis, in scene units. Normals are those of the surface
    before the noise. Fewer points come back only where the views see next to nothing.
    """
    generator = torch.Generator().manual_seed(seed)
    points, normals = _scatter(sdf, cameras, count, generator)
    seen = _seen(sdf, cameras, points, normals)
    confidence = torch.rand(len(points), generator=generator)
    off = torch.randn(points.shape, generator=generator)
    positions = points + noise * (1 - confidence)[:, None] * off
    return SparsePoints(positions, confidence, normals, seen)


def _scatter(
    sdf: Sdf, cameras: Cameras, count: int, generator: torch.Generator
) -> tuple[Float[Tensor, "points 3"], Float[Tensor, "points 3"]]:
    """Points of the surface behind random places of random images, and its normals there."""
    found, size = [], torch.tensor([cameras.width, cameras.height])
    # Most places of an image see nothing; what is still missing is drawn again, with luck.
    for _ in range(8):
        missing = count - sum(len(points) for points, _ in found)
        if missing <= 0:
            break
        view = torch.randint(len(cameras), (4 * missing,), generator=generator)
        pixel = torch.rand(4 * missing, 2, generator=generator) * size
        rays = cameras.rays(view, pixel, torch.zeros(4 * missing, 3))
        distance, hits = march(sdf, rays, _entry(rays))
        rays, distance = rays[hits], distance[hits]
        _, points, normals = settle(sdf, rays, distance)
        clear = (normals * rays.directions).sum(-1) < -LEAST_COSINE
        found.append((points[clear], normals[clear]))
    points, normals = (torch.cat(part)[:count] for part in zip(*found, strict=True))
    return points, normals


def _seen(
    sdf: Sdf,
    cameras: Cameras,
    points: Float[Tensor, "points 3"],
    normals: Float[Tensor, "points 3"],
) -> Bool[Tensor, "views points"]:
    """Whether each view sees points of the surface: facing it, in its image, nothing between."""
    in_image = torch.stack([_in_image(cameras, view, points) for view in range(len(cameras))])
    offset = points - cameras.poses[:, None, :, 3]
    away = offset.norm(dim=-1).clamp_min(1e-12)
    directions = offset / away[..., None]
    seen = in_image & ((directions * normals).sum(-1) < -LEAST_COSINE)
    view, point = seen.nonzero().unbind(-1)
    # All pairs at once: a march over few rays costs as much as one over many.
    for some in torch.arange(len(view)).split(PORTION):
        v, p = view[some], point[some]
        blank = torch.zeros(len(some), 3)
        rays = Rays(cameras.poses[v, :, 3], directions[v, p], blank[:, :2], v, blank)
        reached, _ = march(sdf, rays, _entry(rays))
        seen[v, p] = reached > away[v, p] - CLEARANCE
    return seen


def _in_image(
    cameras: Cameras, view: int, points: Float[Tensor, "points 3"]
) -> Bool[Tensor, "points"]:
    pixel, depth = cameras.project(points, view)
    size = pixel.new_tensor([cameras.width, cameras.height])
    return (depth > 0) & ((pixel >= 0) & (pixel < size)).all(-1)


def _entry(rays: Rays) -> Float[Tensor, "rays"]:
    """A distance up to which nothing of the scene can lie on a ray."""
    return (rays.origins.norm(dim=-1) - BOUND).clamp_min(0.0)
