"""Scenes in the layout of NeRF-synthetic: transforms_{train,val,test}.json, OpenGL axes."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from nerfloss.data.errors import DataError
from nerfloss.data.formats.image_paths import is_file, without_ending
from nerfloss.data.formats.parsed_scene import Frame, ParsedScene, ParseSettings
from nerfloss.data.formats.remarks import Remarks
from nerfloss.data.formats.transforms import Transforms, read_transforms
from nerfloss.data.formats.transforms_files import ImageFiles
from nerfloss.data.formats.transforms_frames import read_frames, relative_names, with_unique_names
from nerfloss.data.formats.transforms_scene import depth_convention, describe_keys, up_direction

CONTENT = "a NeRF-synthetic scene (a folder with transforms_train.json)"
TRAIN, TEST = "transforms_train.json", ("transforms_test.json", "transforms_val.json")


def detect(folder: Path) -> bool:
    """Return True if the folder has a transforms_train.json."""
    return is_file(folder / TRAIN)


def parse(folder: Path, settings: ParseSettings) -> ParsedScene:
    """Read a scene; test views are those of transforms_test.json, else of transforms_val.json.

    Names are the stems of the images where these are unique within a split; where a name is in two
    splits, all begin with train/ or test/. ``region`` is the ball
    about the origin with ``settings.scene_radius``, None if that is not set. With
    ``settings.own_split`` the only views are those of transforms_train.json. Raises DataError for
    missing or contradictory files.
    """
    paths = [folder / name for name in (TRAIN, *TEST)]
    found = [path for path in paths if is_file(path)]
    if paths[0] not in found:
        raise DataError(paths[0], "no such file", f"dataset.path must be {CONTENT}")
    read = found[:1] if settings.own_split else found[:2]
    files = [read_transforms(path, CONTENT) for path in read]
    remarks = Remarks(sum(len(file.entries) for file in files))
    images = ImageFiles(folder, settings)
    splits = [_names(read_frames(file, images, settings, remarks)) for file in files]
    if _names_repeat(files, found[: len(TEST)]):
        splits = [_prefixed(*pair) for pair in zip(("train", "test"), splits, strict=False)]
    images.describe(remarks)
    if paths[1] not in found and not settings.own_split:
        remarks.add(f"no {paths[1].name}: {_held_out_instead(found)}")
    choice = "chosen by dataset.hold_out" if settings.own_split else f"those of {read[-1].name}"
    for path in found[len(read) :]:
        remarks.add(f"{path.name} is not used: the test views are {choice}")
    _check_splits(splits, files)
    for file in files:
        describe_keys(file, remarks)
    train, test = splits[0], splits[1] if len(splits) > 1 else []
    radius = settings.scene_radius
    return ParsedScene(
        folder,
        "blender",
        (*train, *test),
        test=tuple(range(len(train), len(train) + len(test))) if test else None,
        region=None if radius is None else np.diag([radius, radius, radius, 1.0]),
        up=up_direction(files[0]),
        depth=depth_convention(files[0], remarks, 1.0),
        hold_out=read[1].name if test else "",
        notes=remarks.lines,
    )


def _names(frames: list[Frame]) -> list[Frame]:
    """Return the frames of a split named by their stems, or by relative paths if two are equal."""
    stems = [PurePosixPath(frame.name).name for frame in frames]
    if len(set(stems)) == len(stems):
        return with_unique_names(frames, stems)
    return relative_names(frames)


def _names_repeat(files: list[Transforms], paths: list[Path]) -> bool:
    """Return True if the files of two splits name images with equal stems."""
    stems = [_stems(file) for file in files]
    for path in paths[len(files) :]:
        with suppress(DataError):  # a file that is not used may be broken
            stems.append(_stems(read_transforms(path, CONTENT)))
    return len(stems) > 1 and not stems[0].isdisjoint(stems[1])


def _stems(file: Transforms) -> set[str]:
    names = (entry.get("file_path") for entry in file.entries)
    return {PurePosixPath(without_ending(name)).name for name in names if isinstance(name, str)}


def _prefixed(split: str, frames: list[Frame]) -> list[Frame]:
    """Return the frames of a split with its name before theirs, which the other may have, too."""
    own = all(frame.name.startswith(f"{split}/") for frame in frames)
    return frames if own else [replace(f, name=f"{split}/{f.name}") for f in frames]


def _held_out_instead(found: list[Path]) -> str:
    """Return which views are the test views where transforms_test.json is missing."""
    if len(found) > 1:
        return f"the test views are those of {found[1].name}"
    return f"some views of {TRAIN} are held out (dataset.hold_out)"


def _check_splits(splits: list[list[Frame]], files: list[Transforms]) -> None:
    """Refuse images that are both for training and for testing."""
    both = {frame.image for frame in splits[0]} & {f.image for split in splits[1:] for f in split}
    if both:
        found = f"{len(both)} of its images are in {files[0].path.name}, too: {min(both).name}"
        raise DataError(files[1].path, found, "remove them from one of the files")
