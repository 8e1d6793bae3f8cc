"""Write a parsed scene in the layout of NeuS: cameras_sphere.npz, image/ and mask/."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from nerfloss.data.errors import DataError
from nerfloss.data.formats.file_coordinates import in_file_coordinates
from nerfloss.data.formats.file_copies import copy_file
from nerfloss.data.formats.image_pairs import natural_key
from nerfloss.data.formats.image_sizes import PlannedImage, plan_images
from nerfloss.data.formats.parsed_scene import ParsedScene
from nerfloss.data.formats.projections import SHIFT
from nerfloss.data.image_headers import read_header
from nerfloss.data.image_reading import read_image
from nerfloss.data.mask_files import read_mask

ARCHIVE = "cameras_sphere.npz"
REMEDY = "undistort them first (colmap image_undistorter), or convert to nerfstudio or colmap"


def write_neus(parsed: ParsedScene, folder: Path, *, link: bool = False) -> dict[str, str]:
    """Write a scene in NeuS's layout; return the new name of each frame, by its name.

    ``parsed.region`` becomes scale_mat_i; world_mat_i has the centre of the first pixel at 0.
    Images and masks are copied, or hard-linked with ``link``; those that an EXIF orientation turns
    are written as upright PNG. Frames keep their names if these are those of plain files whose
    order is the same as text and by numbers, else they are numbered: 000, 001 ... Raises DataError
    for distorted cameras, several image sizes and a scene without a region.
    """
    parsed = in_file_coordinates(parsed)
    planned = plan_as_stored(parsed)
    check_neus(parsed, planned)
    if parsed.region is None:
        found = "no region of interest, which scale_mat_i of NeuS states"
        raise DataError(parsed.folder, found, "choose one by choose_region")
    order = sorted(range(len(planned)), key=lambda index: natural_key(Path(_name(planned[index]))))
    planned = [planned[index] for index in order]
    names = _names(planned)
    matrices = {}
    for index, (image, name) in enumerate(zip(planned, names, strict=True)):
        matrices[f"world_mat_{index}"] = projection(image)
        matrices[f"scale_mat_{index}"] = parsed.region
        _write_image(image, folder / "image", name, link)
        _write_mask(image, folder / "mask", name, link)
    np.savez(folder / ARCHIVE, **matrices)
    return {image.frame.name: name for image, name in zip(planned, names, strict=True)}


def plan_as_stored(parsed: ParsedScene) -> list[PlannedImage]:
    """Return the views with the cameras of their image files' own sizes, which NeuS expects."""
    return [_as_stored(image) for image in plan_images(parsed.frames, 1)]


def _as_stored(image: PlannedImage) -> PlannedImage:
    header = read_header(image.frame.image)
    size = header.upright_size if image.upright else (header.width, header.height)
    return image if image.size == size else replace(image, camera=image.camera.resized(*size))


def projection(image: PlannedImage) -> np.ndarray:
    """Return the matrix from the world to pixels whose first has its centre at 0, as 4 x 4."""
    camera, pose = image.camera, np.eye(4)
    pose[:3] = image.frame.pose
    intrinsics = np.eye(4)
    intrinsics[0, 0], intrinsics[1, 1] = camera.fx, camera.fy
    intrinsics[:2, 2] = camera.cx - SHIFT, camera.cy - SHIFT
    return intrinsics @ np.linalg.inv(pose)


def check_neus(parsed: ParsedScene, planned: Sequence[PlannedImage]) -> None:
    """Raise DataError for what NeuS's layout cannot hold: lenses, several sizes, some masks."""
    for image in planned:
        if image.camera.distorted:
            found = f"{image.frame.name} has a lens ({image.camera.model}), and NeuS has pinholes"
            raise DataError(parsed.folder, found, REMEDY)
    first = planned[0]
    for image in planned:
        if image.size != first.size:
            sizes = f"{first.size[0]} x {first.size[1]} and {image.size[0]} x {image.size[1]}"
            found = f"{first.frame.name} and {image.frame.name} have {sizes} pixels"
            found += ", and NeuS has one image size"
            raise DataError(parsed.folder, found, REMEDY)
    without = [frame.name for frame in parsed.frames if frame.object_mask is None]
    if 0 < len(without) < len(planned):
        found = (
            f"{len(without)} of {len(planned)} views have no object mask, {without[0]} among them"
        )
        raise DataError(parsed.folder, found, "add them, or convert to nerfstudio or colmap")


def _name(image: PlannedImage) -> str:
    """Return the name with an ending, so that dots inside of it are no ending."""
    return f"{image.frame.name}.png"


def _names(planned: Sequence[PlannedImage]) -> list[str]:
    """Return the names of the files without ending, in the order of the cameras."""
    names = [image.frame.name for image in planned]
    in_order = sorted(names, key=lambda name: f"{name}.png") == names
    plain = all("/" not in name and "\\" not in name and name[:1] != "." for name in names)
    if plain and in_order:
        return names
    digits = max(3, len(str(len(names) - 1)))
    return [f"{index:0{digits}d}" for index in range(len(names))]


def _write_image(image: PlannedImage, folder: Path, name: str, link: bool) -> None:
    header = read_header(image.frame.image)
    if header.orientation == 1:
        source = image.frame.image
        copy_file(source, folder / f"{name}{source.suffix.lower()}", link=link)
        return
    mode = "RGBA" if header.has_alpha else "RGB"
    pixels = read_image(image.frame.image, mode, image.size, image.upright)
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / f"{name}.png")


def _write_mask(image: PlannedImage, folder: Path, name: str, link: bool) -> None:
    """Write the object mask, if there is one; alpha channels stay in their images."""
    source = image.frame.object_mask
    if source is None:
        return
    if image.upright and read_header(source).orientation != 1:
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(read_mask(source, upright=True)).save(folder / f"{name}.png")
        return
    copy_file(source, folder / f"{name}{source.suffix.lower()}", link=link)
