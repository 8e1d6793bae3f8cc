"""Metrics of rendered depth against the observed depth, over pixels where that is known."""

from jaxtyping import Float
from torch import Tensor

from nerfloss.evaluation.errors import UndefinedMetric
from nerfloss.evaluation.metrics.metadata import FRACTION, NOT_NEGATIVE, RATIO, SCENE_UNITS, metric


def _known(
    depth: Tensor, target_depth: Tensor
) -> tuple[Float[Tensor, "pixels"], Float[Tensor, "pixels"]]:
    known = target_depth > 0
    if not known.any():
        raise UndefinedMetric("no pixel of this view has a known depth")
    return depth[known], target_depth[known]


@metric(unit=RATIO, better="lower", range=NOT_NEGATIVE)
def depth_abs_rel(
    depth: Float[Tensor, "height width"], target_depth: Float[Tensor, "height width"]
) -> Float[Tensor, ""]:
    """Mean of ``|d - D| / D``; a pixel where nothing was rendered (d = 0) counts as 1.

    Reference: Eigen et al., "Depth Map Prediction from a Single Image using a Multi-Scale Deep
    Network", NeurIPS 2014.
    """
    rendered, observed = _known(depth, target_depth)
    return ((rendered - observed).abs() / observed).mean()


@metric(unit=SCENE_UNITS, better="lower", range=NOT_NEGATIVE)
def depth_rmse(
    depth: Float[Tensor, "height width"], target_depth: Float[Tensor, "height width"]
) -> Float[Tensor, ""]:
    """Root of the mean squared depth error, in scene units."""
    rendered, observed = _known(depth, target_depth)
    return (rendered - observed).square().mean().sqrt()


@metric(unit=RATIO, better="higher", range=FRACTION)
def depth_delta1(
    depth: Float[Tensor, "height width"],
    target_depth: Float[Tensor, "height width"],
    *,
    ratio: float = 1.25,
) -> Float[Tensor, ""]:
    """Fraction of pixels with ``max(d / D, D / d) < ratio``; a rendered depth of 0 fails.

    Reference: Ladicky et al., "Pulling Things out of Perspective", CVPR 2014.
    """
    rendered, observed = _known(depth, target_depth)
    # Multiplied out: a depth of 0 would be divided by.
    return ((rendered < ratio * observed) & (observed < ratio * rendered)).float().mean()
