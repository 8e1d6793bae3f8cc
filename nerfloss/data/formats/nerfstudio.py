"""Scenes with one transforms.json: nerfstudio, instant-ngp and the converters that write for them.

Reference: nerfstudio, docs "Data conventions"; instant-ngp, docs "NeRF dataset conversion tips".
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from nerfloss.data.errors import DataError
from nerfloss.data.formats.image_paths import is_file
from nerfloss.data.formats.json_values import some, text, texts
from nerfloss.data.formats.parsed_scene import Frame, ParsedScene, ParseSettings
from nerfloss.data.formats.remarks import Remarks
from nerfloss.data.formats.transforms import Transforms, read_transforms
from nerfloss.data.formats.transforms_files import ImageFiles
from nerfloss.data.formats.transforms_frames import read_frames, relative_names
from nerfloss.data.formats.transforms_points import read_sparse_points
from nerfloss.data.formats.transforms_pose import FARTHEST, matrix_of, nearest_rotation
from nerfloss.data.formats.transforms_scene import (
    depth_convention,
    describe_keys,
    normal_convention,
    number_or,
    up_direction,
)

CONTENT = "a nerfstudio scene (a folder with transforms.json, or that file)"
SPLITS = ("train", "val", "test")


def detect(folder: Path) -> bool:
    """Return True for a folder with a transforms.json, and for any JSON file."""
    return is_file(folder / "transforms.json") or (
        folder.suffix.lower() == ".json" and is_file(folder)
    )


def parse(folder: Path, settings: ParseSettings) -> ParsedScene:
    """Read a scene; ``folder`` holds transforms.json, or is such a file under any name.

    Frames are sorted by their names, as in nerfstudio. Names are relative to the folder that holds
    all images. Raises DataError for missing or contradictory files.
    """
    path = folder if is_file(folder) else folder / "transforms.json"
    transforms = read_transforms(path, CONTENT)
    remarks = Remarks(len(transforms.entries))
    files = ImageFiles(transforms.folder, settings)
    frames = read_frames(transforms, files, settings, remarks)
    frames.sort(key=lambda frame: frame.name)
    frames, held = _split(transforms, frames, files, remarks)
    files.describe(remarks)
    describe_keys(transforms, remarks)
    from_files = _applied(transforms)
    scale = float(np.cbrt(np.linalg.det(from_files[:3, :3])))
    moved = not np.allclose(from_files, np.eye(4), atol=1e-9)
    if moved:
        remarks.add("applied_transform or applied_scale: results are in the original coordinates")
    frames = relative_names(frames)
    radius = settings.scene_radius
    return ParsedScene(
        transforms.folder,
        "nerfstudio",
        tuple(frames),
        test=held,
        points=read_sparse_points(
            transforms, frames, from_files, remarks, outside=settings.outside
        ),
        region=None if radius is None else np.diag([radius, radius, radius, 1.0]),
        up=up_direction(transforms),
        to_files=np.linalg.inv(from_files) if moved else None,
        depth=depth_convention(transforms, remarks, scale),
        normal=normal_convention(transforms, remarks),
        hold_out="" if held is None else f"the lists of file names in {path.name}",
        notes=remarks.lines,
    )


def _applied(transforms: Transforms) -> Float[np.ndarray, "4 4"]:
    """Return the similarity from the original coordinates to those of the poses."""
    path = transforms.path
    matrix, value = np.eye(4), transforms.shared.get("applied_transform")
    if value is not None:
        matrix = matrix_of(value, path, "applied_transform")
        if not np.isfinite(matrix).all() or np.abs(matrix).max() > FARTHEST:
            raise DataError(path, "applied_transform is not finite", "repair or remove the entry")
        rotation, scale = nearest_rotation(matrix[:3, :3], path, "applied_transform")
        matrix[:3, :3] = rotation * scale
    factor = number_or(transforms, "applied_scale", 1.0)
    if not 1e-9 < factor < 1e9:
        raise DataError(path, f"applied_scale={factor:g}", "give a scale above 0")
    matrix[:3] *= factor
    return matrix


def _split(
    transforms: Transforms, frames: list[Frame], files: ImageFiles, remarks: Remarks
) -> tuple[list[Frame], tuple[int, ...] | None]:
    """Return the frames in use, and the indices of those that the file holds out."""
    stated = {
        split: names
        for split in SPLITS
        if (names := texts(transforms.shared, f"{split}_filenames", transforms.path)) is not None
    }
    if not any(stated.values()):
        return frames, None
    known = {frame.image for frame in frames}
    images = {s: _images(transforms, s, names, known, files) for s, names in stated.items()}
    name = next((split for split in ("test", "val") if images.get(split)), None)
    test = images[name] if name is not None else known - images["train"]
    train = images.get("train", known - test - images.get("val", set()))
    if "train" in images and train & test:
        found = f"{len(train & test)} views are in train_filenames and among the test views"
        remarks.add(f"{found}: used for testing only")
    if name is None and test:
        remarks.add(f"{len(test)} views are not in train_filenames: they are the test views")
    kept = [frame for frame in frames if frame.image in train | test]
    if len(kept) < len(frames):
        left = [frame.name for frame in frames if frame.image not in train | test]
        remarks.add(f"{len(left)} views are in no list in use, left out: {some(left)}")
    if not train - test:
        found = "its lists of file names leave no view to train on"
        raise DataError(transforms.path, found, "repair or remove train_filenames")
    held = tuple(index for index, frame in enumerate(kept) if frame.image in test)
    return kept, held or None


def _images(
    transforms: Transforms, split: str, names: Sequence[str], known: set[Path], files: ImageFiles
) -> set[Path]:
    """Return the images that a list names; those that no frame has are refused."""
    listed = {text(entry, "file_path", transforms.path, "frames") for entry in transforms.entries}
    images, unknown = set(), []
    for name in names:
        file = files.find(name)
        if file is not None and file.path in known:
            images.add(file.path)
        elif name not in listed:
            # Frames of the file that were left out have been named before.
            unknown.append(name)
    if unknown:
        found = f"{len(unknown)} of {split}_filenames are no file_path of a frame: {some(unknown)}"
        raise DataError(transforms.path, found, "write them as in file_path")
    return images
