"""Scenes in the layout of LLFF: poses_bounds.npy beside a folder of images."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from nerfloss.data.cameras.camera import Camera
from nerfloss.data.errors import DataError
from nerfloss.data.formats.colmap_images import frame_names, image_folder
from nerfloss.data.formats.colmap_masks import image_masks
from nerfloss.data.formats.image_pairs import list_images
from nerfloss.data.formats.image_paths import is_file
from nerfloss.data.formats.parsed_scene import Frame, ParsedScene, ParseSettings
from nerfloss.data.formats.pose_matrices import check_pose

FILE = "poses_bounds.npy"
COLUMNS = 17  # a matrix of 3 x 5, and the bounds
LARGEST_IMAGE = 1_000_000  # pixels along one axis
REPLACE = "copy the file again in full, or make it again (imgs2poses.py of LLFF)"


def detect(folder: Path) -> bool:
    """Return whether a folder holds poses_bounds.npy."""
    return is_file(folder / FILE)


def parse(folder: Path, settings: ParseSettings) -> ParsedScene:
    """Read a scene; the rows of poses_bounds.npy belong to the images in the order of their names.

    A row has a camera-to-world matrix of 3 x 5, whose columns are the axes down, right and back,
    the camera's centre, and height, width and focal length in pixels; then the depth of the nearest
    and the farthest point, which become ``more["bounds"]``. The principal point is the centre of
    the image. Raises DataError for a missing or broken file, and for another number of images.

    Reference: Mildenhall et al., Local Light Field Fusion, SIGGRAPH 2019 (github.com/Fyusion/LLFF).
    """
    path = folder / FILE
    rows = _rows(path)
    notes: list[str] = []
    root = image_folder(folder, path, [], settings, notes)
    natural = list_images(root)
    images = sorted(natural, key=lambda image: image.name)
    if len(images) != len(rows):
        found = f"poses of {len(rows)} images, but {root} has {len(images)}"
        raise DataError(path, found, "restore the images, and remove those without a pose")
    if images != natural:
        notes.append(f"{root}: the images are in the order of their names as text, as in LLFF")
    notes.append(f"{path}: no principal point, the centre of the image is taken")
    names = [image.name for image in images]
    masks = image_masks(root, names, settings, notes)
    label = frame_names(names)
    frames = [
        _frame(path, row, image, label[image.name], masks.get(image.name))
        for row, image in zip(rows, images, strict=True)
    ]
    return ParsedScene(
        folder, "llff", tuple(frames), notes=tuple(notes), more={"bounds": rows[:, 15:]}
    )


def _rows(path: Path) -> Float[np.ndarray, "images 17"]:
    """Return the checked content of the file."""
    try:
        # Mapped, so that a header that states a huge array asks for no memory.
        rows = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise DataError(path, "no such file", "set dataset.path to the folder with it") from error
    except Exception as error:  # numpy lets through what its parser of headers raises
        raise DataError(path, f"no array of numpy ({error})", REPLACE) from error
    if not isinstance(rows, np.ndarray):
        raise DataError(path, "an archive, not one array of numpy", REPLACE)
    if rows.ndim != 2 or rows.shape[1] != COLUMNS:
        raise DataError(path, f"its shape is {rows.shape}, not images x {COLUMNS}", REPLACE)
    if rows.dtype.kind not in "fiu" or not len(rows):
        raise DataError(path, f"{len(rows)} rows of the type {rows.dtype}", REPLACE)
    rows = np.array(rows, dtype=np.float64)
    wrong = np.flatnonzero(~(np.abs(rows) < 1e15).all(-1))
    if len(wrong):
        raise DataError(path, f"row {wrong[0]} has NaN, infinite or huge numbers", REPLACE)
    near, far = rows[:, 15], rows[:, 16]
    for index in np.flatnonzero(~((near > 0) & (near < far))):
        found = f"row {index} has the bounds {near[index]:g} and {far[index]:g}"
        raise DataError(path, found, "near must be positive and below far: " + REPLACE)
    return rows


def _frame(path: Path, row: np.ndarray, image: Path, name: str, mask: Path | None) -> Frame:
    down, right, back, center, size = row[:15].reshape(3, 5).T
    pose = check_pose(np.stack([right, down, -back, center], 1), path, f"the pose of {image.name}")
    height, width, focal = size.tolist()
    if height % 1 or width % 1 or max(height, width) > LARGEST_IMAGE:
        raise DataError(path, f"{image.name} has {width:g} x {height:g} pixels", REPLACE)
    try:
        camera = Camera("SIMPLE_PINHOLE", int(width), int(height), (focal, width / 2, height / 2))
    except ValueError as error:
        raise DataError(path, f"{image.name}: {error}", REPLACE) from error
    return Frame(name, image, camera, pose[:3], object_mask=mask)
