"""Derived quantities: each function computes the quantity of its name from its parameters."""

import torch
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
    """Return the mid-points of the intervals, world frame."""
    middle = 0.5 * (t_starts + t_ends)
    return origins[:, None] + middle[..., None] * directions[:, None]


def weights(
    alphas: Float[Tensor, "rays samples"], *, backend: str = "auto"
) -> Float[Tensor, "rays samples"]:
    """Return the compositing weights of the samples; they sum to at most 1."""
    return compositing_weights(alphas, backend=backend)


def opacity(weights: Float[Tensor, "rays samples"]) -> Float[Tensor, "rays"]:
    """Return the opacity of each ray, in [0, 1]."""
    return weights.sum(-1)


def opacity_foreground(opacity: Float[Tensor, "rays"]) -> Float[Tensor, "rays"]:
    """Return the opacity of each ray, without the background."""
    return opacity


def rgb_foreground(
    weights: Float[Tensor, "rays samples"],
    colors: Float[Tensor, "rays samples 3"],
    *,
    backend: str = "auto",
) -> Float[Tensor, "rays 3"]:
    """Return the composited colour of each ray on black: ``sum_i w_i c_i``."""
    return composited(weights, colors, backend=backend)


def background_rgb(background: Float[Tensor, "rays 3"]) -> Float[Tensor, "rays 3"]:
    """Return the colour behind the foreground; a background model replaces this rule."""
    return background


def rgb(
    rgb_foreground: Float[Tensor, "rays 3"],
    opacity: Float[Tensor, "rays"],
    background_rgb: Float[Tensor, "rays 3"],
) -> Float[Tensor, "rays 3"]:
    """Return the colour of each ray: ``rgb_foreground + (1 - opacity) background_rgb``."""
    return rgb_foreground + (1 - opacity)[:, None] * background_rgb


def depth(
    weights: Float[Tensor, "rays samples"],
    t_starts: Float[Tensor, "rays samples"],
    t_ends: Float[Tensor, "rays samples"],
) -> Float[Tensor, "rays"]:
    """Return the expected distance along the ray, in scene units; 0 where nothing is hit."""
    return expected_distance(weights, t_starts, t_ends)


def depth_z(
    depth: Float[Tensor, "rays"], axis_cosine: Float[Tensor, "rays"]
) -> Float[Tensor, "rays"]:
    """Return the expected depth along the optical axis of the camera; 0 where nothing is hit."""
    return depth * axis_cosine


def disparity(
    opacity: Float[Tensor, "rays"], depth_z: Float[Tensor, "rays"]
) -> Float[Tensor, "rays"]:
    """Return the inverse of the mean depth of what a ray hits, ``opacity / depth_z``.

    Per scene unit, 0 where nothing is hit. The depth is floored at 1e-3 times the opacity: nothing
    is seen nearer than that to a camera.
    """
    return opacity / torch.maximum(depth_z, 1e-3 * opacity).clamp_min(1e-6)


def normals(gradients: Float[Tensor, "rays samples 3"]) -> Float[Tensor, "rays samples 3"]:
    """Return the unit gradients of the SDF; 0 where the gradient vanishes."""
    return unit(gradients)


def normal(
    weights: Float[Tensor, "rays samples"],
    normals: Float[Tensor, "rays samples 3"],
    *,
    backend: str = "auto",
) -> Float[Tensor, "rays 3"]:
    """Return the composited normal; its length is 1 where all normals of the ray agree."""
    return composited(weights, normals, backend=backend)


def surface_distance(
    sdf: Float[Tensor, "rays samples"],
    t_starts: Float[Tensor, "rays samples"],
    t_ends: Float[Tensor, "rays samples"],
    occupied: Bool[Tensor, "rays samples"],
) -> Float[Tensor, "rays"]:
    """Return the distance to the first crossing of the SDF from outside to inside; 0 without one.

    Interpolates linearly between the mid-points of neighbouring samples. Differentiable in their
    signed distances, so that a loss on it moves the surface along the ray.
    """
    distance, _ = first_crossing(sdf, 0.5 * (t_starts + t_ends), occupied)
    return distance


def surface_hit(surface_distance: Float[Tensor, "rays"]) -> Bool[Tensor, "rays"]:
    """Return True for rays that cross the surface; samples lie at distances above 0."""
    return surface_distance > 0


def surface_points(
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    surface_distance: Float[Tensor, "rays"],
) -> Float[Tensor, "rays 3"]:
    """Return the first crossing of the surface, world frame; the ray's origin without one."""
    return origins + surface_distance[:, None] * directions


def hit_points(
    surface_points: Float[Tensor, "rays 3"], surface_hit: Bool[Tensor, "rays"]
) -> Float[Tensor, "hits 3"]:
    """Return the first crossings of the surface, for the rays that have one."""
    return surface_points[surface_hit]


def target_depth_known(target_depth: Float[Tensor, "rays"]) -> Bool[Tensor, "rays"]:
    """Return True where a depth was observed."""
    return target_depth > 0


def target_relative_depth_known(
    target_relative_depth: Float[Tensor, "rays"],
) -> Bool[Tensor, "rays"]:
    """Return True where a relative depth was estimated."""
    return target_relative_depth > 0


def target_disparity_known(target_disparity: Float[Tensor, "rays"]) -> Bool[Tensor, "rays"]:
    """Return True where a disparity was estimated."""
    return target_disparity > 0


def target_normal_known(target_normal: Float[Tensor, "rays 3"]) -> Bool[Tensor, "rays"]:
    """Return True where a normal was observed: stored unit normals are longer than 1/2."""
    return target_normal.square().sum(-1) > 0.25


def target_label_known(target_label: Int[Tensor, "rays"]) -> Bool[Tensor, "rays"]:
    """Return True where a class was observed; negative labels are unknown."""
    return target_label >= 0


def target_instance_known(target_instance: Int[Tensor, "rays"]) -> Bool[Tensor, "rays"]:
    """Return True where an object was observed; 0 is the background, negative is unknown."""
    return target_instance > 0
