"""Variance of depth along a ray: a quantity, a loss and a metric."""

from jaxtyping import Float
from torch import Tensor

from nerfloss.evaluation.errors import UndefinedMetric
from nerfloss.evaluation.metrics.metadata import metric


def depth_variance(
    weights: Float[Tensor, "rays samples"],
    t_starts: Float[Tensor, "rays samples"],
    t_ends: Float[Tensor, "rays samples"],
    depth: Float[Tensor, "rays"],
) -> Float[Tensor, "rays"]:
    """Return the variance of depth, ``sum_i w_i (t_i - depth)^2``, in squared scene units."""
    middles = (t_starts + t_ends) / 2
    return (weights * (middles - depth[:, None]).square()).sum(-1)


def depth_spread(depth_variance: Float[Tensor, "rays"]) -> Float[Tensor, "rays"]:
    """Return the standard deviation of depth, in scene units, floored at 1e-4.

    Reference: ours.
    """
    return depth_variance.clamp_min(1e-8).sqrt()


@metric(unit="scene units", better="lower", range=(0.0, None))
def mean_spread(
    depth_variance: Float[Tensor, "height width"], opacity: Float[Tensor, "height width"]
) -> Float[Tensor, ""]:
    """Return the mean standard deviation of depth over opaque pixels, in scene units."""
    opaque = opacity > 0.5
    if not opaque.any():
        raise UndefinedMetric("the rendering shows no object")
    return depth_variance[opaque].sqrt().mean()
