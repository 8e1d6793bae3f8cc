"""The files of COLMAP's sparse models: cameras, images and points, in text and in binary.

Reference: COLMAP, "Output Format".
"""

from collections import Counter
from pathlib import Path
from typing import Any

from nerfloss.data.cameras.camera import Camera
from nerfloss.data.errors import DataError
from nerfloss.data.formats.colmap_binary import binary_cameras, binary_images, binary_points
from nerfloss.data.formats.colmap_entries import (
    ModelImage,
    ModelPoints,
    check_image,
    check_points,
)
from nerfloss.data.formats.colmap_stream import REPLACE
from nerfloss.data.formats.colmap_text import text_cameras, text_images, text_points


def model_file(folder: Path, name: str) -> Path | None:
    """Return ``name``.bin or ``name``.txt, binary first as in COLMAP; None if there is neither."""
    files = (folder / f"{name}{ending}" for ending in (".bin", ".txt"))
    return next((path for path in files if path.is_file()), None)


def read_cameras(path: Path) -> dict[int, Camera]:
    """Return the cameras by number. Raises DataError for a broken file or an unknown model."""
    read = text_cameras if path.suffix == ".txt" else binary_cameras
    return _unique(path, "camera", list(read(path)))


def read_images(path: Path) -> dict[int, ModelImage]:
    """Return the registered images by number. Raises DataError for a broken file."""
    read = text_images if path.suffix == ".txt" else binary_images
    images = _unique(path, "image", [(image.number, image) for image in read(path)])
    names = set()
    for image in images.values():
        check_image(path, image)
        if image.name in names:
            raise DataError(path, f"two images have the name {image.name!r}", REPLACE)
        names.add(image.name)
    return images


def read_points(path: Path) -> ModelPoints:
    """Return the points of a model. Raises DataError for a broken file."""
    read = text_points if path.suffix == ".txt" else binary_points
    points = ModelPoints(*map(list, zip(*read(path), strict=True)))
    check_points(path, points)
    return points


def _unique(path: Path, what: str, found: list[tuple[int, Any]]) -> dict[int, Any]:
    entries = dict(found)
    if len(entries) < len(found):
        twin, count = Counter(number for number, _ in found).most_common(1)[0]
        raise DataError(path, f"{count} entries have the {what} number {twin}", REPLACE)
    return entries
