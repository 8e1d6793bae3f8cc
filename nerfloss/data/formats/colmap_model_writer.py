"""Write the files of COLMAP's sparse models: cameras, images and points3D, in text or in binary.

Reference: COLMAP, "Output Format".
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from nerfloss.data.cameras.camera import Camera
from nerfloss.data.formats.colmap_entries import NUMBERED, ModelImage, ModelPoints
from nerfloss.files import atomic_write
from nerfloss.kernels.lens import EQUIRECTANGULAR

HEADERS = {
    "cameras": "CAMERA_ID MODEL WIDTH HEIGHT PARAMS[]",
    "images": "IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME, then POINTS2D[] as X Y POINT3D_ID",
    "points3D": "POINT3D_ID X Y Z R G B ERROR TRACK[] as IMAGE_ID POINT2D_IDX",
}


def write_model_files(
    folder: Path,
    cameras: Mapping[int, Camera],
    images: Sequence[ModelImage],
    points: ModelPoints,
    *,
    binary: bool,
) -> None:
    """Write a model into a folder, which is made; ``cameras`` are by number.

    Numbers in text have all the digits that they have. COLMAP's readers of text files end the name
    of an image at its first space; those of binary files do not.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if binary:
        counts = {"cameras": len(cameras), "images": len(images), "points3D": len(points.numbers)}
        parts = (_camera_bytes(cameras), _image_bytes(images), _point_bytes(points))
        for (name, count), entries in zip(counts.items(), parts, strict=True):
            atomic_write(folder / f"{name}.bin", struct.pack("<Q", count) + b"".join(entries))
        return
    lines = (_camera_lines(cameras), _image_lines(images), _point_lines(points))
    for (name, header), entries in zip(HEADERS.items(), lines, strict=True):
        content = "".join(f"{line}\n" for line in (f"# {header}", *entries))
        atomic_write(folder / f"{name}.txt", content.encode())


def tracks_of(images: Iterable[ModelImage], count: int) -> list[Int[np.ndarray, "_ 2"]]:
    """Return pairs (number of the image, index of its key point) of points numbered from 1."""
    tracks: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    for image in images:
        for key, point in enumerate(image.points.tolist()):
            tracks[point - 1].append((image.number, key))
    return [np.array(track, dtype=np.int64).reshape(-1, 2) for track in tracks]


def params_of(camera: Camera) -> tuple[float | int, ...]:
    """Return COLMAP's parameters of a camera; those of a whole sphere are its width and height."""
    if camera.projection == EQUIRECTANGULAR:
        return camera.width, camera.height
    return tuple(map(float, camera.params))


def _camera_lines(cameras: Mapping[int, Camera]) -> Iterator[str]:
    for number, camera in cameras.items():
        yield _line(number, camera.model, camera.width, camera.height, *params_of(camera))


def _image_lines(images: Iterable[ModelImage]) -> Iterator[str]:
    """Yield two lines for each image: its pose, and the points that it sees."""
    for image in images:
        pose = map(float, (*image.rotation, *image.translation))
        yield _line(image.number, *pose, image.camera, image.name)
        keys = zip(image.pixels.tolist(), image.points.tolist(), strict=True)
        yield " ".join(_line(*pixel, point) for pixel, point in keys)


def _point_lines(points: ModelPoints) -> Iterator[str]:
    for number, position, color, error, track in _rows(points):
        yield _line(number, *map(float, position), *color, float(error), *track.ravel().tolist())


def _camera_bytes(cameras: Mapping[int, Camera]) -> Iterator[bytes]:
    for number, camera in cameras.items():
        model = NUMBERED.index(camera.model)
        yield struct.pack("<iiQQ", number, model, camera.width, camera.height)
        params = params_of(camera)
        yield struct.pack(f"<{len(params)}d", *params)


def _image_bytes(images: Iterable[ModelImage]) -> Iterator[bytes]:
    for image in images:
        yield struct.pack("<I7di", image.number, *image.rotation, *image.translation, image.camera)
        yield image.name.encode() + b"\0" + struct.pack("<Q", len(image.points))
        keys = zip(image.pixels.tolist(), image.points.tolist(), strict=True)
        yield b"".join(struct.pack("<ddq", *pixel, point) for pixel, point in keys)


def _point_bytes(points: ModelPoints) -> Iterator[bytes]:
    for number, position, color, error, track in _rows(points):
        yield struct.pack("<Q3d3Bd", number, *position, *color, error)
        yield struct.pack("<Q", len(track)) + track.astype("<u4").tobytes()


def _rows(points: ModelPoints) -> Iterator[tuple[Any, ...]]:
    columns = (points.positions, points.colors, points.errors, points.tracks)
    yield from zip(points.numbers, *columns, strict=True)


def _line(*values: Any) -> str:
    return " ".join(value if isinstance(value, str) else repr(value) for value in values)
