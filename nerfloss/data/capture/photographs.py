"""Find photographs in a folder, and read size, orientation and focal length from their headers."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import ExifTags, Image, UnidentifiedImageError

from nerfloss.data.errors import DataError
from nerfloss.data.formats.image_paths import HEIC_ENDINGS, PHOTOGRAPHS
from nerfloss.data.image_headers import register_heif

# Diagonal in millimetres of the frame that "35 mm equivalent" focal lengths refer to.
FULL_FRAME_DIAGONAL = math.hypot(36, 24)


@dataclass(frozen=True)
class Photograph:
    """One photograph: ``name`` is its path relative to the folder, with its ending.

    ``width`` and ``height`` are in pixels, after EXIF orientation is applied; ``turned`` says that
    EXIF orientation is not the stored one. ``focal`` is the focal length divided by the image's
    diagonal, None if the header does not say. ``device`` is the camera as its header names it.
    """

    name: str
    path: Path
    width: int
    height: int
    turned: bool = False
    focal: float | None = None
    device: str = ""


def collect_photographs(folder: Path) -> list[Photograph]:
    """Return the photographs of a folder and its sub-folders, in the natural order of their names.

    Hidden folders are left out. Raises DataError if there are fewer than 3, or if one cannot be
    read; all unreadable ones are named.
    """
    if not folder.is_dir():
        raise DataError(folder, "no such folder", "give a folder of photographs or a video")
    paths = [path for path in folder.rglob("*") if path.suffix.lower() in PHOTOGRAPHS]
    inside = [(path, path.relative_to(folder)) for path in paths if path.is_file()]
    shown = [(p, rel) for p, rel in inside if not any(part.startswith(".") for part in rel.parts)]
    if len(shown) < 3:
        found = f"{len(shown)} photographs" if shown else _contents(folder)
        remedy = f"structure from motion needs at least 3 files of {', '.join(PHOTOGRAPHS)}"
        raise DataError(folder, found, f"{remedy}; 20 to 200 are usual")
    shown.sort(key=lambda pair: natural_key(pair[1].as_posix()))
    heic = [path for path, _ in shown if path.suffix.lower() in HEIC_ENDINGS]
    if heic:
        register_heif(heic[0])
    photographs, faults = [], []
    for path, relative in shown:
        try:
            photographs.append(_read_header(path, relative.as_posix()))
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            faults.append(f"{relative.as_posix()} ({_reason(error)})")
    if faults:
        found = f"{len(faults)} of {len(shown)} files are not images: {', '.join(faults[:8])}"
        raise DataError(folder, found, "replace these files, or take them out of the folder")
    return photographs


def natural_key(name: str) -> list[tuple[int, int | str]]:
    """Return a key that sorts numbers in names by value: ``2.jpg`` before ``10.jpg``."""
    key: list[tuple[int, int | str]] = []
    for part in _split_digits(name):
        # isdecimal also admits digits of other scripts, which int() reads.
        key.append((0, int(part)) if part.isdecimal() else (1, part.lower()))
    return [*key, (2, name)]


def _split_digits(name: str) -> Iterable[str]:
    part = ""
    for letter in name:
        if part and letter.isdecimal() != part[-1].isdecimal():
            yield part
            part = ""
        part += letter
    if part:
        yield part


def _contents(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    if not names:
        return "the folder is empty"
    return f"no photographs, only {', '.join(names[:5])}{' ...' if len(names) > 5 else ''}"


def _reason(error: Exception) -> str:
    return "no image" if isinstance(error, UnidentifiedImageError) else str(error)


def _read_header(path: Path, name: str) -> Photograph:
    with Image.open(path) as image:
        width, height = image.size
        exif = image.getexif()
    orientation = exif.get(ExifTags.Base.Orientation, 1)
    turned = orientation in range(2, 9)
    if orientation in (5, 6, 7, 8):
        width, height = height, width
    details = exif.get_ifd(ExifTags.IFD.Exif)
    maker = (exif.get(ExifTags.Base.Make), exif.get(ExifTags.Base.Model))
    lens = (details.get(ExifTags.Base.LensModel), _number(details, ExifTags.Base.FocalLength))
    device = " ".join(str(part).strip("\0 ") for part in (*maker, *lens) if part)
    focal = focal_of_exif(details, width, height)
    return Photograph(name, path, width, height, turned, focal, device)


def focal_of_exif(details: dict, width: int, height: int) -> float | None:
    """Return the focal length, divided by the diagonal, that EXIF states; None without one.

    The 35 mm equivalent is used where it is given, else the focal length and the resolution of the
    focal plane. Where EXIF holds the size of an image of another shape, this one was cropped, and
    its focal length is unknown.
    """
    long, short = max(width, height), min(width, height)
    stored = [_number(details, tag) for tag in _SIZE_TAGS]
    across, down = stored
    if across and down and abs(min(across, down) / max(across, down) - short / long) > 0.02:
        return None
    equivalent = _number(details, ExifTags.Base.FocalLengthIn35mmFilm)
    if equivalent:
        return _plausible(equivalent / FULL_FRAME_DIAGONAL)
    length = _number(details, ExifTags.Base.FocalLength)
    resolution = _number(details, ExifTags.Base.FocalPlaneXResolution)
    units = {2: 25.4, 3: 10.0, 4: 1.0}
    unit = units.get(int(_number(details, ExifTags.Base.FocalPlaneResolutionUnit) or 2))
    if length and resolution and unit and across and down:
        return _plausible(length * resolution / unit / math.hypot(across, down))
    return None


_SIZE_TAGS = (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight)


def _number(details: dict, tag: int) -> float | None:
    """Return a positive number of EXIF; None where it is missing, 0 / 0 or no number."""
    try:
        value = float(details[tag])
    except (KeyError, TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return value if math.isfinite(value) and value > 0 else None


def _plausible(focal: float) -> float | None:
    """Return a focal length unless no lens has it: fields of view of 2 to 150 degrees."""
    return focal if 0.13 < focal < 29 else None
