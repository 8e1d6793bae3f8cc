"""Write a reconstruction as a COLMAP model: cameras.bin, images.bin and points3D.bin."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from nerfloss.data.cameras.camera import MODELS, Camera
from nerfloss.data.capture.model_arrays import Reconstruction
from nerfloss.data.formats.colmap_entries import ModelImage, ModelPoints
from nerfloss.data.formats.colmap_model_writer import tracks_of, write_model_files


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
    images = _images(found, copies, [numbers[key] for key in keys])
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    write_model_files(
        unfinished,
        {number: camera for (_, camera), number in numbers.items()},
        images,
        _points(found, copies, images),
        binary=True,
    )
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(unfinished, folder)
    return cameras


def _images(
    found: Reconstruction, copies: dict[str, SearchCopy], cameras: list[int]
) -> list[ModelImage]:
    images = []
    owners = found.observations[:, 0].astype(int)
    for index, name in enumerate(found.names):
        copy = copies[name]
        x, y, z, w = Rotation.from_matrix(found.poses[index, :, :3]).as_quat().tolist()
        translation = tuple(found.poses[index, :, 3].tolist())
        seen = found.observations[owners == index]
        pixels = (seen[:, 2:] - np.array(copy.offset)) / copy.factor
        points = seen[:, 1].astype(np.int64) + 1
        images.append(
            ModelImage(
                index + 1, copy.name, cameras[index], (w, x, y, z), translation, pixels, points
            )
        )
    return images


def _points(
    found: Reconstruction, copies: dict[str, SearchCopy], images: list[ModelImage]
) -> ModelPoints:
    """Return the points; their errors are in pixels of the images."""
    factors = [copies[name].factor for name in found.names]
    count = len(found.positions)
    tracks = tracks_of(images, count)
    enlarged = [np.mean([factors[i - 1] for i in t[:, 0]]) if len(t) else 1.0 for t in tracks]
    return ModelPoints(
        list(range(1, count + 1)),
        list(map(tuple, found.positions.tolist())),
        list(map(tuple, found.colors.tolist())),
        (found.errors / np.array(enlarged).reshape(-1)).tolist(),
        tracks,
    )
