"""Consistency of normals with the surface given by the depth map."""

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.losses.requirements import requires
from nerfloss.maths.directions import unit


@requires(smallest_patch=2)
def normal_consistency(
    normals: Float[Tensor, "rays samples 3"],
    weights: Float[Tensor, "rays samples"],
    patch_depth: Float[Tensor, "patches height width 1"],
    patch_origins: Float[Tensor, "patches height width 3"],
    patch_directions: Float[Tensor, "patches height width 3"],
) -> Float[Tensor, "rays"]:
    """Return ``sum_i w_i (1 - n_i . N)`` of a ray's normals n and the depth map's normal N.

    N is the unit normal, facing the camera, of the points at the patch's depths: the cross product
    of their differences along rows and columns, central inside the patch and one-sided at its
    border. Rays are ordered patch by patch, row by row. N is unreliable at depth discontinuities;
    where nothing is hit, the weights are 0.

    Raises ValueError for patches of a single row or column.

    Reference: Huang et al., "2D Gaussian Splatting for Geometrically Accurate Radiance Fields",
    SIGGRAPH 2024, its normal consistency loss.
    """
    if min(patch_depth.shape[1:3]) < 2:
        raise ValueError(
            f"normal_consistency compares neighbouring pixels, got patches of "
            f"{patch_depth.shape[1]} x {patch_depth.shape[2]}: batch.height and batch.width must "
            f"be at least 2"
        )
    points = patch_origins + patch_depth * patch_directions
    down, right = torch.gradient(points, dim=(1, 2))
    # Neighbouring pixels lie about 1e-3 scene units apart, so the floor of 1e-8 is never reached.
    across, along = unit(down, floor=1e-8), unit(right, floor=1e-8)
    # Rows run down and columns right: in this order the cross product faces the camera.
    facing = unit(torch.linalg.cross(across, along), floor=1e-8).reshape(-1, 3)
    agreement = (normals * facing[:, None]).sum(-1)
    return (weights * (1 - agreement)).sum(-1)
