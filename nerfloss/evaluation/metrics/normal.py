"""Metrics of rendered normals against the observed ones: angles, and whole normal maps."""

from jaxtyping import Float
from torch import Tensor, atan2, linalg, rad2deg

from nerfloss.evaluation.errors import UndefinedMetric
from nerfloss.evaluation.metrics.metadata import ANGLE, DEGREES, NOT_NEGATIVE, RATIO, metric

KNOWN = 0.5  # length above which a normal is observed: unknown ones are 0


def angles(
    normal: Float[Tensor, "height width 3"],
    target_normal: Float[Tensor, "height width 3"],
    *,
    hit: float = 0.1,
) -> Float[Tensor, "pixels"]:
    """Return angles between normals in degrees, where one is observed and the surface is hit.

    A rendered normal shorter than ``hit`` counts as no surface: its length is the opacity.

    Raises UndefinedMetric where no pixel has both.
    """
    both = (linalg.norm(target_normal, dim=-1) > KNOWN) & (linalg.norm(normal, dim=-1) > hit)
    if not both.any():
        raise UndefinedMetric("no pixel of this view has both a rendered and an observed normal")
    rendered, observed = normal[both].double(), target_normal[both].double()
    # atan2(|n x m|, n . m) needs no unit length and, unlike acos, is accurate near 0.
    sine = linalg.norm(linalg.cross(rendered, observed), dim=-1)
    return rad2deg(atan2(sine, (rendered * observed).sum(-1))).float()


@metric(unit=DEGREES, better="lower", range=ANGLE)
def normal_angle(
    normal: Float[Tensor, "height width 3"],
    target_normal: Float[Tensor, "height width 3"],
    *,
    hit: float = 0.1,
) -> Float[Tensor, ""]:
    """Mean angle between rendered and observed normals, in degrees."""
    return angles(normal, target_normal, hit=hit).mean()


@metric(unit=DEGREES, better="lower", range=ANGLE)
def normal_angle_median(
    normal: Float[Tensor, "height width 3"],
    target_normal: Float[Tensor, "height width 3"],
    *,
    hit: float = 0.1,
) -> Float[Tensor, ""]:
    """Median angle between rendered and observed normals, in degrees."""
    return angles(normal, target_normal, hit=hit).quantile(0.5)


@metric(unit=RATIO, better="lower", range=NOT_NEGATIVE)
def normal_l2(
    normal: Float[Tensor, "height width 3"], target_normal: Float[Tensor, "height width 3"]
) -> Float[Tensor, ""]:
    """Mean of ``|n - m|^2`` over the whole map; normals of the background are 0.

    Reference: Xiu et al., "ICON: Implicit Clothed humans Obtained from Normals", CVPR 2022.
    """
    return (normal - target_normal).square().sum(-1).mean()
