"""COLMAP's sparse models in text.

Reference: COLMAP, "Output Format".
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nerfloss.data.cameras.camera import Camera
from nerfloss.data.errors import DataError
from nerfloss.data.formats.colmap_entries import ModelImage, checked_camera
from nerfloss.data.formats.colmap_stream import REPLACE, file_bytes


def text_cameras(path: Path) -> Iterator[tuple[int, Camera]]:
    """Yield the cameras of a file, with their numbers."""
    for number, line in _lines(path):
        if line:
            yield _camera(path, number, line.split())


def text_images(path: Path) -> Iterator[ModelImage]:
    """Yield the images of a file: two lines for each."""
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


def text_points(path: Path) -> Iterator[tuple[Any, ...]]:
    """Yield number, position, colour, error and track of the points of a file."""
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


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield number and content of the lines that are no comments; blank ones as well."""
    try:
        text = file_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(path, "is not text in UTF-8", REPLACE) from error
    for number, line in enumerate(text.split("\n"), 1):
        if not line.lstrip().startswith("#"):
            yield number, line.strip()


def _camera(path: Path, line: int, row: list[str]) -> tuple[int, Camera]:
    try:
        number, model, size = int(row[0]), row[1], (int(row[2]), int(row[3]))
        params = [float(value) for value in row[4:]]
    except (ValueError, IndexError) as error:
        raise _bad_line(path, line, "CAMERA_ID MODEL WIDTH HEIGHT PARAMS") from error
    return checked_camera(path, number, model, size, params)


def _bad_line(path: Path, line: int, wanted: str) -> DataError:
    return DataError(path, f"line {line} is not {wanted}", REPLACE)
