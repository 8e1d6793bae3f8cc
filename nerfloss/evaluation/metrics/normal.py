"""How far rendered normals are from the observed ones: angles where both exist, or whole maps."""

from jaxtyping import Float
from torch import Tensor, atan2, linalg, rad2deg

from nerfloss.evaluation.errors import UndefinedMetric

KNOWN = 0.5  # an observed normal has length 1, an unknown one 0


def angles(
    normal: Float[Tensor, "height width 3"],
    target_normal: Float[Tensor, "height width 3"],
    *,
    hit: float = 0.1,
) -> Float[Tensor, "pixels"]:
    """Angles between normals in degrees, where one is observed and the surface is hit.

    A rendered normal shorter than ``hit`` says that the ray met next to nothing.

    Raises UndefinedMetric where no pixel has both.
    """
    both = (linalg.norm(target_normal, dim=-1) > KNOWN) & (linalg.norm(normal, dim=-1) > hit)
    if not both.any():
        raise UndefinedMetric("no pixel of this view has both a rendered and an observed normal")
    ours, theirs = normal[both].double(), target_normal[both].double()
    # atan2 of |n x m| and n . m needs no unit length and, unlike acos, keeps its digits near 0.
    across = linalg.norm(linalg.cross(ours, theirs), dim=-1)
    return rad2deg(atan2(across, (ours * theirs).sum(-1))).float()


def normal_angle(
    normal: Float[Tensor, "height width 3"],
    target_normal: Float[Tensor, "height width 3"],
    *,
    hit: float = 0.1,
) -> Float[Tensor, ""]:
    """Mean angle between rendered and observed normals, in degrees."""
    return angles(normal, target_normal, hit=hit).mean()


def normal_angle_median(
    normal: Float[Tensor, "height width 3"],
    target_normal: Float[Tensor, "height width 3"],
    *,
    hit: float = 0.1,
) -> Float[Tensor, ""]:
    """Median angle between rendered and observed normals, in degrees."""
    return angles(normal, target_normal, hit=hit).quantile(0.5)


def normal_l2(
    normal: Float[Tensor, "height width 3"], target_normal: Float[Tensor, "height width 3"]
) -> Float[Tensor, ""]:
    """Mean over the whole map of ``|n - m|^2``; where nothing is, both normals are 0.

    Reference: Xiu et al., "ICON: Implicit Clothed humans Obtained from Normals", CVPR 2022.
    """
    return (normal - target_normal).square().sum(-1).mean()
