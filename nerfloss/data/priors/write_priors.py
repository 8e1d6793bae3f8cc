"""Estimate maps for every image of a scene and write them where the readers look for them."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from nerfloss.data.errors import DataError
from nerfloss.data.formats.image_sizes import PlannedImage, plan_images
from nerfloss.data.formats.parsed_scene import ParsedScene
from nerfloss.data.image_reading import read_image
from nerfloss.data.priors.estimator import Estimator, maps_of
from nerfloss.data.priors.prior_files import FOLDERS, prior_file
from nerfloss.files import atomic_write

# Estimates are mapped to this range, as their scale and shift are unknown; 0 is unknown.
RANGE = (0.1, 1.0)
# File beside the maps with the name of the estimator.
MODEL = "model.txt"
# Least share of vectors whose length is within 0.1 of 1.
LEAST_NORMALS = 0.5


@dataclass(frozen=True)
class WrittenPriors:
    """Numbers of views whose maps were written, and whose maps were there."""

    written: int
    there: int


def write_priors(
    parsed: ParsedScene,
    estimator: Estimator,
    kinds: tuple[str, ...],
    *,
    name: str,
    progress: Callable[[int, int], None] | None = None,
) -> WrittenPriors:
    """Write the maps of ``kinds`` for every frame; views that have all of them are skipped.

    The estimator gets each image as training reads it: upright, RGB, full size. Each file is
    written in whole or not at all, so that the same call goes on after an interruption. ``name`` of
    the estimator is stored beside the maps. ``progress`` is called with the number of views that
    are done, and of all. Raises DataError, with the path of the image, for a map that cannot be
    one, and for a folder with maps of another estimator.
    """
    for folder in folders_of(parsed, kinds):
        _check_model(folder / MODEL, name)
    planned, written = plan_images(parsed.frames, 1), 0
    for done, image in enumerate(planned):
        if progress is not None:
            progress(done, len(planned))
        files = {kind: prior_file(parsed.folder, kind, image.frame.name) for kind in kinds}
        if all(path.is_file() for path in files.values()):
            continue
        pixels = read_image(image.frame.image, "RGB", image.size, image.upright)
        maps = maps_of(estimator(pixels), kinds)
        checked = {kind: _checked(kind, maps[kind], image) for kind in kinds}
        for kind, path in files.items():
            atomic_write(path, _as_npy(checked[kind]))
        written += 1
    if progress is not None:
        progress(len(planned), len(planned))
    return WrittenPriors(written, len(planned) - written)


def used_terms(kinds: tuple[str, ...]) -> list[str]:
    """Return the terms that compare with estimates of these kinds, as overrides."""
    terms = {"depth": "relative_depth", "disparity": "disparity", "normal": "normal_l1"}
    return [f"+loss/term@loss.terms.{kind}={terms[kind]}" for kind in kinds]


def folders_of(parsed: ParsedScene, kinds: tuple[str, ...]) -> list[Path]:
    """Return the folders to which maps of these kinds are written."""
    return [parsed.folder / FOLDERS[kind] for kind in kinds]


def _check_model(path: Path, name: str) -> None:
    """Store the name of the estimator. Raises DataError if the maps are another one's."""
    if not path.is_file():
        atomic_write(path, f"{name}\n".encode())
        return
    before = path.read_text(encoding="utf-8", errors="replace").strip()
    if before != name:
        found = f"the maps beside it are of --model {before}, not {name}"
        raise DataError(path, found, "take the same model, or remove the folder")


def _checked(kind: str, values: np.ndarray, image: PlannedImage) -> Float32[np.ndarray, "..."]:
    """Return a map to be stored. Raises DataError for one that does not fit the image."""
    channels = 3 if kind == "normal" else 1
    shape, values = values.shape, _squeezed(values, channels)
    path, (width, height) = image.frame.image, image.size
    if values.ndim != (2 if channels == 1 else 3) or values.dtype.kind not in "uif":
        found = f"the model's {kind} has shape {shape} and type {values.dtype}"
        raise DataError(path, found, f"return rows and columns, and {channels} number(s) for each")
    rows, columns = values.shape[:2]
    if abs(columns * height - rows * width) > max(rows, columns, width, height):
        found = f"the model's {kind} has {columns} x {rows} pixels, the image {width} x {height}"
        raise DataError(path, found, "return a map of the image's aspect ratio")
    values = values.astype(np.float32)
    known = np.isfinite(values)
    if kind == "normal":
        lengths = np.linalg.norm(np.where(known, values, 0), axis=-1)
        if (np.abs(lengths - 1) < 0.1).mean() < LEAST_NORMALS:
            raise DataError(path, "most of the model's normals are no unit vectors", "return such")
        return np.where(known.all(-1, keepdims=True), values, 0)
    low, high = (values[known].min(), values[known].max()) if known.any() else (0.0, 0.0)
    if not high > low:
        raise DataError(path, f"the model's {kind} is the same everywhere", "check the model")
    scaled = RANGE[0] + (RANGE[1] - RANGE[0]) * (values - low) / (high - low)
    return np.where(known, scaled, 0).astype(np.float32)


def _squeezed(values: np.ndarray, channels: int) -> np.ndarray:
    """Return an array without axes of length 1 in front, and of one channel behind."""
    while values.ndim > (2 if channels == 1 else 3) and values.shape[0] == 1:
        values = values[0]
    if channels == 1 and values.ndim == 3 and values.shape[-1] == 1:
        return values[..., 0]
    return values


def _as_npy(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()
