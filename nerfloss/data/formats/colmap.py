"""Scenes of COLMAP: a sparse model beside a folder of images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nerfloss.data.errors import DataError
from nerfloss.data.formats.colmap_files import Model, check_files, check_missing
from nerfloss.data.formats.colmap_images import (
    ENDINGS,
    FileIndex,
    frame_names,
    image_folder,
    mask_folder,
    natural,
)
from nerfloss.data.formats.colmap_model import (
    model_file,
    read_cameras,
    read_images,
    read_points,
)
from nerfloss.data.formats.parsed_scene import Frame, ParsedPoints, ParsedScene, ParseSettings

# Where programs put the models: COLMAP, nerfstudio, gaussian-splatting, Neuralangelo.
PLACES = ("sparse", "colmap/sparse", "dense/sparse", "undistorted/sparse", "distorted/sparse")
DEPTH = 4  # folders below the scene in which a model is looked for


def detect(folder: Path) -> bool:
    """Return whether a folder holds a COLMAP model."""
    return folder.is_dir() and bool(model_folders(folder))


def parse(folder: Path, settings: ParseSettings) -> ParsedScene:
    """Read the largest model of a folder.

    Raises DataError for a missing or broken model, and for images without a file.
    """
    notes: list[str] = []
    model = _largest(folder, notes)
    cameras_path, images_path = (model_file(model.folder, n) for n in ("cameras", "images"))
    assert cameras_path is not None
    assert images_path is not None
    cameras = read_cameras(cameras_path)
    for image in model.images.values():
        if image.camera not in cameras:
            found = f"image {image.name!r} has camera {image.camera}, which {cameras_path} lacks"
            raise DataError(images_path, found, "export the model again")
    names = [image.name for image in model.images.values()]
    root = image_folder(folder, model.folder, names, settings, notes)
    files = FileIndex(root)
    paths = {number: files.find(image.name) for number, image in model.images.items()}
    check_missing(model, paths, root, settings, notes)
    check_files(images_path, model, paths, root, notes)
    kept = {n: image for n, image in model.images.items() if paths[n] is not None}
    label = frame_names([image.name for image in kept.values()])
    order = sorted(kept, key=lambda number: natural(label[kept[number].name]))
    masks = _masks(root, [kept[number].name for number in order], settings, notes)
    frames = []
    for number in order:
        image, path = kept[number], paths[number]
        assert path is not None
        pose, mask = image.pose(images_path), masks.get(image.name)
        camera = cameras[image.camera]
        frames.append(Frame(label[image.name], path, camera, pose, object_mask=mask))
    unused = len(files) - len({path for path in paths.values() if path is not None})
    if unused > 0:
        notes.append(f"{root}: {unused} image files are not registered in the model, and not used")
    points = _points(model, order, notes)
    return ParsedScene(folder, "colmap", tuple(frames), points=points, notes=tuple(notes))


def model_folders(folder: Path) -> list[Path]:
    """Return the folders with the files of a model, in natural order."""

    def holds(place: Path) -> bool:
        return all(model_file(place, name) is not None for name in ("cameras", "images"))

    if holds(folder):
        return [folder]
    for name in PLACES:
        place = folder / name
        found = [place, *(each for each in _folders(place))]
        if models := [each for each in found if holds(each)]:
            return models
    level = [folder]
    for _ in range(DEPTH):
        level = [each for place in level for each in _folders(place)]
        if models := [each for each in level if holds(each)]:
            return models
    return []


def _folders(place: Path) -> list[Path]:
    try:
        inside = [each for each in place.iterdir() if each.is_dir() and each.name[0] != "."]
    except OSError:
        return []
    return sorted(inside, key=lambda each: natural(each.name))


def _largest(folder: Path, notes: list[str]) -> Model:
    models = []
    for place in model_folders(folder) if folder.is_dir() else []:
        path = model_file(place, "images")
        assert path is not None
        models.append(Model(place, read_images(path)))
    if not models:
        found = "no COLMAP model (cameras, images and points3D, .bin or .txt)"
        raise DataError(folder, found, "set dataset.path to the folder that holds sparse/0")
    best = max(models, key=lambda model: len(model.images))
    if not best.images:
        raise DataError(best.folder, "the model has no images", "run the mapper again")
    if len(models) > 1:
        sizes = ", ".join(f"{each.folder.name}: {len(each.images)} images" for each in models)
        notes.append(f"{len(models)} models ({sizes}): the largest, {best.folder}, is used")
    return best


def _masks(
    root: Path, names: Sequence[str], settings: ParseSettings, notes: list[str]
) -> dict[str, Path]:
    """Return the masks of the images that have one."""
    place = mask_folder(root)
    if place is None or settings.masks is False:
        if settings.masks is True and place is None:
            found = f"no folder of masks beside {root}, but dataset.masks=true"
            raise DataError(root, found, "add masks/ or set dataset.masks=auto")
        return {}
    files = FileIndex(place, ENDINGS)
    found = {name: files.find_mask(name) for name in names}
    masks = {name: path for name, path in found.items() if path is not None}
    if not masks and settings.masks is not True:
        notes.append(f"{place}: no file has the name of an image, no masks are used")
        return {}
    without = sorted(name for name in names if name not in masks)
    if without:
        listed = f"{len(without)} of {len(names)} images have no mask: {', '.join(without)}"
        remedy = "complete the masks, or set dataset.masks=false"
        raise DataError(place, listed, remedy)
    notes.append(
        f"{place}: taken as object masks, white on the object "
        "(dataset.mask_meaning=ignore: black pixels do not count)"
    )
    return masks


def _points(model: Model, order: Sequence[int], notes: list[str]) -> ParsedPoints | None:
    path = model_file(model.folder, "points3D")
    if path is None:
        notes.append(f"{model.folder}: no points3D file, no sparse points")
        return None
    points = read_points(path)
    if not points.numbers:
        notes.append(f"{path}: holds no points")
        return None
    frame_of = {number: frame for frame, number in enumerate(order)}
    observations, pixels = [], []
    for index, track in enumerate(points.tracks):
        for number, key in track.tolist():
            if number not in model.images:
                found = f"point {points.numbers[index]} is seen by image {number}"
                raise DataError(path, f"{found}, which the model lacks", "export the model again")
            image = model.images[number]
            if not 0 <= key < max(len(image.pixels), 1):
                found = f"point {points.numbers[index]} is key point {key} of {image.name!r}"
                raise DataError(
                    path, f"{found}, which has {len(image.pixels)}", "export the model again"
                )
            if number in frame_of and len(image.pixels):
                observations.append((frame_of[number], index))
                pixels.append(image.pixels[key])
    return ParsedPoints(
        np.array(points.positions),
        np.array(points.colors, dtype=np.float64) / 255.0,
        error=np.array(points.errors),
        observations=np.array(observations, dtype=np.int64) if observations else None,
        pixels=np.array(pixels, dtype=np.float64) if observations else None,
    )
