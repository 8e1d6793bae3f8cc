"""Curvature term: the Laplacian of the SDF as a smoothness prior."""

from jaxtyping import Float
from torch import Tensor


def curvature(laplacian: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Return the absolute Laplacian of the SDF, ``|tr H|``, per inverse scene unit.

    On the surface of an exact signed distance it is twice the absolute mean curvature, so it scales
    with the inverse size of the object.

    Reference: Li et al., "Neuralangelo: High-Fidelity Neural Surface Reconstruction", CVPR 2023.
    """
    return laplacian.abs()
