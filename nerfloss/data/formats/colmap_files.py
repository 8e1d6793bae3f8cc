"""Checks that the images of a COLMAP model have files of their own."""

from dataclasses import dataclass
from pathlib import Path

from nerfloss.data.errors import DataError
from nerfloss.data.formats.colmap_entries import ModelImage
from nerfloss.data.formats.parsed_scene import ParseSettings


@dataclass(frozen=True)
class Model:
    """A folder with a model, and its images by number."""

    folder: Path
    images: dict[int, ModelImage]


def check_missing(
    model: Model,
    paths: dict[int, Path | None],
    root: Path,
    settings: ParseSettings,
    notes: list[str],
) -> None:
    """Raise DataError for images without a file, unless they are to be skipped."""
    missing = sorted(model.images[n].name for n, path in paths.items() if path is None)
    if not missing:
        return
    listed = f"{len(missing)} of {len(paths)} images have no file in {root}: {', '.join(missing)}"
    if settings.missing != "skip" or len(missing) == len(paths):
        remedy = "restore the images, set dataset.images, or dataset.missing=skip"
        raise DataError(model.folder, listed, remedy)
    notes.append(f"skipped: {listed}")


def check_files(
    model_path: Path,
    model: Model,
    paths: dict[int, Path | None],
    root: Path,
    notes: list[str],
) -> None:
    """Raise DataError for two images that are one file; note files with another ending or case."""
    by_file: dict[Path, str] = {}
    moved = []
    for number, path in paths.items():
        name = model.images[number].name
        if path is None:
            continue
        if path in by_file:
            found = f"images {by_file[path]!r} and {name!r} are one file, {path}"
            raise DataError(model_path, found, "restore the missing one, or remove it there")
        by_file[path] = name
        if path != root / name.replace("\\", "/"):
            moved.append(f"{name} is {path.name}")
    if moved:
        listed = ", ".join(moved[:3]) + (" ..." if len(moved) > 3 else "")
        notes.append(f"{len(moved)} images have another ending or case than in the model: {listed}")
