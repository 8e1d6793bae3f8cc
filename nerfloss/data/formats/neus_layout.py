"""Scenes in the layout of NeuS, IDR and DTU: cameras_sphere.npz, image/ and mask/."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from nerfloss.data.errors import DataError
from nerfloss.data.formats.image_numbers import camera_of_image
from nerfloss.data.formats.image_pairs import (
    list_images,
    pair_by_name_or_number,
)
from nerfloss.data.formats.image_paths import is_file, is_folder, without_ending
from nerfloss.data.formats.neus_cameras import NeusCameras, camera_of, read_cameras
from nerfloss.data.formats.parsed_scene import Frame, ParsedScene, ParseSettings
from nerfloss.data.image_headers import ImageHeader, read_header

CONTENT = "a NeuS scene (a folder with cameras_sphere.npz and image/)"
ARCHIVES = ("cameras_sphere.npz", "cameras.npz")
BY_TEXT = "frames with cameras in the order of names as text"


def detect(folder: Path) -> bool:
    """Return True if the folder has the cameras of NeuS or IDR."""
    return any(is_file(folder / name) for name in ARCHIVES)


def parse(folder: Path, settings: ParseSettings) -> ParsedScene:
    """Read a scene; ``region`` is scale_mat_0, and poses are those of world_mat alone.

    Camera i belongs to the i-th image in natural order (2 before 10), see `camera_of_image`. Masks
    belong to the images of their name, or of their number. Raises DataError for missing or
    contradictory files.
    """
    notes: list[str] = []
    images = _images(folder, settings, notes)
    masks = _masks(folder, images, settings, notes)
    path = next((folder / name for name in ARCHIVES if is_file(folder / name)), None)
    if path is None:
        found = f"no such file, and no {ARCHIVES[1]}"
        raise DataError(folder / ARCHIVES[0], found, f"dataset.path must be {CONTENT}")
    cameras = read_cameras(path)
    notes += cameras.notes
    order = camera_of_image(images, cameras, notes)
    with ThreadPoolExecutor(max_workers=4) as pool:
        headers = list(pool.map(read_header, images))
    chosen = range(len(images)) if masks is None else sorted(masks)

    def frames_of(camera: Sequence[int]) -> tuple[Frame, ...]:
        mask = {} if masks is None else masks
        return tuple(_frame(images[i], headers[i], cameras, camera[i], mask.get(i)) for i in chosen)

    frames = frames_of(order)
    _check_sizes(frames, path, notes)
    if settings.masks is True and masks is None and not all(h.has_alpha for h in headers):
        remedy = "add the masks, or set dataset.masks=auto"
        raise DataError(folder / "mask", "no such folder, but dataset.masks=true", remedy)
    region = cameras.region
    if (radius := settings.scene_radius) is not None:
        region = np.diag([radius, radius, radius, 1.0])
        notes.append(f"scene_radius={radius:g} about the origin replaces scale_mat_0")
    by_text = _order_of_names(images, order)
    more = {} if by_text == order else {BY_TEXT: frames_of(by_text)}
    return ParsedScene(folder, "neus", frames, region=region, notes=tuple(notes), more=more)


def with_order_of_names(parsed: ParsedScene) -> ParsedScene:
    """Return the scene with cameras in the order of the images' names as text (10 before 2).

    NeuS numbers its cameras so where numbers have no leading zeros. The scene itself is returned if
    both orders are the same.
    """
    if BY_TEXT not in parsed.more:
        return parsed
    note = "cameras follow the order of the images' names as text (10 before 2)"
    notes = tuple(each for each in parsed.notes if not each.startswith("cameras follow"))
    return replace(parsed, frames=parsed.more[BY_TEXT], notes=(*notes, note))


def _order_of_names(images: Sequence[Path], order: Sequence[int]) -> list[int]:
    """Return the index of each image's camera where cameras follow the names as text."""
    by_text = sorted(range(len(images)), key=lambda index: images[index].name)
    changed = list(order)
    for camera, image in enumerate(by_text):
        changed[image] = order[camera]
    return changed


