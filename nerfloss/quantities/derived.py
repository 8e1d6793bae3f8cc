"""Derived quantities: each function here makes the quantity of its name from those it asks for."""

from jaxtyping import Bool, Float, Int
from torch import Tensor

from nerfloss.kernels.compositing import composited, compositing_weights
from nerfloss.kernels.directions import unit
from nerfloss.maths.compositing import expected_distance
from nerfloss.maths.zero_crossing import first_crossing


def positions(
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    t_starts: Float[Tensor, "rays samples"],
    t_ends: Float[Tensor, "rays samples"],
) -> Float[Tensor, "rays samples 3"]:
    """Mid-points of the intervals, world frame."""
    middle = 0.5 * (t_starts + t_ends)
    return origins[:, None] + middle[..., None] * directions[:, None]


def weights(
    alphas: Float[Tensor, "rays samples"], *, backend: str = "auto"
) -> Float[Tensor, "rays samples"]:
    """Share of a ray's light that each sample stops; sums to at most 1."""
    return compositing_weights(alphas, backend=backend)


def opacity(weights: Float[Tensor, "rays samples"]) -> Float[Tensor, "rays"]:
    """Share of a ray's light that is stopped, in [0, 1]."""
    return weights.sum(-1)


def rgb(
    weights: Float[Tensor, "rays samples"],
    colors: Float[Tensor, "rays samples 3"],
    opacity: Float[Tensor, "rays"],
    background: Float[Tensor, "rays 3"],
    *,
    backend: str = "auto",
) -> Float[Tensor, "rays 3"]:
    """Colour of a ray, in [0, 1]: ``sum_i w_i c_i``, and the background with what is left."""
    return composited(weights, colors, backend=backend) + (1 - opacity)[:, None] * background


def depth(
    weights: Float[Tensor, "rays samples"],
    t_starts: Float[Tensor, "rays samples"],
    t_ends: Float[Tensor, "rays samples"],
) -> Float[Tensor, "rays"]:
    """Expected distance along the ray, in scene units; 0 where nothing is hit."""
    return expected_distance(weights, t_starts, t_ends)


def normals(gradients: Float[Tensor, "rays samples 3"]) -> Float[Tensor, "rays samples 3"]:
    """Unit gradients of the SDF; 0 where the gradient vanishes."""
    return unit(gradients)


def normal(
    weights: Float[Tensor, "rays samples"],
    normals: Float[Tensor, "rays samples 3"],
    *,
    backend: str = "auto",
) -> Float[Tensor, "rays 3"]:
    """Composited normal; its length says how much surface agrees."""
    return composited(weights, normals, backend=backend)


def surface_distance(
    sdf: Float[Tensor, "rays samples"],
    t_starts: Float[Tensor, "rays samples"],
    t_ends: Float[Tensor, "rays samples"],
    occupied: Bool[Tensor, "rays samples"],
) -> Float[Tensor, "rays"]:
    """Distance to the first crossing of the SDF from outside to inside; 0 where there is none.

    By a straight line between the mid-points of neighbouring samples, in whose signed distances it
    is differentiable: what descends a loss on it moves the surface along the ray.
    """
    distance, _ = first_crossing(sdf, 0.5 * (t_starts + t_ends), occupied)
    return distance


def surface_hit(surface_distance: Float[Tensor, "rays"]) -> Bool[Tensor, "rays"]:
    """Where a ray crosses the surface; samples lie in front of the camera, at distances above 0."""
    return surface_distance > 0


def surface_points(
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    surface_distance: Float[Tensor, "rays"],
) -> Float[Tensor, "rays 3"]:
    """First crossing of the surface along a ray, world frame; the ray's origin without one."""
    return origins + surface_distance[:, None] * directions


def hit_points(
    surface_points: Float[Tensor, "rays 3"], surface_hit: Bool[Tensor, "rays"]
) -> Float[Tensor, "hits 3"]:
    """First crossings of the surface along those rays that have one."""
    return surface_points[surface_hit]


def target_depth_known(target_depth: Float[Tensor, "rays"]) -> Bool[Tensor, "rays"]:
    """Where a depth was observed."""
    return target_depth > 0


def target_normal_known(target_normal: Float[Tensor, "rays 3"]) -> Bool[Tensor, "rays"]:
    """Where a normal was observed: stored unit normals keep more than half their length."""
    return target_normal.square().sum(-1) > 0.25


def target_label_known(target_label: Int[Tensor, "rays"]) -> Bool[Tensor, "rays"]:
    """Where a class was observed: below 0 it is unknown."""
    return target_label >= 0


def target_instance_known(target_instance: Int[Tensor, "rays"]) -> Bool[Tensor, "rays"]:
    """Where an object was observed: 0 is the background, below 0 it is unknown."""
    return target_instance > 0
