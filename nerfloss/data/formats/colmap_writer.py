"""Write a parsed scene as a COLMAP model in text, with its images and object masks."""

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from nerfloss.data.cameras.camera import Camera
from nerfloss.data.errors import DataError
from nerfloss.data.formats.colmap_images import frame_names
from nerfloss.data.formats.file_coordinates import in_file_coordinates
from nerfloss.data.formats.file_copies import copy_file
from nerfloss.data.formats.parsed_scene import Frame, ParsedPoints, ParsedScene
from nerfloss.files import atomic_write
from nerfloss.kernels.lens import EQUIRECTANGULAR, direction_to_pixel

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sighting:
    """A point that an image sees: the point's index, and the pixel."""

    point: int
    pixel: tuple[float, float]


def write_model(scene: ParsedScene, folder: Path, *, link: bool = False) -> dict[str, str]:
    """Write a scene in COLMAP's layout; return the new name of each frame, by its name.

    The model goes to sparse/0, the images to images/ and the object masks to masks/, named as
    COLMAP does (``name.jpg.png``). Files are copied, or hard-linked with ``link``. Poses are those
    of the user's original files. Views of two splits with the same name go to train/ and test/; the
    mapping has then the name of the test view.

    An observed point without a known pixel is written at its projection. A point without a colour
    is black and one without an error has -1, as in COLMAP, which has no normals, confidence, maps
    and test views. Raises DataError for a name that a text model cannot hold.

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
    sightings = _sightings(scene)
    cameras = (_camera_line(number, camera) for camera, number in numbers.items())
    files = {
        "cameras": ("CAMERA_ID MODEL WIDTH HEIGHT PARAMS[]", cameras),
        "images": (
            "IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME, then POINTS2D[] as X Y POINT3D_ID",
            _image_lines(scene.frames, images, numbers, sightings),
        ),
        "points3D": (
            "POINT3D_ID X Y Z R G B ERROR TRACK[] as IMAGE_ID POINT2D_IDX",
            _point_lines(scene.points, sightings),
        ),
    }
    model = folder / "sparse" / "0"
    model.mkdir(parents=True, exist_ok=True)
    for name, (header, lines) in files.items():
        content = "".join(f"{line}\n" for line in (f"# {header}", *lines))
        atomic_write(model / f"{name}.txt", content.encode())
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
    if spaces := [image for image in images if " " in image]:
        log.warning(
            "%d image names have spaces (%r): COLMAP itself ends a name in images.txt at the first",
            len(spaces),
            spaces[0],
        )
    return images


def _camera_line(number: int, camera: Camera) -> str:
    size = (camera.width, camera.height)
    params = size if camera.projection == EQUIRECTANGULAR else map(float, camera.params)
    return _line(number, camera.model, *size, *params)


def _image_lines(
    frames: Sequence[Frame],
    images: Sequence[str],
    numbers: dict[Camera, int],
    sightings: dict[int, list[Sighting]],
) -> Iterator[str]:
    """Yield two lines for each image: its pose, and the points that it sees."""
    for index, (frame, image) in enumerate(zip(frames, images, strict=True)):
        rotation = Rotation.from_matrix(frame.pose[:, :3]).inv()  # the nearest rotation
        x, y, z, w = rotation.as_quat().tolist()
        translation = (-rotation.apply(frame.pose[:, 3])).tolist()
        yield _line(index + 1, w, x, y, z, *translation, numbers[frame.camera], image)
        seen = sightings.get(index, [])
        yield " ".join(_line(*each.pixel, each.point + 1) for each in seen)


def _point_lines(
    points: ParsedPoints | None, sightings: dict[int, list[Sighting]]
) -> Iterator[str]:
    if points is None:
        return
    tracks = defaultdict(list)
    for index, seen in sightings.items():
        for key, each in enumerate(seen):
            tracks[each.point] += [index + 1, key]
    count = len(points.positions)
    error = np.full(count, -1.0) if points.error is None else points.error
    colors = np.zeros((count, 3)) if points.colors is None else points.colors
    colors = (colors.clip(0, 1) * 255).round().astype(int)
    rows = zip(points.positions.tolist(), colors.tolist(), error.tolist(), strict=True)
    for index, (position, color, value) in enumerate(rows):
        yield _line(index + 1, *map(float, position), *color, float(value), *tracks[index])


def _sightings(scene: ParsedScene) -> dict[int, list[Sighting]]:
    """Return what each frame sees, by the frame's index."""
    points = scene.points
    if points is None or points.observations is None:
        return {}
    found = {}
    for index, frame in enumerate(scene.frames):
        rows = np.flatnonzero(points.observations[:, 0] == index)
        seen = points.observations[rows, 1]
        given = points.pixels
        pixels = _project(frame, points.positions[seen]) if given is None else given[rows]
        pairs = zip(seen.tolist(), pixels.tolist(), strict=True)
        found[index] = [Sighting(point, (float(x), float(y))) for point, (x, y) in pairs]
    return found


def _project(frame: Frame, positions: np.ndarray) -> np.ndarray:
    local = torch.from_numpy((positions - frame.pose[:, 3]) @ frame.pose[:, :3])
    lens = torch.tensor(frame.camera.row, dtype=torch.float64).expand(len(local), -1)
    return direction_to_pixel(local, lens)[0].numpy()


def _line(*values: Any) -> str:
    """Return values in one line; numbers with all the digits that they have."""
    return " ".join(value if isinstance(value, str) else repr(value) for value in values)
