"""Write a parsed scene in COLMAP's layout: a sparse model, its images and object masks."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from nerfloss.data.cameras.camera import Camera
from nerfloss.data.errors import DataError
from nerfloss.data.formats.colmap_entries import ModelImage, ModelPoints
from nerfloss.data.formats.colmap_images import frame_names
from nerfloss.data.formats.colmap_model_writer import tracks_of, write_model_files
from nerfloss.data.formats.file_coordinates import in_file_coordinates
from nerfloss.data.formats.file_copies import copy_file
from nerfloss.data.formats.parsed_scene import Frame, ParsedPoints, ParsedScene
from nerfloss.kernels.lens import direction_to_pixel


def write_model(scene: ParsedScene, folder: Path, *, link: bool = False) -> dict[str, str]:
    """Write a scene in COLMAP's layout; return the new name of each frame, by its name.

    The model goes to sparse/0, the images to images/ and the object masks to masks/, named as
    COLMAP does (``name.jpg.png``). Files are copied, or hard-linked with ``link``. Poses are those
    of the user's original files. Views of two splits with the same name go to train/ and test/; the
    mapping has then the name of the test view.

    The model is in text, or in binary where a name has a space, at which COLMAP's readers of text
    end it. An observed point without a known pixel is written at its projection. A point without a
    colour is black and one without an error has -1, as in COLMAP, which has no normals, confidence,
    maps and test views. Raises DataError for names with control characters, and for equal ones.

    Reference: COLMAP, "Output Format".
    """
    scene = in_file_coordinates(scene)
    images = _image_names(scene)
    for frame, name in zip(scene.frames, images, strict=True):
        copy_file(frame.image, folder / "images" / name, link=link)
        if frame.object_mask is not None:
            mask = f"{name}{frame.object_mask.suffix}"
            copy_file(frame.object_mask, folder / "masks" / mask, link=link)
    numbers: dict[Camera, int] = {}
    for frame in scene.frames:
        numbers.setdefault(frame.camera, len(numbers) + 1)
    entries = [
        _model_image(scene, index, image, numbers[scene.frames[index].camera])
        for index, image in enumerate(images)
    ]
    write_model_files(
        folder / "sparse" / "0",
        {number: camera for camera, number in numbers.items()},
        entries,
        _model_points(scene.points, entries),
        binary=any(" " in image for image in images),
    )
    labels = frame_names(images)
    held = set(scene.test or ())
    order = sorted(range(len(images)), key=lambda index: index in held)
    return {scene.frames[index].name: labels[images[index]] for index in order}


def _image_names(scene: ParsedScene) -> list[str]:
    """Return the unique names of the image files, relative to images/."""
    names = [frame.name for frame in scene.frames]
    if len(set(names)) < len(names):
        held = set(scene.test or ())
        names = [f"{'test' if i in held else 'train'}/{name}" for i, name in enumerate(names)]
    endings = [frame.image.suffix for frame in scene.frames]
    pairs = list(zip(names, endings, strict=True))
    images = [name if end and name.endswith(end) else f"{name}{end}" for name, end in pairs]
    if len(set(images)) < len(images):
        images = [f"{name}{end}" for name, end in pairs]
    for image in images:
        if not image.isprintable() or len(set(images)) < len(images):
            found = f"the image name {image!r} has control characters, or is that of two images"
            raise DataError(scene.folder, found, "rename the images")
    return images


def _model_image(scene: ParsedScene, index: int, name: str, camera: int) -> ModelImage:
    """Return the entry of a frame, with the points that it sees."""
    frame, points = scene.frames[index], scene.points
    rotation = Rotation.from_matrix(frame.pose[:, :3]).inv()  # the nearest rotation
    x, y, z, w = rotation.as_quat().tolist()
    translation = (-rotation.apply(frame.pose[:, 3])).tolist()
    seen, pixels = np.zeros(0, dtype=np.int64), np.zeros((0, 2))
    if points is not None and points.observations is not None:
        rows = np.flatnonzero(points.observations[:, 0] == index)
        seen, given = points.observations[rows, 1], points.pixels
        pixels = _project(frame, points.positions[seen]) if given is None else given[rows]
    return ModelImage(index + 1, name, camera, (w, x, y, z), tuple(translation), pixels, seen + 1)


def _model_points(points: ParsedPoints | None, images: Sequence[ModelImage]) -> ModelPoints:
    """Return the points with the tracks that the key points of the images make."""
    if points is None:
        return ModelPoints()
    count = len(points.positions)
    error = np.full(count, -1.0) if points.error is None else points.error
    colors = np.zeros((count, 3)) if points.colors is None else points.colors
    colors = (colors.clip(0, 1) * 255).round().astype(int)
    return ModelPoints(
        list(range(1, count + 1)),
        list(map(tuple, points.positions.tolist())),
        list(map(tuple, colors.tolist())),
        error.tolist(),
        tracks_of(images, count),
    )


def _project(frame: Frame, positions: np.ndarray) -> np.ndarray:
    local = torch.from_numpy((positions - frame.pose[:, 3]) @ frame.pose[:, :3])
    lens = torch.tensor(frame.camera.row, dtype=torch.float64).expand(len(local), -1)
    return direction_to_pixel(local, lens)[0].numpy()
