"""Pinhole cameras from projection matrices whose first pixel has its centre at 0."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from nerfloss.data.cameras.camera import Camera
from nerfloss.data.errors import DataError
from nerfloss.data.formats.pose_matrices import decompose_projection

FARTHEST = 1e12  # a value beyond it is damage, in any unit
# Skew that moves no pixel of the image by more than this is rounding.
SKEW_PIXELS = 0.1
SHIFT = 0.5  # The centre of the first pixel is 0 in these files.


def decomposed(
    projection: Float[np.ndarray, "3 4"], path: Path, name: str
) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "3 4"]]:
    """Return intrinsics and camera-to-world pose. Raises DataError for what is no camera."""
    with np.errstate(all="ignore"):
        intrinsics, pose = decompose_projection(projection)
    usable = all(
        np.isfinite(each).all() and np.abs(each).max() < FARTHEST for each in (intrinsics, pose)
    )
    if not usable or min(intrinsics[0, 0], intrinsics[1, 1]) <= 0:
        found = f"{name} is no projection K [R | t] of a camera"
        raise DataError(path, found, "drop this view or repair its pose")
    return intrinsics, pose


def pinhole_of(
    intrinsics: Float[np.ndarray, "3 3"], size: tuple[int, int], path: Path, name: str
) -> Camera:
    """Return the camera for an image of this width and height. Raises DataError for skew."""
    fx, fy, skew = intrinsics[0, 0], intrinsics[1, 1], intrinsics[0, 1]
    moved = abs(skew) * max(size[1], 2 * abs(intrinsics[1, 2])) / (2 * fy)
    if moved > SKEW_PIXELS:
        found = f"{name} has a skew of {skew:.4g}, which moves pixels by up to {moved:.2g}"
        raise DataError(path, found, "pixels must be rectangular: repair the matrix")
    center = intrinsics[:2, 2] + SHIFT
    try:
        return Camera.pinhole(*size, float(fx), float(fy), *map(float, center))
    except ValueError as error:
        raise DataError(path, f"{name}: {error}", "repair the matrix") from error
