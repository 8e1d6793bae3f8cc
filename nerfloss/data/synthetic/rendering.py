"""Render analytic scenes: sphere tracing, with antialiasing along edges."""

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from nerfloss.data.cameras.cameras import Cameras
from nerfloss.data.synthetic.analytic_scenes import Model
from nerfloss.data.synthetic.lighting import shade
from nerfloss.data.synthetic.shapes import Sdf, length, sdf_and_gradient
from nerfloss.data.synthetic.sphere_tracing import CHUNK, PORTION, block_rays, first_contact, march
from nerfloss.data.views import Views
from nerfloss.geometry import Rays


def render_views(
    model: Model, cameras: Cameras, names: tuple[str, ...], supersampling: int
) -> Views:
    """Render colour, opacity, depth, normal, semantic class and instance of every view.

    All values are those at the pixel's centre, except colour and opacity along edges: these are
    means over ``supersampling``^2 rays. Colour is averaged over the rays that hit, so it is not
    premultiplied by the opacity.
    """
    contact = first_contact(model.sdf, cameras)
    start = contact.reshape(-1)
    depth, normal = torch.zeros_like(start), start.new_zeros(len(start), 3)
    color, opacity = start.new_zeros(len(start), 3), torch.zeros_like(start)
    instance = torch.zeros_like(start, dtype=torch.int64)
    for index in start.isfinite().nonzero()[:, 0].split(PORTION):
        rays = block_rays(cameras, index, 1)
        depth[index], normal[index], color[index] = render_rays(model, rays, start[index])
        instance[index] = instance_at(model, rays, depth[index])
    opacity[depth > 0] = 1.0
    edges = find_edges(contact.isfinite(), depth.view_as(contact), normal.view(*contact.shape, 3))
    for index in edges.reshape(-1).nonzero()[:, 0].split(PORTION // supersampling**2):
        color[index], opacity[index] = supersample(
            model, cameras, index, start[index], supersampling
        )
    shape = contact.shape
    return Views(
        cameras,
        names,
        rgb=to_uint8(color).reshape(*shape, 3),
        mask=to_uint8(opacity).reshape(shape),
        depth=depth.reshape(shape),
        normal=normal.reshape(*shape, 3),
        label=model.classes(instance).to(torch.int16).reshape(shape),
        instance=instance.to(torch.int16).reshape(shape),
    )


def render_rays(
    model: Model, rays: Rays, start: Float[Tensor, "rays"]
) -> tuple[Float[Tensor, "rays"], Float[Tensor, "rays 3"], Float[Tensor, "rays 3"]]:
    """Return depth, outward normal and colour of rays; 0 for rays that miss.

    ``start`` is a distance along each ray that is free of surfaces.
    """
    depth, hits = march(model.sdf, rays, start)
    depth[~hits] = 0.0
    normal, color = torch.zeros_like(rays.directions), torch.zeros_like(rays.directions)
    for index in hits.nonzero()[:, 0].split(CHUNK):
        depth[index], points, normal[index] = refine_hits(
            model.sdf, rays.origins[index], rays.directions[index], depth[index]
        )
        color[index] = shade(model, points, normal[index])
    return depth, normal, color


def instance_at(model: Model, rays: Rays, depth: Float[Tensor, "rays"]) -> Int[Tensor, "rays"]:
    """Return the instance number, from 1, at the depth of each ray; 0 where the depth is 0."""
    if not model.parts:
        return (depth > 0).long()
    instance = torch.zeros_like(depth, dtype=torch.int64)
    for index in (depth > 0).nonzero()[:, 0].split(CHUNK):
        origin, direction = rays.origins[index].t().contiguous(), rays.directions[index].t()
        instance[index] = model.instances(torch.addcmul(origin, depth[index], direction).t())
    return instance


def refine_hits(
    sdf: Sdf,
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    distance: Float[Tensor, "rays"],
) -> tuple[Float[Tensor, "rays"], Float[Tensor, "rays 3"], Float[Tensor, "rays 3"]]:
    """Refine approximate hit distances; return distances, points and outward unit normals.

    Two Newton steps along the ray: sphere tracing converges slowly at grazing angles.
    """
    # Coordinates in rows in memory, as the shapes read them.
    origin, direction = origins.t().contiguous(), directions.t().contiguous()
    for _ in range(2):
        points = torch.addcmul(origin, distance, direction).t()
        value, gradient = sdf_and_gradient(sdf, points)
        # The derivative along the ray is floored at -0.1, which limits the step at grazing angles.
        slope = (gradient * directions).sum(-1).clamp_max(-0.1)
        distance = distance - value / slope
    points = torch.addcmul(origin, distance, direction).t()
    return distance, points, gradient / length(gradient)[:, None]


def find_edges(
    touched: Bool[Tensor, "views height width"],
    depth: Float[Tensor, "views height width"],
    normal: Float[Tensor, "views height width 3"],
) -> Bool[Tensor, "views height width"]:
    """Return the touched pixels along silhouettes, creases and depth discontinuities.

    An edge is a touched pixel without depth, or a pair of adjacent pixels whose normals differ by
    more than 25 degrees or whose depths differ by more than 0.05 scene units.
    """
    edges = touched & (depth == 0)
    for axis in (1, 2):
        size = depth.shape[axis] - 1
        first, second = (lambda x, k=k, a=axis, n=size: x.narrow(a, k, n) for k in (0, 1))
        crease = (first(normal) * second(normal)).sum(-1) < 0.9
        jump = (first(depth) - second(depth)).abs() > 0.05
        first(edges).logical_or_(crease | jump)
        second(edges).logical_or_(crease | jump)
    return edges & touched


def supersample(
    model: Model,
    cameras: Cameras,
    index: Int[Tensor, "pixels"],
    start: Float[Tensor, "pixels"],
    supersampling: int,
) -> tuple[Float[Tensor, "pixels 3"], Float[Tensor, "pixels"]]:
    """Return the mean colour over the rays of each pixel that hit, and the fraction that do."""
    steps = (torch.arange(supersampling) + 0.5) / supersampling - 0.5
    shifts, count = torch.cartesian_prod(steps, steps), supersampling**2
    rays = block_rays(cameras, index.repeat_interleave(count), 1, shifts.repeat(len(index), 1))
    depth, _, color = render_rays(model, rays, start.repeat_interleave(count))
    hits = (depth > 0).reshape(-1, count).sum(-1)
    return color.reshape(-1, count, 3).sum(1) / hits.clamp_min(1)[:, None], hits / count


def to_uint8(values: Float[Tensor, "*shape"]) -> UInt8[Tensor, "*shape"]:
    """Map values in [0, 1] to 0 to 255, rounded."""
    return (values * 255.0 + 0.5).to(torch.uint8)