def _images(folder: Path, settings: ParseSettings, notes: list[str]) -> list[Path]:
    """Return the images in natural order; their names without endings are unique."""
    name = settings.images or _folder_of(folder, ("image", "images"), notes) or "image"
    if not is_folder(folder / name):
        raise DataError(folder / name, "no such folder", f"dataset.path must be {CONTENT}")
    images = list_images(folder / name)
    if not images:
        endings = ".png, .jpg, .jpeg and others"
        raise DataError(folder / name, "no images", f"it needs files ending in {endings}")
    return images


def _masks(
    folder: Path, images: Sequence[Path], settings: ParseSettings, notes: list[str]
) -> dict[int, Path] | None:
    """Return the mask of each image by its index, None if there are none.

    Masks that are for scores only, since ``settings.masks`` is False, are never refused.
    """
    try:
        return _paired_masks(folder, images, settings, notes)
    except DataError as error:
        if settings.masks is not False:
            raise
        notes.append(f"masks are not used for scores either: {error}")
        return None


def _paired_masks(
    folder: Path, images: Sequence[Path], settings: ParseSettings, notes: list[str]
) -> dict[int, Path] | None:
    name = _folder_of(folder, ("mask", "masks"), notes)
    if name is None:
        return None
    masks = list_images(folder / name)
    if not masks:
        if settings.masks is True:
            found = "no masks in it, but dataset.masks=true"
            raise DataError(folder / name, found, "add the masks, or set dataset.masks=auto")
        notes.append(f"{name}/ has no images: the scene has no masks")
        return None
    pairs, note = pair_by_name_or_number(images, masks)
    notes += [note] if note else []
    alone = [image.name for i, image in enumerate(images) if i not in pairs]
    unused = [mask.name for mask in masks if mask not in set(pairs.values())]
    if not alone and not unused:
        return pairs
    said = [f"no mask for {_listed(alone)}"] if alone else []
    said += [f"no image for {_listed(unused)}"] if unused else []
    found = f"{len(masks)} masks for {len(images)} images: {' and '.join(said)}"
    if settings.missing != "skip" or not pairs:
        remedy = (
            "add or rename the masks (by the images' names), or set dataset.missing=skip or "
            "dataset.masks=false"
        )
        raise DataError(folder / name, found, remedy)
    notes.append(f"{found}; {'those views are' if alone else 'nothing is'} left out")
    return pairs


def _folder_of(folder: Path, names: Sequence[str], notes: list[str]) -> str | None:
    found = [name for name in names if is_folder(folder / name)]
    if len(found) > 1:
        notes.append(f"{found[0]}/ is used, {found[1]}/ is not")
    return found[0] if found else None


def _frame(
    image: Path, header: ImageHeader, cameras: NeusCameras, index: int, mask: Path | None
) -> Frame:
    camera, pose = camera_of(cameras, index, header.width, header.height)
    name = without_ending(image.name)
    return Frame(name, image, camera, pose, states_size=False, object_mask=mask)


def _check_sizes(frames: Sequence[Frame], path: Path, notes: list[str]) -> None:
    """Compare principal points with the images' sizes: the archive does not state a size."""
    ratios = np.array(
        [
            (2 * frame.camera.cx / frame.camera.width, 2 * frame.camera.cy / frame.camera.height)
            for frame in frames
        ]
    )
    across, down = np.median(ratios, axis=0)
    if 0.6 < across < 1.6 and 0.6 < down < 1.6:
        return
    first = frames[0]
    found = (
        f"the principal point ({first.camera.cx:.0f}, {first.camera.cy:.0f}) of {first.name} is "
        f"far from the middle of its image of {first.camera.width} x {first.camera.height} pixels"
    )
    if min(across, down) >= 1.6 or 0 < max(across, down) <= 0.6:
        remedy = (
            f"the cameras seem to be for images of about {(across + down) / 2:.2g} times the size: "
            "scale the first two rows of every world_mat, or use images of that size"
        )
        raise DataError(path, found, remedy)
    notes.append(f"{found}: cropped, or of another size than the cameras?")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" ... ({len(names)})" if len(names) > 5 else "")
