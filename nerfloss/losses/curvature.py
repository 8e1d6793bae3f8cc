"""Curvature term: a surface without evidence to the contrary is smooth."""

from jaxtyping import Float
from torch import Tensor


def curvature(laplacian: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Size of the Laplacian of the SDF, ``|tr H|``, per inverse scene unit.

    On the surface of an exact signed distance that is twice the mean curvature, so that its scale
    is that of the scene: halving an object doubles it.

    Reference: Li et al., "Neuralangelo: High-Fidelity Neural Surface Reconstruction", CVPR 2023.
    """
    return laplacian.abs()
