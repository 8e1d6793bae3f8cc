"""Write a parsed scene in another layout, and say what the layout cannot hold."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from nerfloss.data.errors import DataError
from nerfloss.data.formats.build_settings import DEFAULTS, BuildSettings
from nerfloss.data.formats.camera_order import order_by_masks
from nerfloss.data.formats.colmap_writer import write_model
from nerfloss.data.formats.conversion_losses import (
    POINTS,
    has_more,
    left_out,
    region_settings,
)
from nerfloss.data.formats.file_coordinates import in_file_coordinates
from nerfloss.data.formats.image_sizes import plan_images
from nerfloss.data.formats.neus_layout import BY_TEXT
from nerfloss.data.formats.neus_writer import check_neus, plan_as_stored, write_neus
from nerfloss.data.formats.parsed_scene import ParsedScene
from nerfloss.data.formats.point_writer import write_points
from nerfloss.data.formats.scene_region import scene_region
from nerfloss.data.formats.stated_settings import loaded_masks, with_settings
from nerfloss.data.formats.transforms_writer import uniquely_named, write_transforms
from nerfloss.files import atomic_write

TARGETS = ("nerfstudio", "colmap", "neus")
TEST, NAMES = "test.txt", "names.txt"


@dataclass(frozen=True)
class Conversion:
    """What was written: the settings that read it as the source is, and what was assumed.

    ``masked``: some view has an object mask.
    """

    folder: Path
    masked: bool
    settings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def convert_scene(
    parsed: ParsedScene,
    target: str,
    folder: Path,
    *,
    link: bool = False,
    settings: BuildSettings = DEFAULTS,
) -> Conversion:
    """Write a scene as ``nerfstudio``, ``colmap`` or ``neus`` into a new or empty folder.

    Images, masks and points are written, too; with ``link`` as hard links where the disk has them.
    COLMAP and NeuS have no list of test views, which goes to test.txt, and no maps of depth and
    normals. ``settings`` state the region, the test views and the use of masks. Raises ValueError
    for another target, DataError for a folder that holds files and for what the target cannot hold.
    """
    if target not in TARGETS:
        raise ValueError(f"a scene is converted to {', '.join(TARGETS)}, not to {target!r}")
    _check_folder(parsed, folder)
    parsed = with_settings(_ordered(parsed), settings)
    parsed = replace(parsed, frames=tuple(uniquely_named(parsed)))
    without_masks = ["dataset.masks=false"] if settings.masks is False else []
    masked = not without_masks and _has_masks(parsed)
    if target == "nerfstudio":
        write_transforms(parsed, folder, link=link)
        words = (*without_masks, *region_settings(parsed, target))
        return Conversion(folder, masked, words, left_out(parsed, target, folder))
    parsed = in_file_coordinates(parsed)
    parsed, words, notes = _with_one_kind_of_masks(parsed)
    words += without_masks
    notes += left_out(parsed, target, folder)
    if target == "neus":
        names = _to_neus(parsed, folder, words, notes, link)
    else:
        names = _to_colmap(parsed, folder, notes, link)
    words += region_settings(parsed, target)
    if parsed.test is not None:
        held = [names[parsed.frames[index].name] for index in parsed.test]
        atomic_write(folder / TEST, "".join(f"{name}\n" for name in held).encode())
        words.append(f"dataset.hold_out={TEST}")
    return Conversion(folder, masked, tuple(words), tuple(notes))


def _check_folder(parsed: ParsedScene, folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise DataError(folder, "a file", "choose another folder: -o <folder>")
    if folder.is_dir() and any(folder.iterdir()):
        raise DataError(folder, "the folder is not empty", "choose another folder: -o <folder>")
    if not parsed.frames:
        raise DataError(parsed.folder, "no views", "nothing can be converted")


def _has_masks(parsed: ParsedScene) -> bool:
    files = any(frame.object_mask for frame in parsed.frames)
    return files or any(image.has_alpha for image in plan_images(parsed.frames, 1))


def _with_one_kind_of_masks(parsed: ParsedScene) -> tuple[ParsedScene, list[str], list[str]]:
    """Return the scene with one mask per view, settings that say its meaning, and notes."""
    if not any(frame.ignore_mask for frame in parsed.frames):
        return parsed, [], []
    if any(frame.object_mask for frame in parsed.frames):
        return parsed, [], ["ignore masks are left out: the layout has object masks only"]
    frames = tuple(replace(f, object_mask=f.ignore_mask, ignore_mask=None) for f in parsed.frames)
    notes = ["the masks are ignore masks: train with dataset.mask_meaning=ignore"]
    return replace(parsed, frames=frames), ["dataset.mask_meaning=ignore"], notes


def _to_neus(
    parsed: ParsedScene, folder: Path, settings: list[str], notes: list[str], link: bool
) -> Mapping[str, str]:
    parsed = _with_region(parsed, not settings, notes)
    names = write_neus(parsed, folder, link=link)
    if any(old != new for old, new in names.items()):
        lines = "".join(f"{new} {old}\n" for old, new in names.items())
        atomic_write(folder / NAMES, lines.encode())
        notes.append(f"the views are numbered; {NAMES} has their former names")
    endings = {path.suffix for path in (folder / "image").iterdir()} - {".png"}
    if endings:
        notes.append(f"NeuS itself reads image/*.png only; here are {', '.join(sorted(endings))}")
    if parsed.points is not None and len(parsed.points.positions):
        write_points(parsed.points, folder / POINTS)
        settings.append(f"dataset.points={folder / POINTS}")
    return names


def _to_colmap(
    parsed: ParsedScene, folder: Path, notes: list[str], link: bool
) -> Mapping[str, str]:
    names = write_model(parsed, folder, link=link)
    if (folder / "sparse" / "0" / "images.bin").is_file():
        notes.append("the model is binary: COLMAP ends a name with a space there, in text files")
    if parsed.points is not None and has_more(parsed.points):
        write_points(parsed.points, folder / POINTS)
    return names


def _ordered(parsed: ParsedScene) -> ParsedScene:
    """Return a scene of NeuS with its cameras in the order that the masks confirm."""
    if BY_TEXT not in parsed.more:
        return parsed
    masks = loaded_masks(parsed, plan_images(parsed.frames, 1))
    return parsed if masks is None else order_by_masks(parsed, masks)


def _with_region(parsed: ParsedScene, use_masks: bool, notes: list[str]) -> ParsedScene:
    """Return the scene with the region that the program chooses if the files state none."""
    check_neus(parsed, plan_as_stored(parsed))
    planned = plan_images(parsed.frames, 1)
    if parsed.region is not None:
        return parsed
    masks = loaded_masks(parsed, planned) if use_masks else None
    cameras = [image.camera for image in planned]
    region = scene_region(parsed, cameras, masks, BuildSettings(scene_scale=1.0))
    notes.append(f"scale_mat: {region.description}")
    return replace(parsed, region=region.to_world)
