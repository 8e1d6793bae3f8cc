"""Write a reconstruction as a COLMAP model: cameras.bin, images.bin and points3D.bin."""

import os
import shutil
import struct
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from nerfloss.data.cameras.camera import MODELS, Camera
from nerfloss.data.capture.model_arrays import Reconstruction
from nerfloss.files import atomic_write

# The numbers of the models in COLMAP's files. Reference: COLMAP, sensor/models.h.
NUMBERS = {
    "SIMPLE_PINHOLE": 0,
    "PINHOLE": 1,
    "SIMPLE_RADIAL": 2,
    "RADIAL": 3,
    "OPENCV": 4,
    "OPENCV_FISHEYE": 5,
    "FULL_OPENCV": 6,
    "SIMPLE_RADIAL_FISHEYE": 8,
    "RADIAL_FISHEYE": 9,
    "THIN_PRISM_FISHEYE": 10,
}


@dataclass(frozen=True)
class SearchCopy:
    """Where an image lies in the copy in which features were searched.

    ``name`` is the image's in the scene. A pixel x of the image is at factor x + offset.
    """

    name: str
    model: str
    width: int
    height: int
    factor: int
    offset: tuple[int, int]


def camera_of(copy: SearchCopy, params: list[float]) -> Camera:
    """Return the camera of the image itself, from the parameters that hold for its copy."""
    names = MODELS[copy.model].parameters
    lengths = {"f": 0, "fx": 0, "fy": 0, "cx": copy.offset[0], "cy": copy.offset[1]}
    values = [
        (value - lengths[name]) / copy.factor if name in lengths else value
        for name, value in zip(names, params, strict=True)
    ]
    return Camera(copy.model, copy.width, copy.height, tuple(map(float, values)))


def write_colmap_model(
    folder: Path, found: Reconstruction, copies: dict[str, SearchCopy]
) -> list[Camera]:
    """Write ``folder`` (it appears as a whole); return the camera of each image.

    Images of one camera whose sizes differ by a few pixels get a camera per size.
    """
    cameras = [
        camera_of(copies[name], found.params[int(index)])
        for name, index in zip(found.names, found.cameras, strict=True)
    ]
    keys = list(zip((int(c) for c in found.cameras), cameras, strict=True))
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys), 1)}
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    atomic_write(
        unfinished / "cameras.bin", _cameras({number: key[1] for key, number in numbers.items()})
    )
    tracks: dict[int, list[tuple[int, int]]] = defaultdict(list)
    images = _images(found, copies, [numbers[key] for key in keys], tracks)
    atomic_write(unfinished / "images.bin", images)
    atomic_write(unfinished / "points3D.bin", _points(found, copies, tracks))
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(unfinished, folder)
    return cameras


def _cameras(cameras: dict[int, Camera]) -> bytes:
    parts = [struct.pack("<Q", len(cameras))]
    for number, camera in cameras.items():
        head = (number, NUMBERS[camera.model], camera.width, camera.height)
        parts.append(struct.pack("<iiQQ", *head))
        parts.append(struct.pack(f"<{len(camera.params)}d", *camera.params))
    return b"".join(parts)


def _images(
    found: Reconstruction,
    copies: dict[str, SearchCopy],
    cameras: list[int],
    tracks: dict[int, list[tuple[int, int]]],
) -> bytes:
    """Return images.bin; ``tracks`` is filled with the images and observations of each point."""
    parts = [struct.pack("<Q", len(found.names))]
    owners = found.observations[:, 0].astype(int)
    for index, name in enumerate(found.names):
        copy = copies[name]
        x, y, z, w = Rotation.from_matrix(found.poses[index, :, :3]).as_quat()
        pose = (w, x, y, z, *found.poses[index, :, 3])
        parts.append(struct.pack("<i7di", index + 1, *pose, cameras[index]))
        parts.append(copy.name.encode() + b"\0")
        seen = found.observations[owners == index]
        parts.append(struct.pack("<Q", len(seen)))
        pixels = (seen[:, 2:] - np.array(copy.offset)) / copy.factor
        for row, (point, (column, line)) in enumerate(zip(seen[:, 1], pixels, strict=True)):
            parts.append(struct.pack("<ddq", column, line, int(point) + 1))
            tracks[int(point)].append((index + 1, row))
    return b"".join(parts)


def _points(
    found: Reconstruction, copies: dict[str, SearchCopy], tracks: dict[int, list[tuple[int, int]]]
) -> bytes:
    factors = [copies[name].factor for name in found.names]
    parts = [struct.pack("<Q", len(found.positions))]
    for index, position in enumerate(found.positions):
        track = tracks[index]
        factor = np.mean([factors[image - 1] for image, _ in track]) if track else 1.0
        parts.append(struct.pack("<Q3d", index + 1, *position))
        parts.append(bytes(found.colors[index].tolist()))
        parts.append(struct.pack("<dQ", found.errors[index] / factor, len(track)))
        parts.append(b"".join(struct.pack("<ii", *pair) for pair in track))
    return b"".join(parts)
