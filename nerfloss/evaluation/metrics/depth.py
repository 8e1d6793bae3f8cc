"""How far rendered depth is from the observed depth, over the pixels where that is known."""

from jaxtyping import Float
from torch import Tensor

from nerfloss.evaluation.errors import UndefinedMetric


def _known(
    depth: Tensor, target_depth: Tensor
) -> tuple[Float[Tensor, "pixels"], Float[Tensor, "pixels"]]:
    known = target_depth > 0
    if not known.any():
        raise UndefinedMetric("no pixel of this view has a known depth")
    return depth[known], target_depth[known]


def depth_abs_rel(
    depth: Float[Tensor, "height width"], target_depth: Float[Tensor, "height width"]
) -> Float[Tensor, ""]:
    """Mean of ``|d - D| / D``; a pixel where nothing was rendered (d = 0) counts as 1.

    Reference: Eigen et al., "Depth Map Prediction from a Single Image using a Multi-Scale Deep
    Network", NeurIPS 2014.
    """
    ours, theirs = _known(depth, target_depth)
    return ((ours - theirs).abs() / theirs).mean()


def depth_rmse(
    depth: Float[Tensor, "height width"], target_depth: Float[Tensor, "height width"]
) -> Float[Tensor, ""]:
    """Root of the mean squared depth error, in scene units."""
    ours, theirs = _known(depth, target_depth)
    return (ours - theirs).square().mean().sqrt()


def depth_delta1(
    depth: Float[Tensor, "height width"],
    target_depth: Float[Tensor, "height width"],
    *,
    ratio: float = 1.25,
) -> Float[Tensor, ""]:
    """Share of pixels with ``max(d / D, D / d) < ratio``; a depth of 0 is a miss.

    Reference: Ladicky et al., "Pulling Things out of Perspective", CVPR 2014.
    """
    ours, theirs = _known(depth, target_depth)
    # Multiplied out, so that a depth of 0 needs no division.
    return ((ours < ratio * theirs) & (theirs < ratio * ours)).float().mean()
