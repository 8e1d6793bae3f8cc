"""Sphere tracing of signed distances, with cones around blocks of pixels first."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nerfloss.data.cameras.cameras import Cameras
from nerfloss.data.synthetic.shapes import Sdf, length
from nerfloss.geometry import Rays
from nerfloss.kernels.pixel_ops import pixel_positions

# All surfaces lie in the ball of this radius around the origin.
BOUND = 0.9
# Distance to the surface that counts as a hit: a hundredth of a pixel of a 128 x 128 view.
TOLERANCE = 1e-4
LEAST_STEP = 1e-3
STEPS = 256
# Points per evaluation: they fit into the cache and amortise the overhead of Python.
CHUNK = 131072
# Rays per call, which bounds the memory for origins and directions.
PORTION = 8 * CHUNK


def march(
    sdf: Sdf, rays: Rays, starts: Float[Tensor, "rays"], spread: float = 0.0
) -> tuple[Float[Tensor, "rays"], Bool[Tensor, "rays"]]:
    """Advance cones until they touch the surface; return the distances and a mask of hits.

    ``spread`` is the radius of a cone per unit of distance. No ray inside a cone meets the surface
    before the returned distance. With ``spread`` 0 the cones are rays, which stop within TOLERANCE
    of the surface.
    """
    distance, touches = starts.clone(), torch.zeros_like(starts, dtype=torch.bool)
    far = length(rays.origins).amax() + BOUND if len(starts) else 0.0
    # Coordinates in rows in memory: shapes unbind them, which is a third faster this way.
    origins, directions = rays.origins.t().contiguous(), rays.directions.t().contiguous()
    queue = list(torch.arange(len(starts), device=starts.device).split(CHUNK // 2))
    alive, t, born, now = queue[0][:0], starts[:0], queue[0][:0], 0
    while queue or len(alive):
        # Slow rays are processed together with new ones: a step over few rays costs as much.
        if queue and len(alive) <= CHUNK // 2:
            fresh = queue.pop(0)
            alive, t = torch.cat([alive, fresh]), torch.cat([t, starts[fresh]])
            born = torch.cat([born, torch.full_like(fresh, now)])
            o, d = origins.index_select(1, alive), directions.index_select(1, alive)
        # At distance s > t, rays of the cone are at most (s - t) + s * spread away from this point.
        ahead = (t + sdf(torch.addcmul(o, t, d).t())) / (1 + spread)
        close = ahead - t < 0.25 * spread * t + TOLERANCE
        # A minimum step for grazing rays: a tenth of a pixel of a 128 x 128 view.
        t = torch.maximum(t, ahead) if spread > 0 else torch.maximum(t + LEAST_STEP * ~close, ahead)
        expired = born <= now - STEPS + 1
        done = close | expired | (t > far)
        # Compacting the active rays costs as much as a step, so only if it removes a fifth.
        if len(t) - int(done.count_nonzero()) < 0.8 * len(t):
            # After STEPS steps a cone counts as a hit (it may touch), a ray as a miss (it grazes).
            distance.index_copy_(0, alive, t)
            touches.index_copy_(0, alive, close | (expired & (t < far) & (spread > 0)))
            going = (~done).nonzero()[:, 0]
            alive, t, born = (x.index_select(0, going) for x in (alive, t, born))
            o, d = (x.index_select(1, going) for x in (o, d))
        now += 1
    return distance, touches


def first_contact(sdf: Sdf, cameras: Cameras) -> Float[Tensor, "views height width"]:
    """Return a distance per pixel that is free of surfaces; infinite for background pixels.

    Cones around blocks of 8 x 8, 2 x 2 and single pixels are traced, each from the result of the
    coarser ones.
    """
    shape = (len(cameras), cameras.height, cameras.width)
    start = (cameras.poses[:, :, 3].norm(dim=-1) - BOUND)[:, None, None].expand(shape)
    focal = float(cameras.intrinsics[:, :2, :2].diagonal(dim1=1, dim2=2).min())
    for block in (8, 2, 1):
        start = start[:, ::block, ::block].reshape(-1)
        live = start.isfinite().nonzero()[:, 0]
        # An upper bound: unit directions are closer together than points on the plane z = 1.
        spread = 0.5 * block * 2**0.5 / focal
        contact = torch.full_like(start, torch.inf)
        for some in live.split(PORTION):
            reached, touches = march(sdf, block_rays(cameras, some, block), start[some], spread)
            contact[some] = torch.where(touches, reached, torch.inf)
        rows, columns = -(-shape[1] // block), -(-shape[2] // block)
        start = contact.reshape(shape[0], rows, columns)
        start = start.repeat_interleave(block, 1).repeat_interleave(block, 2)
        start = start[:, : shape[1], : shape[2]]
    return start


def block_rays(
    cameras: Cameras, index: Int[Tensor, "blocks"], block: int, shift: Tensor | float = 0.0
) -> Rays:
    """Return rays through the centres of blocks, given by flat indices (view, row, column).

    ``shift`` moves them, in blocks (right, down; one pair per ray).
    """
    rows, columns = -(-cameras.height // block), -(-cameras.width // block)
    view, center = pixel_positions(index, columns, rows)
    return cameras.rays(view, block * (center + shift), center.new_zeros(len(index), 3))
