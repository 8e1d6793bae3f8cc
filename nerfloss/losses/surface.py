"""Priors on the SDF and its normals: sparsity, observed normals and orientation."""

from jaxtyping import Float
from torch import Tensor

from nerfloss.maths.directions import unit


def sparsity(sdf: Float[Tensor, "*shape"], *, scale: float = 1.0) -> Float[Tensor, "*shape"]:
    """Return ``exp(-scale |sdf|)``, in (0, 1], which penalises surfaces without support by images.

    ``scale`` is per scene unit: farther than ``1 / scale`` from a surface the term fades.

    Reference: Long et al., "SparseNeuS: Fast Generalizable Neural Surface Reconstruction from
    Sparse Views", ECCV 2022, the sparseness regularization.
    """
    return (-scale * sdf.abs()).exp()


def normal_cosine(
    normal: Float[Tensor, "*shape 3"], target_normal: Float[Tensor, "*shape 3"]
) -> Float[Tensor, "*shape"]:
    """Return one minus the cosine between rendered and observed normal, in [0, 2].

    Lengths do not matter; they are floored at 1e-3, below which the normals along a ray mostly
    cancel and the cosine fades to 0.

    Reference: Yu et al., "MonoSDF: Exploring Monocular Geometric Cues for Neural Implicit Surface
    Reconstruction", NeurIPS 2022, the angular part of its normal loss.
    """
    return 1 - (unit(normal, floor=1e-3) * unit(target_normal, floor=1e-3)).sum(-1)


def orientation(
    normals: Float[Tensor, "rays samples 3"],
    weights: Float[Tensor, "rays samples"],
    directions: Float[Tensor, "rays 3"],
) -> Float[Tensor, "rays"]:
    """Return ``sum_i w_i max(0, n_i . d)^2``: visible normals that face away from the camera.

    Reference: Verbin et al., "Ref-NeRF: Structured View-Dependent Appearance for Neural Radiance
    Fields", CVPR 2022, equation 11.
    """
    away = (normals * directions[..., None, :]).sum(-1).clamp_min(0)
    return (weights * away.square()).sum(-1)
