"""The image and mask files that the names in a COLMAP model mean."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from nerfloss.data.errors import DataError
from nerfloss.data.formats.image_paths import IMAGE_ENDINGS, without_ending
from nerfloss.data.formats.parsed_scene import ParseSettings

MASKS = ("masks", "mask")


class FileIndex:
    """The image files below a folder, by relative path without regard to case."""

    def __init__(self, root: Path) -> None:
        self.by_path: dict[str, Path] = {}
        self.by_stem: dict[str, list[Path]] = {}
        for path in sorted(root.rglob("*")):
            if path.suffix.lower() in IMAGE_ENDINGS and path.is_file() and path.name[0] != ".":
                relative = path.relative_to(root).as_posix()
                self.by_path.setdefault(relative.lower(), path)
                self.by_stem.setdefault(_stem(relative).lower(), []).append(path)
        self.root = root

    def __len__(self) -> int:
        return sum(len(paths) for paths in self.by_stem.values())

    def find(self, name: str) -> Path | None:
        """Return the file of an image; its ending may differ. Raises DataError if unclear."""
        name = name.replace("\\", "/")
        exact = self.root / name
        # Names are read from a file, which may be anyone's: none leads out of the folder.
        inside = Path(os.path.abspath(exact)).is_relative_to(os.path.abspath(self.root))
        plain = inside and ".." not in PurePosixPath(name).parts and "\0" not in name
        if plain and _is_file(exact):
            return exact
        found = self.by_path.get(name.lower())
        return found or self._one(_stem(name).lower(), name)

    def find_mask(self, name: str) -> Path | None:
        """Return the mask of an image: ``name.jpg.png`` as COLMAP has it, or ``name.png``."""
        name = name.replace("\\", "/").lower()
        for stem in (name, _stem(name)):
            if found := self._one(stem, name):
                return found
        return None

    def _one(self, stem: str, name: str) -> Path | None:
        paths = self.by_stem.get(stem, [])
        if len(paths) > 1:
            found = f"several files for {name!r}: {', '.join(path.name for path in paths)}"
            raise DataError(self.root, found, "keep the one that belongs to the model")
        return paths[0] if paths else None


def image_folder(
    folder: Path, model: Path, names: Sequence[str], settings: ParseSettings, notes: list[str]
) -> Path:
    """Return the folder of the images. Raises DataError if there is none."""
    bases = [folder, *_parents(folder, model)]
    if folder == model:
        bases += list(folder.resolve().parents)[:3]
    if settings.images is not None:
        for base in bases:
            if (base / settings.images).is_dir():
                return base / settings.images
        found = f"no folder {settings.images} (dataset.images)"
        raise DataError(folder, found, "set dataset.images to the folder of the images")
    if settings.downscale > 1:
        for base in bases:
            smaller = base / f"images_{settings.downscale}"
            if smaller.is_dir():
                notes.append(f"{smaller}: used for downscale={settings.downscale}")
                return smaller
    for base in bases:
        if (base / "images").is_dir():
            return base / "images"
    for base in bases:
        for factor in (2, 4, 8):
            if (base / f"images_{factor}").is_dir():
                notes.append(f"{base}: no images/, images_{factor}/ is used")
                return base / f"images_{factor}"
    for base in bases:
        for place in (base, base / "input", base / "rgb", base / "image"):
            if any(_is_file(place / name) for name in names):
                notes.append(f"{base}: no images/, the images in {place} are used")
                return place
    found = "no folder images/ for the images of the model"
    raise DataError(folder, found, "set dataset.images to the folder of the images")


def mask_folder(images: Path) -> Path | None:
    """Return the folder of masks beside that of the images."""
    number = re.search(r"_\d+$", images.name)
    endings = ("", number.group()) if number else ("",)
    places = [images.parent / f"{name}{end}" for end in reversed(endings) for name in MASKS]
    return next((place for place in places if place.is_dir()), None)


def frame_names(names: Sequence[str]) -> dict[str, str]:
    """Return the unique names of frames: without the ending, unless two would be equal."""
    count = Counter(_stem(name) for name in names)
    return {name: name if count[_stem(name)] > 1 else _stem(name) for name in names}


def natural(name: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts numbers in names by value, however many digits they have."""
    parts = [part for part in re.split(r"([0-9]+)", name) if part]
    return [_value(part) if "0" <= part[0] <= "9" else (1, 0, part) for part in parts]


def _value(digits: str) -> tuple[int, int, str]:
    digits = digits.lstrip("0")
    return 0, len(digits), digits


def _stem(name: str) -> str:
    return without_ending(PurePosixPath(name.replace("\\", "/")))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _parents(folder: Path, model: Path) -> list[Path]:
    """Return the folders between that of the scene and the model, the nearest to it last."""
    return [each for each in model.parents if each != folder and folder in each.parents]
