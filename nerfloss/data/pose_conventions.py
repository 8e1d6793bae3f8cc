"""Poses that fit the images only in another convention: flipped axes, or inverted matrices."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8

from nerfloss.data.cameras.camera import Camera
from nerfloss.data.common_view import common_view
from nerfloss.data.hull_ball import hull_ball
from nerfloss.data.posed_cameras import PosedCameras

# y and z of the camera point the other way: OpenCV's axes taken for OpenGL's, or the reverse.
FLIP = np.diag([1.0, -1.0, -1.0])
CONVENTIONS = {
    "y and z axes are flipped (OpenCV's taken for OpenGL's, or the reverse)": (False, True),
    "matrices are world-to-camera instead of camera-to-world": (True, False),
    "matrices are world-to-camera, with y and z axes flipped": (True, True),
}


def convention_by_masks(
    poses: Float[np.ndarray, "views 3 4"],
    cameras: Sequence[Camera],
    masks: Sequence[UInt8[np.ndarray, "_ _"] | None],
) -> str | None:
    """Return the convention in which the masks have a hull; None if there is none.

    Meant for poses with which the masks have no hull.
    """
    for name, other in _converted(poses).items():
        local, _ = PosedCameras(other, cameras).without_units()
        if hull_ball(local, masks).ball is not None:
            return name
    return None


def convention_by_axes(
    poses: Float[np.ndarray, "views 3 4"], cameras: Sequence[Camera]
) -> str | None:
    """Return the convention in which the cameras look around one place; None if there is none.

    Meant for cameras that do not. Cameras that look outward from one place on purpose (a room) are
    like cameras that look inward with flipped axes: this is a suspicion, no proof.
    """
    for name, other in _converted(poses).items():
        local, _ = PosedCameras(other, cameras).without_units()
        if common_view(local).kind == "inward":
            return name
    return None


def _converted(
    poses: Float[np.ndarray, "views 3 4"],
) -> dict[str, Float[np.ndarray, "views 3 4"]]:
    return {name: _convert(poses, *how) for name, how in CONVENTIONS.items()}


def _convert(
    poses: Float[np.ndarray, "views 3 4"], invert: bool, flip: bool
) -> Float[np.ndarray, "views 3 4"]:
    # Files in OpenGL's axes have been flipped by their reader; the inverse is that of the files'
    # matrix in either axes, since a flip on the right becomes one of the world on the left.
    rotation, center = poses[:, :, :3], poses[:, :, 3:]
    if invert:
        rotation = rotation.transpose(0, 2, 1)
        center = -rotation @ center
    return np.concatenate([rotation @ FLIP if flip else rotation, center], 2)
