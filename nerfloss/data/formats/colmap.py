"""Scenes of COLMAP: a sparse model beside a folder of images."""

from pathlib import Path

from nerfloss.data.errors import DataError
from nerfloss.data.formats.colmap_choice import largest_model, model_folders
from nerfloss.data.formats.colmap_files import check_files, check_missing
from nerfloss.data.formats.colmap_images import (
    FileIndex,
    frame_names,
    image_folder,
    natural,
)
from nerfloss.data.formats.colmap_masks import image_masks
from nerfloss.data.formats.colmap_model import model_file, read_cameras
from nerfloss.data.formats.colmap_points import model_points
from nerfloss.data.formats.parsed_scene import Frame, ParsedScene, ParseSettings


def detect(folder: Path) -> bool:
    """Return whether a folder holds a COLMAP model."""
    return folder.is_dir() and bool(model_folders(folder))


def parse(folder: Path, settings: ParseSettings) -> ParsedScene:
    """Read the largest model of a folder.

    Raises DataError for a missing or broken model, and for images without a file.
    """
    notes: list[str] = []
    model = largest_model(folder, notes)
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
    masks = image_masks(root, [kept[number].name for number in order], settings, notes)
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
    points = model_points(model, order, notes)
    return ParsedScene(folder, "colmap", tuple(frames), points=points, notes=tuple(notes))
