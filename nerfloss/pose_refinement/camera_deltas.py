"""Corrections of camera poses and focal lengths, as tensors.

A pose correction is a *twist*: a rotation vector ``w`` in radians and a translation ``v`` in scene
units. It multiplies the camera-to-world pose from the left, in the world frame: an orientation
``R`` becomes ``exp(w) R`` and a centre ``c`` becomes ``exp(w) c + v``. What is learned is the twist
about a pivot of each view (`about_pivots`), which is turned into one about the world's origin.
A focal correction ``s``
multiplies both focal lengths by ``exp(s)``.
"""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.geometry import Rays
from nerfloss.maths.rotations import rotation_exp

# The mean distance from the centre of what one sees of a ball of radius 3/4 is 1/2.
PIVOT_RADIUS = 0.5


def moved_rays(rays: Rays, twists: Float[Tensor, "rays 6"]) -> Rays:
    """Return rays after the correction of each ray's pose; exactly the same for twists of 0."""
    rotation = rotation_exp(twists[:, :3])
    origins = (rotation * rays.origins[:, None]).sum(-1) + twists[:, 3:]
    directions = (rotation * rays.directions[:, None]).sum(-1)
    return replace(rays, origins=origins, directions=directions)


def refocused_rays(
    rays: Rays, log_scales: Float[Tensor, "rays"], axes: Float[Tensor, "rays 3"]
) -> Rays:
    """Return rays after a change of their focal lengths by ``exp(log_scales)``.

    ``axes`` are the viewing directions of the rays' cameras, to which rays move as the focal length
    grows: the offset from the axis is divided by the factor. Lens distortion is scaled with it.
    """
    shrink = (-log_scales).exp()[:, None]
    along = (rays.directions * axes).sum(-1, keepdim=True)
    turned = shrink * rays.directions + (1 - shrink) * along * axes
    length = turned.square().sum(-1, keepdim=True).sqrt()
    return replace(rays, directions=turned / length)


def pivots(centers: Float[Tensor, "views 3"]) -> Float[Tensor, "views 3"]:
    """Return a point about which each view turns: half way to the unit sphere, below the camera.

    A rotation about the middle of the surface that a view sees hardly shifts its image, so that
    rotation and translation have gradients that are almost independent. About the origin the near
    side of an object moves as with a translation, and about the camera everything does. A camera
    nearer than 1/2 to the origin turns about itself.
    """
    distance = centers.square().sum(-1, keepdim=True).sqrt()
    return centers * (PIVOT_RADIUS / distance.clamp_min(PIVOT_RADIUS))


def position_basis(centers: Float[Tensor, "views 3"]) -> Float[Tensor, "views 3"]:
    """Return the functions of which a twist that varies linearly over the cameras is a sum.

    They are the coordinates of the camera centres about their mean, in units of their root mean
    square distance from it.
    """
    spread = centers - centers.mean(0)
    # Cameras in one place have no spread; the floor leaves theirs at 0.
    return spread / spread.square().sum(-1).mean().sqrt().clamp_min(1e-12)


def about_pivots(
    twists: Float[Tensor, "views 6"], pivots: Float[Tensor, "views 3"]
) -> Float[Tensor, "views 6"]:
    """Return the twists about the world's origin of twists about pivots."""
    rotation, shift = twists.split(3, dim=-1)
    turned = (rotation_exp(rotation) * pivots[:, None]).sum(-1)
    return torch.cat([rotation, shift + pivots - turned], -1)


def without_gauge(
    twists: Float[Tensor, "views 6"], centers: Float[Tensor, "views 3"]
) -> Float[Tensor, "views 6"]:
    """Return twists without their common part, which moves the world and is not observable.

    The mean twist over the views (rotation and translation of the world) is subtracted, and the
    part of the translations that scales the camera ``centers`` about their mean.
    """
    rotation, shift = (twists - twists.mean(0)).split(3, dim=-1)
    spread = centers - centers.mean(0)
    scale = (shift * spread).sum() / spread.square().sum().clamp_min(1e-12)
    return torch.cat([rotation, shift - scale * spread], -1)


def moved_poses(
    poses: Float[Tensor, "views 3 4"], twists: Float[Tensor, "views 6"]
) -> Float[Tensor, "views 3 4"]:
    """Return camera-to-world poses after their corrections."""
    moved = rotation_exp(twists[:, :3].to(poses)) @ poses
    center = moved[:, :, 3:] + twists[:, 3:, None].to(poses)
    return torch.cat([moved[:, :, :3], center], -1)
