"""Where the files of DTU's MVS data lie: images, calibration and reference geometry of a scan."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nerfloss.data.errors import DataError
from nerfloss.data.formats.image_pairs import list_images, natural_key
from nerfloss.data.formats.image_paths import IMAGE_ENDINGS, is_file, is_folder, without_ending
from nerfloss.data.formats.parsed_scene import ParseSettings
from nerfloss.data.reference_files import ReferenceFiles

CONTENT = "a scan of DTU's MVS data (a folder with rect_001_3_r5000.png ..., e.g. Rectified/scan24)"
# rect_001_3_r5000: position 1, light 3; clean_001_max: position 1, the brightest of all lights.
IMAGE = re.compile(r"(?:rect|clean)_(\d{1,6})_(\d|max)(?:_r5000)?", re.IGNORECASE)
SCAN = re.compile(r"scan_?(\d{1,6})(?:_.*)?", re.IGNORECASE)
FOLDERS = ("Rectified", "Cleaned")
# Where the archives, as they are unpacked, put the other files, beside or above the images.
ROOTS = ("", "MVS Data", "MVS_Data", "SampleSet/MVS Data", "SampleSet/MVS_Data", "SampleSet")
LEVELS = 4  # folders above the images in which they are looked for
LIGHT = "3"  # all lamps on


def image_folders(folder: Path) -> list[Path]:
    """Return the folders with images of a scan: the folder itself, or those of all scans in it."""
    if _has_images(folder):
        return [folder]
    scans = [each for each in _subfolders(folder) if SCAN.fullmatch(each.name)]
    found = [each for each in scans if _has_images(each)]
    for root in ROOTS[:3]:
        for name in FOLDERS:
            place = folder / root / name
            scans = [place, *_subfolders(place)]
            found += [each for each in scans if _has_images(each)]
    return found


def image_folder(folder: Path, settings: ParseSettings, notes: list[str]) -> Path:
    """Return the folder with the images of the scan.

    Raises DataError if there is none, and for a folder with several scans.
    """
    if settings.images is not None:
        place = folder / settings.images
        if not _has_images(place):
            raise DataError(place, "no images rect_XXX_Y_r5000.png", f"give {CONTENT}")
        return place
    found = image_folders(folder)
    if not found:
        raise DataError(folder, "no images rect_XXX_Y_r5000.png", f"dataset.path must be {CONTENT}")
    if len({each.name for each in found if each.name not in FOLDERS}) > 1:
        listed = ", ".join(str(each.relative_to(folder)) for each in found[:5])
        listed += f" ... ({len(found)})" if len(found) > 5 else ""
        remedy = f"set dataset.path to one of them, e.g. {found[0]}"
        raise DataError(folder, f"holds several scans: {listed}", remedy)
    if len(found) > 1:
        notes.append(f"images of {found[0]} are used, those of {found[1]} are not")
    return found[0]


def images_by_position(root: Path, notes: list[str]) -> dict[int, Path]:
    """Return the images of one light by the number of their position.

    The light is 3 (all lamps on) where there is one, else that of the most images. Raises DataError
    for two images of one position and light.
    """
    matches = [(path, IMAGE.fullmatch(without_ending(path.name))) for path in list_images(root)]
    named = [(path, int(m[1]), m[2].lower()) for path, m in matches if m is not None]
    if not named:
        raise DataError(root, "no images rect_XXX_Y_r5000.png", f"dataset.path must be {CONTENT}")
    count = Counter(light for _, _, light in named)
    light = LIGHT if LIGHT in count else max(sorted(count), key=lambda each: count[each])
    chosen: dict[int, Path] = {}
    for path, position, its in named:
        if its == light and chosen.setdefault(position, path) != path:
            found = f"{chosen[position].name} and {path.name} are of one position"
            raise DataError(root, found, "keep one of them")
    others = ", ".join(sorted(each for each in count if each != light))
    rest = f"; those of {others} are not: a folder (dataset.images) with others replaces it"
    notes.append(f"images of light {light} are used{rest if others else ''}")
    if alone := len(matches) - len(named):
        notes.append(f"{root}: {alone} images have other names than DTU's, and are not used")
    return chosen


def calibration(root: Path) -> dict[int, Path]:
    """Return the files pos_XXX.txt by position. Raises DataError if there are none."""
    for base in _bases(root):
        for name in ("Calibration/cal18", "cal18"):
            place = base / name
            if files := _positions(place):
                return files
    found = f"no Calibration/cal18/pos_001.txt ... beside it, or up to {LEVELS} folders above"
    raise DataError(root, found, "copy Calibration/ of DTU's SampleSet.zip to one of these")


def reference(root: Path, folder: Path, notes: list[str]) -> ReferenceFiles:
    """Return the files of the scan's evaluation, by the number N in a folder's name scanN."""
    names = [root.name, *(each.name for each in root.absolute().parents[:2]), folder.name]
    match = next((m for m in map(SCAN.fullmatch, names) if m is not None), None)
    if match is None:
        notes.append("the folder's name is not scanN: reference geometry is not looked for")
        return ReferenceFiles()
    scan = int(match[1])
    points = [f"{place}stl/stl{scan:03d}_total.ply" for place in ("Points/", "Points/Points/")]
    wanted = {
        "points": points,
        "observed": [f"ObsMask/ObsMask{scan}_10.mat"],
        "plane": [f"ObsMask/Plane{scan}.mat"],
    }
    bases = list(_bases(root))
    paths = {
        key: next((b / n for b in bases for n in relative if is_file(b / n)), None)
        for key, relative in wanted.items()
    }
    found = ReferenceFiles(
        points=paths["points"],
        to_reference=np.eye(4),
        observed=paths["observed"],
        plane=paths["plane"],
    )
    missing = [wanted[key][0] for key, path in paths.items() if path is None]
    said = ", ".join(path.name for path in found.files) or "none"
    without = f"; not there: {', '.join(missing)}" if missing else ""
    notes.append(f"reference geometry of scan {scan}: {said}{without}")
    return found


def _bases(root: Path) -> Iterator[Path]:
    """Yield the folders in which the other files may lie, the nearest to the images first."""
    for level in (root, *root.absolute().parents[:LEVELS]):
        yield from (level / name for name in ROOTS)


def _has_images(place: Path) -> bool:
    return any(
        path.suffix.lower() in IMAGE_ENDINGS and IMAGE.fullmatch(without_ending(path.name))
        for path in _entries(place)
    )


def _subfolders(place: Path) -> list[Path]:
    return sorted((path for path in _entries(place) if is_folder(path)), key=natural_key)


def _positions(place: Path) -> dict[int, Path]:
    matches = ((re.fullmatch(r"pos_(\d{1,6})\.txt", p.name), p) for p in sorted(_entries(place)))
    return {int(match[1]): path for match, path in matches if match is not None}


def _entries(place: Path) -> list[Path]:
    try:
        return list(place.iterdir())
    except (OSError, ValueError):
        return []
