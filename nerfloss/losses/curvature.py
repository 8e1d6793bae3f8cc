"""Curvature terms: the Laplacian of the SDF as a smoothness prior."""

from collections.abc import Callable, Mapping

from jaxtyping import Float
from torch import Tensor


def curvature(laplacian: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Return the absolute Laplacian of the SDF, ``|tr H|``, per inverse scene unit.

    On the surface of an exact signed distance it is twice the absolute mean curvature, so it scales
    with the inverse size of the object.

    Reference: Li et al., "Neuralangelo: High-Fidelity Neural Surface Reconstruction", CVPR 2023.
    """
    return laplacian.abs()


def surface_curvature(
    field: Callable[..., Mapping[str, Tensor]], hit_points: Float[Tensor, "hits 3"]
) -> Float[Tensor, "hits"]:
    """Return the `curvature` where rays meet the surface, ``|tr H|``, per inverse scene unit.

    It costs a fraction of `curvature`, which acts on all samples of a ray, and acts on the surface
    alone. No gradient flows into the points.

    Reference: Li et al., "Neuralangelo: High-Fidelity Neural Surface Reconstruction", CVPR 2023,
    for all samples.
    """
    return curvature(field(hit_points.detach(), {"laplacian"})["laplacian"])
