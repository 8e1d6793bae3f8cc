"""The frames of a transforms file: cameras, poses, masks and maps, and their names."""

from dataclasses import replace
from pathlib import Path, PurePosixPath

from nerfloss.data.cameras.camera import Camera
from nerfloss.data.errors import DataError
from nerfloss.data.formats.image_paths import MAP_ENDINGS
from nerfloss.data.formats.json_values import some, text
from nerfloss.data.formats.parsed_scene import Frame, ParseSettings
from nerfloss.data.formats.remarks import Remarks
from nerfloss.data.formats.transforms import Entry, Transforms, complete_entries
from nerfloss.data.formats.transforms_camera import camera_values, read_camera, stated_size
from nerfloss.data.formats.transforms_files import ImageFiles
from nerfloss.data.formats.transforms_pose import check_scales, opencv_pose
from nerfloss.data.image_headers import read_header

# Keys of files that belong to an image, and the field of `Frame` that holds them.
FILE_KEYS = {
    "mask_path": "ignore_mask",
    "object_mask_path": "object_mask",
    "depth_file_path": "depth",
    "depth_path": "depth",
    "normal_file_path": "normal",
}
MASKS = ("ignore_mask", "object_mask")


def read_frames(
    transforms: Transforms, files: ImageFiles, settings: ParseSettings, remarks: Remarks
) -> list[Frame]:
    """Return the frames of a file that have an image and a pose, in the order of the file.

    ``name`` is the path of the image without its ending, relative to the folder of the file. Raises
    DataError for what is missing (unless ``settings.missing`` is ``skip``), images with two poses,
    and unusable cameras.
    """
    entries = complete_entries(transforms, files, settings, remarks)
    frames = []
    for entry in entries:
        camera, stated = _camera(transforms, entry, remarks)
        pose = opencv_pose(entry.pose, transforms.path, entry.where, remarks)
        frames.append(Frame(entry.image.name, entry.image.path, camera, pose, stated))
    check_scales(transforms.path, {entry.where: entry.pose for entry in entries})
    _check_shared_pixels(transforms, entries, frames)
    frames = _with_files(transforms, entries, frames, files, settings, remarks)
    if not frames:
        raise DataError(transforms.path, "no view is left", "restore the missing files")
    return frames


def _camera(transforms: Transforms, entry: Entry, remarks: Remarks) -> tuple[Camera, bool]:
    """Return the camera, and True if its image size is known other than by the file in use."""
    path, image = transforms.path, entry.image
    values = camera_values(transforms.shared, entry.values)
    size = stated_size(values, path, entry.where)
    stated = size is not None
    if size is None:
        # Intrinsics hold for the full image, also where a smaller copy of it is read.
        header = read_header(image.full or image.path)
        size = (header.width, header.height)
        stated = image.smaller and image.full is not None
        if image.smaller and not stated:
            remarks.add("w and h are not stated: taken from the smaller copies of the images")
    return read_camera(values, size, path, entry.where, remarks), stated


def _check_shared_pixels(transforms: Transforms, entries: list[Entry], frames: list[Frame]) -> None:
    """Refuse intrinsics in pixels that images of several sizes share."""
    shared = [key for key in ("fl_x", "fl_y", "cx", "cy") if key in transforms.shared]
    sizes: dict[tuple[int, int], str] = {}
    for entry, frame in zip(entries, frames, strict=True):
        if any(key not in entry.values for key in shared):
            sizes.setdefault((frame.camera.width, frame.camera.height), entry.where)
    if len(sizes) > 1:
        (one, first), (other, second) = list(sizes.items())[:2]
        found = (
            f"{', '.join(shared)} are shared by {first} with {one[0]} x {one[1]} pixels "
            f"and {second} with {other[0]} x {other[1]}"
        )
        raise DataError(transforms.path, found, "give each frame its own fl_x, fl_y, cx, cy, w, h")


def _with_files(
    transforms: Transforms,
    entries: list[Entry],
    frames: list[Frame],
    files: ImageFiles,
    settings: ParseSettings,
    remarks: Remarks,
) -> list[Frame]:
    """Return the frames with their masks and maps.

    Missing files are refused; if ``settings.missing`` is ``skip``, a frame without its mask is left
    out, and one without its depth or normal map is used without.
    """
    path, kept, missing = transforms.path, [], []
    for entry, frame in zip(entries, frames, strict=True):
        given: dict[str, Path] = {}
        lost = []
        for key, name in FILE_KEYS.items():
            value = text(entry.values, key, path, entry.where)
            file = None if value is None else files.find_map(value, MAP_ENDINGS, key=key)
            if file is not None:
                given[name] = file
            elif value is not None and (name in MASKS or settings.missing != "skip"):
                lost.append(value)
            elif value is not None:
                remarks.add(f"{key} is missing: used without", entry.where)
        missing += lost
        if not lost:
            kept.append(replace(frame, **given))
    if missing and settings.missing != "skip":
        found = f"{len(missing)} masks, depth or normal maps are missing: {some(missing)}"
        remedy = "restore them, or remove the entries, or set dataset.missing=skip"
        raise DataError(path, f"{found} ({files.finder.beside(missing[0])})", remedy)
    if missing:
        remarks.add(f"{len(missing)} masks are missing, their views are left out: {some(missing)}")
    for name in MASKS:
        masked = sum(vars(frame)[name] is not None for frame in kept)
        if 0 < masked < len(kept):
            remarks.add(f"{masked} of {len(kept)} views have a mask, the others none")
    return kept


def relative_names(frames: list[Frame]) -> list[Frame]:
    """Return the frames with names relative to the folder that holds all images.

    Names stay unique: where two images differ by their ending only, both keep it.
    """
    pures = [PurePosixPath(frame.name) for frame in frames]
    common = 0
    while all(len(pure.parts) > common + 1 for pure in pures):
        if len({pure.parts[common] for pure in pures}) > 1:
            break
        common += 1
    return with_unique_names(frames, [str(PurePosixPath(*p.parts[common:])) for p in pures])


def with_unique_names(frames: list[Frame], names: list[str]) -> list[Frame]:
    """Return the frames with new names, the ending of the file added where two are equal."""
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return [
        replace(frame, name=name if counts[name] == 1 else name + frame.image.suffix)
        for frame, name in zip(frames, names, strict=True)
    ]
