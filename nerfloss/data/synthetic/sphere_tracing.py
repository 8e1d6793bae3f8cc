"""Sphere tracing: where rays meet a signed distance, whole blocks of pixels first."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nerfloss.data.cameras.pinhole import Cameras
from nerfloss.data.synthetic.shapes import Sdf, length
from nerfloss.geometry import Rays

# What is traced lies in the ball of this radius around the origin.
BOUND = 0.9
# How near to the surface a ray counts as there: a hundredth of a pixel of a 128 x 128 view.
TOLERANCE = 1e-4
LEAST_STEP = 1e-3
STEPS = 256
# Points at once: few enough for the cache, enough to hide Python.
CHUNK = 131072
# Rays at once: their origins and directions are held.
PORTION = 8 * CHUNK


def march(
    sdf: Sdf, rays: Rays, starts: Float[Tensor, "rays"], spread: float = 0.0
) -> tuple[Float[Tensor, "rays"], Bool[Tensor, "rays"]]:
    """Advance cones until they touch the surface; returns how far, and whether they did.

    ``spread`` is the radius of a cone per unit of distance: up to the returned distance every ray
    inside the cone is free. With ``spread`` 0 the cone is a ray, which stops within TOLERANCE of
    the surface.
    """
    distance, touches = starts.clone(), torch.zeros_like(starts, dtype=torch.bool)
    far = length(rays.origins).amax() + BOUND if len(starts) else 0.0
    # Coordinates are kept in rows: shapes take them apart, which is a third faster this way.
    origins, directions = rays.origins.t().contiguous(), rays.directions.t().contiguous()
    queue = list(torch.arange(len(starts), device=starts.device).split(CHUNK // 2))
    alive, t, born, now = queue[0][:0], starts[:0], queue[0][:0], 0
    while queue or len(alive):
        # The few that creep go along with newcomers: by themselves each step would cost as much.
        if queue and len(alive) <= CHUNK // 2:
            fresh = queue.pop(0)
            alive, t = torch.cat([alive, fresh]), torch.cat([t, starts[fresh]])
            born = torch.cat([born, torch.full_like(fresh, now)])
            o, d = origins.index_select(1, alive), directions.index_select(1, alive)
        # From t on, a ray of the cone at s is at most (s - t) + s * spread away from here.
        ahead = (t + sdf(torch.addcmul(o, t, d).t())) / (1 + spread)
        close = ahead - t < 0.25 * spread * t + TOLERANCE
        # A ray that grazes would creep: the least step is a tenth of a pixel of a 128 x 128 view.
        t = torch.maximum(t, ahead) if spread > 0 else torch.maximum(t + LEAST_STEP * ~close, ahead)
        tired = born <= now - STEPS + 1
        going = (~(close | tired | (t > far))).nonzero()[:, 0]
        # Moving the survivors together costs as much as a step: only when it pays.
        if len(going) < 0.8 * len(t):
            # A cone that still creeps may yet touch; a ray that does only grazes the surface.
            distance[alive], touches[alive] = t, close | (tired & (t < far) & (spread > 0))
            alive, t, born = (x.index_select(0, going) for x in (alive, t, born))
            o, d = (x.index_select(1, going) for x in (o, d))
        now += 1
    return distance, touches


def first_contact(sdf: Sdf, cameras: Cameras) -> Float[Tensor, "views height width"]:
    """A distance up to which nothing is seen anywhere in a pixel; infinite where it sees nothing.

    Cones around blocks of 8 x 8 pixels take most of the steps for all the rays inside them.
    """
    shape = (len(cameras), cameras.height, cameras.width)
    start = (cameras.poses[:, :, 3].norm(dim=-1) - BOUND)[:, None, None].expand(shape)
    focal = float(cameras.intrinsics[:, :2, :2].diagonal(dim1=1, dim2=2).min())
    for block in (8, 2, 1):
        start = start[:, ::block, ::block].reshape(-1)
        live = start.isfinite().nonzero()[:, 0]
        # Unit directions lie closer together than the points one unit before the camera.
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
    """Rays through blocks of pixels, flat indices over views, rows and columns.

    They pass ``shift`` blocks (right, down; one pair per ray) from the blocks' centres.
    """
    rows, columns = -(-cameras.height // block), -(-cameras.width // block)
    within = index % (rows * columns)
    pixel = torch.stack([within % columns, within // columns], dim=-1) + 0.5 + shift
    return cameras.rays(index // (rows * columns), block * pixel, pixel.new_zeros(len(index), 3))
