"""The cameras, images and points of COLMAP's sparse models, checked.

Reference: COLMAP, "Output Format".
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from nerfloss.data.cameras.camera import MODELS, Camera
from nerfloss.data.errors import DataError
from nerfloss.data.formats.colmap_stream import REPLACE
from nerfloss.kernels.lens import EQUIRECTANGULAR

# A camera model's place is its number in binary files; those that `MODELS` lacks are refused.
# Reference: COLMAP, sensor/models.h.
NUMBERED = (
    "SIMPLE_PINHOLE",
    "PINHOLE",
    "SIMPLE_RADIAL",
    "RADIAL",
    "OPENCV",
    "OPENCV_FISHEYE",
    "FULL_OPENCV",
    "FOV",
    "SIMPLE_RADIAL_FISHEYE",
    "RADIAL_FISHEYE",
    "THIN_PRISM_FISHEYE",
    "RAD_TAN_THIN_PRISM_FISHEYE",
    "SIMPLE_DIVISION",
    "DIVISION",
    "SIMPLE_FISHEYE",
    "FISHEYE",
    "EUCM",
    "EQUIRECTANGULAR",
)
UNDISTORT = "undistort the images (colmap image_undistorter), or calibrate with OPENCV"
FARTHEST = 1e15  # a translation beyond has lost all digits of any scene
LARGEST = 1e30  # of coordinates and pixels: their squares are still numbers
LARGEST_IMAGE = 1_000_000  # pixels along one axis


@dataclass(frozen=True)
class ModelImage:
    """A registered image: world-to-camera quaternion (w, x, y, z), translation and key points."""

    number: int
    name: str
    camera: int
    rotation: tuple[float, ...]
    translation: tuple[float, ...]
    pixels: Float[np.ndarray, "keypoints 2"]
    points: Int[np.ndarray, "keypoints"]

    def pose(self, path: Path) -> Float[np.ndarray, "3 4"]:
        """Return the camera-to-world matrix. Raises DataError for values that are no pose."""
        length = math.hypot(*self.rotation)  # infinite, without a warning, for huge values
        values = np.array([*self.rotation, *self.translation])
        if not 0.9 < length < 1.1 or not np.abs(values[4:]).max() < FARTHEST:
            found = f"the pose of {self.name!r} is not a unit quaternion and a translation"
            raise DataError(path, f"{found}: {values.tolist()}", REPLACE)
        w, x, y, z = values[:4] / length
        turn = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
            ]
        ).T
        return np.column_stack([turn, -turn @ values[4:]])


@dataclass(frozen=True)
class ModelPoints:
    """Points by number; ``tracks`` are pairs (number of the image, index of its key point)."""

    numbers: list[int] = field(default_factory=list)
    positions: list[tuple[float, ...]] = field(default_factory=list)
    colors: list[tuple[int, ...]] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    tracks: list[Int[np.ndarray, "_ 2"]] = field(default_factory=list)


def checked_camera(
    path: Path, number: int, model: str, size: tuple[int, int], params: Sequence[float]
) -> tuple[int, Camera]:
    """Return a camera with its number. Raises DataError for an unknown model and its values."""
    if model not in MODELS:
        found = f"camera {number} has the model {model}; known are {', '.join(MODELS)}"
        raise DataError(path, found, UNDISTORT)
    if max(size) > LARGEST_IMAGE:
        raise DataError(path, f"camera {number} has {size[0]} x {size[1]} pixels", REPLACE)
    params = tuple(params)
    if MODELS[model].projection == EQUIRECTANGULAR:
        if params != size:  # COLMAP's parameters are the size of the whole sphere
            found = f"camera {number}: {model} of {size[0]} x {size[1]} pixels has the parameters"
            raise DataError(path, f"{found} {params}, not its width and height", UNDISTORT)
        params = ()
    try:
        return number, Camera(model, *size, params)
    except ValueError as error:
        raise DataError(path, f"camera {number}: {error}", REPLACE) from error


def check_image(path: Path, image: ModelImage) -> None:
    """Raise DataError for a pose or key points that are none, and for an image without a name."""
    image.pose(path)
    if not image.name.strip():
        raise DataError(path, f"image {image.number} has no name", REPLACE)
    wrong = np.flatnonzero(~(np.abs(image.pixels) < LARGEST).all(-1))
    if len(wrong):
        pixel = image.pixels[wrong[0]].tolist()
        raise DataError(path, f"key point {wrong[0]} of {image.name!r} is at {pixel}", REPLACE)


def check_points(path: Path, points: ModelPoints) -> None:
    """Raise DataError for points that lie nowhere, colours and errors that are none, and twins."""
    if len(set(points.numbers)) < len(points.numbers):
        twin, count = Counter(points.numbers).most_common(1)[0]
        raise DataError(path, f"{count} points have the number {twin}", REPLACE)
    rows = zip(points.numbers, points.positions, points.colors, points.errors, strict=True)
    for number, position, color, error in rows:
        if not all(abs(value) < LARGEST for value in position):
            raise DataError(path, f"point {number} lies at {position}", REPLACE)
        if any(not 0 <= value <= 255 for value in color):
            raise DataError(path, f"point {number} has the colour {color}, not 0 to 255", REPLACE)
        if not abs(error) < LARGEST:
            raise DataError(path, f"point {number} has the error {error}", REPLACE)
