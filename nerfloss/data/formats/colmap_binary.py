"""COLMAP's sparse models in binary.

Reference: COLMAP, "Output Format".
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nerfloss.data.cameras.camera import MODELS, Camera
from nerfloss.data.formats.colmap_entries import NUMBERED, ModelImage, checked_camera
from nerfloss.data.formats.colmap_stream import Stream

PARAMETERS = {name: len(model.parameters) for name, model in MODELS.items()}
PARAMETERS["EQUIRECTANGULAR"] = 2  # width and height
# The least number of bytes of an entry.
CAMERA, IMAGE, POINT = 24, 73, 51


def binary_cameras(path: Path) -> Iterator[tuple[int, Camera]]:
    """Yield the cameras of a file, with their numbers."""
    stream = Stream(path)
    for _ in range(stream.count(CAMERA)):
        number, model, width, height = stream.take("iiQQ")
        name = NUMBERED[model] if 0 <= model < len(NUMBERED) else f"number {model}"
        params = stream.take(f"{PARAMETERS.get(name, 0)}d")
        yield checked_camera(path, number, name, (width, height), params)
    stream.end()


def binary_images(path: Path) -> Iterator[ModelImage]:
    """Yield the images of a file."""
    stream = Stream(path)
    for _ in range(stream.count(IMAGE)):
        number, *values, camera = stream.take("I7di")
        name = stream.text()
        keys = stream.array(np.dtype([("pixel", "<f8", 2), ("point", "<i8")]))
        pose = tuple(values[:4]), tuple(values[4:])
        yield ModelImage(number, name, camera, *pose, keys["pixel"], keys["point"])
    stream.end()


def binary_points(path: Path) -> Iterator[tuple[Any, ...]]:
    """Yield number, position, colour, error and track of the points of a file."""
    stream = Stream(path)
    for _ in range(stream.count(POINT)):
        number, *values, error = stream.take("Q3d3Bd")
        track = stream.array(np.dtype([("image", "<u4"), ("key", "<u4")]))
        pairs = np.stack([track["image"], track["key"]], -1).astype(np.int64)
        yield number, tuple(values[:3]), tuple(values[3:]), error, pairs
    stream.end()
