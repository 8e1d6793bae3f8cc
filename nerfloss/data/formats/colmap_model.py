"""COLMAP's sparse models: cameras, images and points, in text and in binary.

Reference: COLMAP, "Output Format".
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from nerfloss.data.cameras.camera import MODELS, Camera
from nerfloss.data.errors import DataError
from nerfloss.data.formats.colmap_stream import NUMBERED, REPLACE, Stream, file_bytes
from nerfloss.kernels.lens import EQUIRECTANGULAR

# A translation beyond this has lost all digits of any scene.
FARTHEST = 1e15
UNDISTORT = "undistort the images (colmap image_undistorter), or calibrate with OPENCV"


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
        values = np.array([*self.rotation, *self.translation])
        length = math.hypot(*values[:4].tolist())
        if not (0.9 < length < 1.1 and np.abs(values[4:]).max() < FARTHEST):
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
    tracks: list[Int[np.ndarray, "length 2"]] = field(default_factory=list)


def model_file(folder: Path, name: str) -> Path | None:
    """Return ``name``.bin or ``name``.txt, binary first as in COLMAP; None if there is neither."""
    files = (folder / f"{name}{ending}" for ending in (".bin", ".txt"))
    return next((path for path in files if path.is_file()), None)


def read_cameras(path: Path) -> dict[int, Camera]:
    """Return the cameras by number. Raises DataError for a broken file or an unknown model."""
    if path.suffix == ".txt":
        rows = ((n, line.split()) for n, line in _lines(path) if line)
        found = [_text_camera(path, number, row) for number, row in rows]
    else:
        stream = Stream(path)
        found = [_binary_camera(stream) for _ in range(stream.count(32))]
    return _unique(path, "camera", found)


def read_images(path: Path) -> dict[int, ModelImage]:
    """Return the registered images by number. Raises DataError for a broken file."""
    if path.suffix == ".txt":
        found = list(_text_images(path))
    else:
        stream = Stream(path)
        found = [_binary_image(stream) for _ in range(stream.count(73))]
    return _unique(path, "image", [(image.number, image) for image in found])


def read_points(path: Path) -> ModelPoints:
    """Return the points of a model. Raises DataError for a broken file."""
    points = ModelPoints()
    rows = _text_points(path) if path.suffix == ".txt" else _binary_points(Stream(path))
    for number, position, color, error, track in rows:
        if not np.isfinite(position).all() or not np.abs(position).max() < 1e30:
            raise DataError(path, f"point {number} lies at {position}", REPLACE)
        if any(not 0 <= value <= 255 for value in color):
            raise DataError(path, f"point {number} has the colour {color}, not 0 to 255", REPLACE)
        points.numbers.append(number)
        points.positions.append(position)
        points.colors.append(color)
        points.errors.append(error)
        points.tracks.append(track)
    return points


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield number and content of the lines that are no comments; blank ones as well."""
    try:
        text = file_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(path, "is not text in UTF-8", REPLACE) from error
    for number, line in enumerate(text.split("\n"), 1):
        if not line.lstrip().startswith("#"):
            yield number, line.strip()


def _unique(path: Path, what: str, found: list[tuple[int, Any]]) -> dict[int, Any]:
    entries = dict(found)
    if len(entries) < len(found):
        raise DataError(path, f"two entries have the number of one {what}", REPLACE)
    return entries


def _camera(path: Path, number: int, model: str, size: Any, params: Any) -> tuple[int, Camera]:
    if model not in MODELS:
        found = f"camera {number} has the model {model}; known are {', '.join(MODELS)}"
        raise DataError(path, found, UNDISTORT)
    if max(size) > 1_000_000:
        raise DataError(path, f"camera {number} has {size[0]} x {size[1]} pixels", REPLACE)
    params = tuple(params)
    if MODELS[model].projection == EQUIRECTANGULAR:
        if params != tuple(size):  # COLMAP's parameters are the size of the whole sphere
            found = f"camera {number}: {model} of {size[0]} x {size[1]} pixels has the parameters"
            raise DataError(path, f"{found} {params}, not its width and height", UNDISTORT)
        params = ()
    try:
        return number, Camera(model, size[0], size[1], params)
    except ValueError as error:
        raise DataError(path, f"camera {number}: {error}", REPLACE) from error


def _text_camera(path: Path, line: int, row: list[str]) -> tuple[int, Camera]:
    try:
        number, model, size = int(row[0]), row[1], (int(row[2]), int(row[3]))
        params = [float(value) for value in row[4:]]
    except (ValueError, IndexError) as error:
        raise _bad_line(path, line, "CAMERA_ID MODEL WIDTH HEIGHT PARAMS") from error
    return _camera(path, number, model, size, params)


def _binary_camera(stream: Stream) -> tuple[int, Camera]:
    number, model, width, height = stream.take("iiQQ")
    name = NUMBERED[model] if 0 <= model < len(NUMBERED) else f"number {model}"
    count = len(MODELS[name].parameters) if name in MODELS else 0
    count = 2 if name == "EQUIRECTANGULAR" else count
    return _camera(stream.path, number, name, (width, height), stream.take(f"{count}d"))


def _text_images(path: Path) -> Iterator[ModelImage]:
    lines = _lines(path)
    for number, line in lines:
        if not line:
            continue
        row = line.split(maxsplit=9)
        try:
            values = tuple(float(value) for value in row[1:8])
            image, camera, name = int(row[0]), int(row[8]), row[9]
        except (ValueError, IndexError) as error:
            raise _bad_line(path, number, "IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME") from error
        number, line = next(lines, (number + 1, ""))
        try:
            keys = np.array(line.split(), dtype=np.float64).reshape(-1, 3)
            points = np.array(line.split()[2::3], dtype=np.int64)
        except (ValueError, OverflowError) as error:
            wanted = "the points X Y POINT3D_ID of the image above (a blank line for none)"
            raise _bad_line(path, number, wanted) from error
        yield ModelImage(image, name, camera, values[:4], values[4:], keys[:, :2], points)


def _binary_image(stream: Stream) -> ModelImage:
    number, *values, camera = stream.take("I7di")
    name = stream.text()
    keys = stream.array(np.dtype([("pixel", "<f8", 2), ("point", "<i8")]))
    pose = tuple(values[:4]), tuple(values[4:])
    return ModelImage(number, name, camera, *pose, keys["pixel"], keys["point"])


def _text_points(path: Path) -> Iterator[tuple[Any, ...]]:
    for number, line in _lines(path):
        if not line:
            continue
        row = line.split()
        try:
            position = tuple(float(value) for value in row[1:4])
            color, error = tuple(int(value) for value in row[4:7]), float(row[7])
            track = np.array(row[8:], dtype=np.int64).reshape(-1, 2)
            yield int(row[0]), position, color, error, track
        except (ValueError, IndexError, OverflowError) as fault:
            raise _bad_line(path, number, "POINT3D_ID X Y Z R G B ERROR TRACK") from fault


def _binary_points(stream: Stream) -> Iterator[tuple[Any, ...]]:
    for _ in range(stream.count(51)):
        number, *values, error = stream.take("Q3d3Bd")
        track = stream.array(np.dtype([("image", "<u4"), ("key", "<u4")]))
        pairs = np.stack([track["image"], track["key"]], -1).astype(np.int64)
        yield number, tuple(values[:3]), tuple(values[3:]), error, pairs


def _bad_line(path: Path, line: int, wanted: str) -> DataError:
    return DataError(path, f"line {line} is not {wanted}", REPLACE)
