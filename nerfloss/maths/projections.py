"""Cameras as 3 x 4 matrices ``P = [M | p]``: projection to pixels, and rays through pixels."""

import torch
from jaxtyping import Float
from torch import Tensor

# Smallest depth of a point that has a pixel, in scene units.
NEAREST = 1e-6


def project(
    points: Float[Tensor, "*#seen 3"], projections: Float[Tensor, "*#seen 3 4"]
) -> tuple[Float[Tensor, "*seen 2"], Float[Tensor, "*seen"]]:
    """Return the pixels (column, row) of points, and their depths in front of the cameras.

    Leading axes are broadcast. The pixel of a point that is not in front of the camera is
    meaningless.
    """
    seen = (projections[..., :3] @ points[..., None]).squeeze(-1) + projections[..., 3]
    depth = seen[..., 2]
    return seen[..., :2] / depth.clamp_min(NEAREST)[..., None], depth


def centre_and_inverse(
    projections: Float[Tensor, "*cameras 3 4"],
) -> tuple[Float[Tensor, "*cameras 3"], Float[Tensor, "*cameras 3 3"]]:
    """Return camera centres, and matrices from ``(column, row, 1)`` to ray directions.

    Directions point forwards, at depth 1, and are not unit. Computed with cross products, so that a
    singular matrix gives meaningless numbers instead of an error.
    """
    first, second, third = projections[..., :3].unbind(-2)
    adjugate = torch.stack(
        [
            torch.linalg.cross(second, third),
            torch.linalg.cross(third, first),
            torch.linalg.cross(first, second),
        ],
        -1,
    )
    determinant = (first * adjugate[..., 0]).sum(-1)[..., None, None]
    # Far below that of any camera, whose determinant is the square of its focal length in pixels.
    divisor = torch.where(determinant.abs() > 1e-12, determinant, 1e-12)
    inverse = adjugate / divisor
    return -(inverse @ projections[..., 3:]).squeeze(-1), inverse
