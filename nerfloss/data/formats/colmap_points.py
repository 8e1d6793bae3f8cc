"""The sparse points of a COLMAP model, and which frame sees which of them."""

from collections.abc import Sequence

import numpy as np

from nerfloss.data.errors import DataError
from nerfloss.data.formats.colmap_files import Model
from nerfloss.data.formats.colmap_model import model_file, read_points
from nerfloss.data.formats.parsed_scene import ParsedPoints

REMEDY = "export the model again"


def model_points(model: Model, order: Sequence[int], notes: list[str]) -> ParsedPoints | None:
    """Return the points of a model, None if there are none; ``order`` are the frames' images.

    Raises DataError for a broken file, and for one that contradicts the model's images.
    """
    path = model_file(model.folder, "points3D")
    if path is None:
        notes.append(f"{model.folder}: no points3D file, no sparse points")
        return None
    points = read_points(path)
    if not points.numbers:
        notes.append(f"{path}: holds no points")
        return None
    frame_of = {number: frame for frame, number in enumerate(order)}
    observations, pixels = [], []
    for index, (point, track) in enumerate(zip(points.numbers, points.tracks, strict=True)):
        for number, key in track.tolist():
            if fault := _fault(model, point, number, key):
                raise DataError(path, fault, REMEDY)
            image = model.images[number]
            if number in frame_of and len(image.pixels):
                observations.append((frame_of[number], index))
                pixels.append(image.pixels[key])
    errors = np.array(points.errors)
    return ParsedPoints(
        np.array(points.positions),
        np.array(points.colors, dtype=np.float64) / 255.0,
        error=None if (errors < 0).all() else errors,  # COLMAP writes -1 where it has none
        observations=np.array(observations, dtype=np.int64) if observations else None,
        pixels=np.array(pixels, dtype=np.float64) if observations else None,
    )


def _fault(model: Model, point: int, number: int, key: int) -> str | None:
    """Return how an entry of a point's track contradicts the images, None if it does not."""
    if number not in model.images:
        return f"point {point} is seen by image {number}, which the model lacks"
    image = model.images[number]
    if not 0 <= key < max(len(image.pixels), 1):
        return f"point {point} is key point {key} of {image.name!r}, which has {len(image.pixels)}"
    if len(image.points) and image.points[key] not in (point, -1):
        other = image.points[key]
        return f"point {point} is key point {key} of {image.name!r}, which is that of point {other}"
    return None
