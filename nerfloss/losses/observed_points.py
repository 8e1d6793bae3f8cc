"""Terms on sparse surface points that were observed: their distance and normals."""

from collections.abc import Callable, Mapping

from jaxtyping import Float
from torch import Tensor

from nerfloss.maths.directions import unit


def surface_points_sdf(
    field: Callable[..., Mapping[str, Tensor]], target_points: Float[Tensor, "observed 3"]
) -> Float[Tensor, "observed"]:
    """Return the distance of the surface from an observed point, ``|sdf(p)|``, in scene units.

    ``where: target_point_confidence`` weights the points by their confidence.

    Reference: Fu et al., "Geo-Neus: Geometry-Consistent Neural Implicit Surfaces Learning for
    Multi-view Reconstruction", NeurIPS 2022, its SDF loss.
    """
    return field(target_points, {"sdf"})["sdf"].abs()


def surface_points_normal(
    field: Callable[..., Mapping[str, Tensor]],
    target_points: Float[Tensor, "observed 3"],
    target_point_normals: Float[Tensor, "observed 3"],
) -> Float[Tensor, "observed"]:
    """Return one minus the cosine between the SDF's normal and the observed one at observed points.

    In [0, 2]; lengths do not matter. 1, with a finite gradient, where either vanishes.

    Reference: Gropp et al., "Implicit Geometric Regularization for Learning Shapes", ICML 2020,
    which takes the length of the difference.
    """
    gradients = field(target_points, {"gradients"})["gradients"]
    return 1 - (unit(gradients) * unit(target_point_normals)).sum(-1)
