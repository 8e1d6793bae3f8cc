"""Derived quantities: each function here makes the quantity of its name from those it asks for."""

from jaxtyping import Bool, Float
from torch import Tensor

from nerfloss.kernels.compositing import compositing_weights
from nerfloss.maths.compositing import expected_distance


def weights(alphas: Float[Tensor, "rays samples"]) -> Float[Tensor, "rays samples"]:
    """Share of a ray's light that each sample stops; sums to at most 1."""
    return compositing_weights(alphas)


def opacity(weights: Float[Tensor, "rays samples"]) -> Float[Tensor, "rays"]:
    """Share of a ray's light that is stopped, in [0, 1]."""
    return weights.sum(-1)


def rgb(
    weights: Float[Tensor, "rays samples"],
    colors: Float[Tensor, "rays samples 3"],
    opacity: Float[Tensor, "rays"],
    background: Float[Tensor, "rays 3"],
) -> Float[Tensor, "rays 3"]:
    """Colour of a ray, in [0, 1]: ``sum_i w_i c_i``, and the background with what is left."""
    return (weights[..., None] * colors).sum(-2) + (1 - opacity)[:, None] * background


def depth(
    weights: Float[Tensor, "rays samples"],
    t_starts: Float[Tensor, "rays samples"],
    t_ends: Float[Tensor, "rays samples"],
) -> Float[Tensor, "rays"]:
    """Expected distance along the ray, in scene units; 0 where nothing is hit."""
    return expected_distance(weights, t_starts, t_ends)


def normals(gradients: Float[Tensor, "rays samples 3"]) -> Float[Tensor, "rays samples 3"]:
    """Unit gradients of the SDF; 0 where the gradient vanishes."""
    length = gradients.square().sum(-1, keepdim=True).clamp_min(1e-12).sqrt()
    return gradients / length


def normal(
    weights: Float[Tensor, "rays samples"], normals: Float[Tensor, "rays samples 3"]
) -> Float[Tensor, "rays 3"]:
    """Composited normal; its length says how much surface agrees."""
    return (weights[..., None] * normals).sum(-2)


def target_depth_known(target_depth: Float[Tensor, "rays"]) -> Bool[Tensor, "rays"]:
    """Where a depth was observed."""
    return target_depth > 0


def target_normal_known(target_normal: Float[Tensor, "rays 3"]) -> Bool[Tensor, "rays"]:
    """Where a normal was observed: stored unit normals keep more than half their length."""
    return target_normal.square().sum(-1) > 0.25
