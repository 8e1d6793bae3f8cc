"""Photographs of exact scenes: sphere-traced, and antialiased where a pixel sees an edge."""

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from nerfloss.data.cameras.pinhole import Cameras
from nerfloss.data.synthetic.analytic_scenes import Model
from nerfloss.data.synthetic.lighting import shade
from nerfloss.data.synthetic.shapes import Sdf, length, sdf_and_gradient
from nerfloss.data.synthetic.sphere_tracing import CHUNK, PORTION, block_rays, first_contact, march
from nerfloss.data.views import Views
from nerfloss.geometry import Rays


def photograph(model: Model, cameras: Cameras, names: tuple[str, ...], supersampling: int) -> Views:
    """Render every view: colour, opacity, depth, normal, semantic class and object.

    Depth, normal, class and object belong to the pixel's centre. So do colour and opacity inside a
    surface, whose texture is smooth at the scale of pixels; along edges they are means over
    ``supersampling``^2 rays, colour over those that hit, so that it is straight.
    """
    contact = first_contact(model.sdf, cameras)
    start = contact.reshape(-1)
    depth, normal = torch.zeros_like(start), start.new_zeros(len(start), 3)
    color, opacity = start.new_zeros(len(start), 3), torch.zeros_like(start)
    instance = torch.zeros_like(start, dtype=torch.int64)
    for index in start.isfinite().nonzero()[:, 0].split(PORTION):
        rays = block_rays(cameras, index, 1)
        depth[index], normal[index], color[index] = look(model, rays, start[index])
        instance[index] = name_objects(model, rays, depth[index])
    opacity[depth > 0] = 1.0
    edges = find_edges(contact.isfinite(), depth.view_as(contact), normal.view(*contact.shape, 3))
    for index in edges.reshape(-1).nonzero()[:, 0].split(PORTION // supersampling**2):
        color[index], opacity[index] = mean_color(
            model, cameras, index, start[index], supersampling
        )
    shape = contact.shape
    return Views(
        cameras,
        names,
        rgb=eight_bit(color).reshape(*shape, 3),
        mask=eight_bit(opacity).reshape(shape),
        depth=depth.reshape(shape),
        normal=normal.reshape(*shape, 3),
        label=model.classes(instance).to(torch.int16).reshape(shape),
        instance=instance.to(torch.int16).reshape(shape),
    )


def look(
    model: Model, rays: Rays, start: Float[Tensor, "rays"]
) -> tuple[Float[Tensor, "rays"], Float[Tensor, "rays 3"], Float[Tensor, "rays 3"]]:
    """What rays see: the distance to the surface, its outward normal and colour; 0 if they miss."""
    depth, hits = march(model.sdf, rays, start)
    depth[~hits] = 0.0
    normal, color = torch.zeros_like(rays.directions), torch.zeros_like(rays.directions)
    for index in hits.nonzero()[:, 0].split(CHUNK):
        depth[index], points, normal[index] = settle(model.sdf, rays[index], depth[index])
        color[index] = shade(model, points, normal[index])
    return depth, normal, color


def name_objects(model: Model, rays: Rays, depth: Float[Tensor, "rays"]) -> Int[Tensor, "rays"]:
    """Number of the object that each ray meets at its depth, from 1; 0 where the depth is 0."""
    instance = torch.zeros_like(depth, dtype=torch.int64)
    for index in (depth > 0).nonzero()[:, 0].split(CHUNK):
        instance[index] = model.instances(_at(rays[index], depth[index]))
    return instance


def settle(
    sdf: Sdf, rays: Rays, distance: Float[Tensor, "rays"]
) -> tuple[Float[Tensor, "rays"], Float[Tensor, "rays 3"], Float[Tensor, "rays 3"]]:
    """Exact distance, point and outward normal, from a distance that is nearly right.

    Newton steps along the ray: marching alone creeps towards surfaces that it grazes.
    """
    for _ in range(2):
        points = _at(rays, distance)
        value, gradient = sdf_and_gradient(sdf, points)
        slope = (gradient * rays.directions).sum(-1).clamp_max(-0.1)
        distance = distance - value / slope
    points = _at(rays, distance)
    return distance, points, gradient / length(gradient)[:, None]


def find_edges(
    touched: Bool[Tensor, "views height width"],
    depth: Float[Tensor, "views height width"],
    normal: Float[Tensor, "views height width 3"],
) -> Bool[Tensor, "views height width"]:
    """Touched pixels that a neighbour shows to see more than one smooth piece of surface.

    Outlines, and wherever between neighbours the normal turns by more than 25 degrees or the depth
    jumps by more than 0.05.
    """
    edges = touched & (depth == 0)
    for axis in (1, 2):
        size = depth.shape[axis] - 1
        one, two = (lambda x, k=k, a=axis, n=size: x.narrow(a, k, n) for k in (0, 1))
        turn = (one(normal) * two(normal)).sum(-1) < 0.9
        jump = (one(depth) - two(depth)).abs() > 0.05
        one(edges).logical_or_(turn | jump)
        two(edges).logical_or_(turn | jump)
    return edges & touched


def mean_color(
    model: Model,
    cameras: Cameras,
    index: Int[Tensor, "pixels"],
    start: Float[Tensor, "pixels"],
    supersampling: int,
) -> tuple[Float[Tensor, "pixels 3"], Float[Tensor, "pixels"]]:
    """Mean colour over the rays of a pixel that hit, and the share of them that do."""
    steps = (torch.arange(supersampling) + 0.5) / supersampling - 0.5
    shifts, many = torch.cartesian_prod(steps, steps), supersampling**2
    rays = block_rays(cameras, index.repeat_interleave(many), 1, shifts.repeat(len(index), 1))
    depth, _, color = look(model, rays, start.repeat_interleave(many))
    count = (depth > 0).reshape(-1, many).sum(-1)
    return color.reshape(-1, many, 3).sum(1) / count.clamp_min(1)[:, None], count / many


def eight_bit(values: Float[Tensor, "*shape"]) -> UInt8[Tensor, "*shape"]:
    """Values from 0 to 1 as 0 to 255, rounded."""
    return (values * 255.0 + 0.5).to(torch.uint8)


def _at(rays: Rays, distance: Float[Tensor, "rays"]) -> Float[Tensor, "rays 3"]:
    """Points along rays, their coordinates in rows in memory: shapes take them apart."""
    return torch.addcmul(rays.origins.t().contiguous(), distance, rays.directions.t()).t()
