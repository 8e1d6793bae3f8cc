"""One transforms file, as nerfstudio, instant-ngp and NeRF-synthetic write it: what it lists."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from nerfloss.data.errors import DataError
from nerfloss.data.formats.json_values import objects, read_json, some, text
from nerfloss.data.formats.parsed_scene import ParseSettings
from nerfloss.data.formats.remarks import Remarks
from nerfloss.data.formats.transforms_camera import camera_values
from nerfloss.data.formats.transforms_files import ImageFile, ImageFiles
from nerfloss.data.formats.transforms_pose import raw_pose


@dataclass(frozen=True)
class Transforms:
    """One transforms file: the keys of the whole file, and one object for each frame."""

    path: Path
    shared: Mapping[str, Any]
    entries: tuple[Mapping[str, Any], ...]

    @property
    def folder(self) -> Path:
        """The folder that the paths in the file are relative to."""
        return self.path.parent


@dataclass(frozen=True)
class Entry:
    """One frame with an image and a pose (as stored: OpenGL axes); ``where`` is its file_path."""

    where: str
    values: Mapping[str, Any]
    image: ImageFile
    pose: Float[np.ndarray, "4 4"]


def read_transforms(path: Path, content: str) -> Transforms:
    """Read a transforms file; ``content`` describes what ``dataset.path`` should be.

    Raises DataError if it is not JSON, or has no frames.
    """
    values = read_json(path, content)
    entries = objects(values, "frames", path)
    shared = {key: value for key, value in values.items() if key != "frames"}
    return Transforms(path, shared, tuple(entries))


def complete_entries(
    transforms: Transforms, files: ImageFiles, settings: ParseSettings, remarks: Remarks
) -> list[Entry]:
    """Return the entries that have an image and a pose, each image once, in the file's order.

    Raises DataError, with all names, for entries without image or pose, unless
    ``settings.missing`` is ``skip``: then they are counted.
    """
    path, total = transforms.path, len(transforms.entries)
    kept: list[Entry] = []
    without_image, without_pose = [], []
    for index, values in enumerate(transforms.entries):
        name = text(values, "file_path", path, f"frames[{index}]")
        if name is None:
            found = f"frames[{index}] has no file_path"
            raise DataError(path, found, "each frame names its image as file_path")
        image, pose = files.find(name), raw_pose(values, path, name)
        without_image += [name] if image is None else []
        without_pose += [name] if pose is None else []
        if image is not None and pose is not None:
            kept.append(Entry(name, values, image, pose))
    lines = []
    if without_image:
        names, near = some(without_image), files.beside(without_image[0])
        lines.append(f"{len(without_image)} of {total} images are missing: {names} ({near})")
    if without_pose:
        why = "(transform_matrix missing, or not finite)"
        lines.append(
            f"{len(without_pose)} of {total} frames have no pose {why}: {some(without_pose)}"
        )
    if lines and (settings.missing != "skip" or not kept):
        remedy = "restore them, or leave these views out: dataset.missing=skip"
        raise DataError(path, "; ".join(lines), remedy)
    for line in lines:
        remarks.add(f"{path.name}: {line}; these views are left out")
    return _without_repeated(kept, path, remarks)


def _without_repeated(entries: list[Entry], path: Path, remarks: Remarks) -> list[Entry]:
    """Return the entries without those that repeat one.

    Refuse one image, also by a link or another spelling of its path, with two poses or cameras.
    """
    first: dict[Path, Entry] = {}
    for entry in entries:
        other = first.setdefault(entry.image.path.resolve(), entry)
        if other is entry:
            continue
        same_pose = np.array_equal(other.pose, entry.pose)
        if not same_pose or camera_values({}, other.values) != camera_values({}, entry.values):
            two = "cameras" if same_pose else "poses"
            found = f"{other.where} and {entry.where} are one image with two {two}"
            raise DataError(path, found, "list each image once, with its own file_path")
        remarks.add(f"{path.name}: listed twice with the same pose, used once", entry.where)
    return list(first.values())
