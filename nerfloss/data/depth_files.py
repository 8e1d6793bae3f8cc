"""Read depth maps, and how certain they are, in units of the poses."""

import math
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from nerfloss.data.errors import DataError
from nerfloss.data.map_files import MAP_ENDINGS, array_names, pick_array, read_arrays

DEPTH_NAMES = ("depth", "depths", "z", "depth.z", "depth.v", "v", "y", "distance", "arr_0")
CONFIDENCE_NAMES = ("confidence", "conf")
# Renderers store this and more (Blender: 1e10) where a ray meets nothing.
NOTHING = 1e9
# The levels of ARKit: low, medium, high.
LEVELS = 2


def read_depth(path: Path, unit: float) -> Float32[np.ndarray, "height width"]:
    """Read a depth map, multiplied by ``unit``, the length of 1 in units of the poses.

    Unknown depths become 0: values that are 0, negative or not finite, 1e9 and more, and the
    largest of a 16-bit format (65535, or 65504 of half floats), which stands for all that are
    beyond. An npz holds one array, or one named ``depth``; an exr one channel, or one named Z, V
    or depth, or the same in R, G and B.

    Raises DataError for 8 bits, several channels that differ, a unit that is not positive, and all
    that `read_arrays` refuses.
    """
    return _depth(read_arrays(path), path, unit)


def read_depth_with_confidence(
    path: Path, unit: float, confidence: Path | None = None
) -> tuple[Float32[np.ndarray, "height width"], Float32[np.ndarray, "height width"] | None]:
    """Read a depth map and its confidence from 0 to 1, None if there is none.

    The confidence is the file ``confidence``, or an array named so in the depth file (None, or the
    same path). Whole numbers
    up to 2 are ARKit's levels (0, 0.5, 1), others are divided by 255 or 65535; other numbers are
    used as stored. What is not finite is 0.

    Raises DataError for a confidence of another size or beyond 1, and as `read_depth`.
    """
    arrays = read_arrays(path)
    stored = {n: arrays.pop(n) for n in list(arrays) if n.lower() in CONFIDENCE_NAMES}
    depth = _depth(arrays, path, unit)
    source = path if confidence is None else confidence
    if confidence is not None and confidence != path:
        stored = read_arrays(confidence)
    if not stored:
        return depth, None
    values = _one_channel(pick_array(stored, CONFIDENCE_NAMES, source), source)
    if values.shape != depth.shape:
        found = f"confidence of shape {values.shape}, depth of shape {depth.shape}"
        raise DataError(source, found, "both must have one value per pixel")
    return depth, _confidence(values, source)


def find_confidence(path: Path) -> Path | None:
    """Return the file with the confidence of a depth map, None if there is none.

    It has the same name in a folder ``confidence`` or ``conf`` beside the folder of the depths, or
    lies beside the depth as name_confidence or name_conf; any ending of a map. Else it is the depth
    file itself, if that is an npz or an exr with an array named so. Nothing is decoded.
    """
    for word in CONFIDENCE_NAMES:
        for stem in (path.parent.parent / word / path.stem, path.with_name(f"{path.stem}_{word}")):
            for ending in (path.suffix, *MAP_ENDINGS):
                candidate = stem.with_name(stem.name + ending)
                if candidate.is_file():
                    return candidate
    if path.suffix.lower() not in (".npz", ".exr") or not path.is_file():
        return None
    return path if any(n.lower() in CONFIDENCE_NAMES for n in array_names(path)) else None


def _depth(
    arrays: dict[str, np.ndarray], path: Path, unit: float
) -> Float32[np.ndarray, "height width"]:
    if not (math.isfinite(unit) and unit > 0):
        raise DataError(
            path, f"unit of depth {unit}", "give the length of 1, in units of the poses"
        )
    rgb = [array for name, array in arrays.items() if name in ("R", "G", "B")]
    if len(rgb) == 3 and all(np.array_equal(rgb[0], each, equal_nan=True) for each in rgb[1:]):
        arrays = {name: array for name, array in arrays.items() if name not in ("A", "G", "B")}
    values = _one_channel(pick_array(arrays, DEPTH_NAMES, path), path)
    if values.dtype.itemsize == 1:
        found = f"a depth map of {values.dtype}, of 256 levels at most"
        raise DataError(path, found, "store it with 16 bits or as floats")
    with np.errstate(invalid="ignore", over="ignore"):
        numbers = values.astype(np.float64)
    known = (numbers > 0) & (numbers < NOTHING)
    if values.dtype.itemsize == 2:
        limits = np.finfo if values.dtype.kind == "f" else np.iinfo
        known &= numbers < float(limits(values.dtype).max)
    depth = np.where(known, numbers, 0) * unit
    # Beyond the range of float32 is no depth either.
    return np.where(depth < np.finfo(np.float32).max, depth, 0).astype(np.float32)


def _one_channel(values: np.ndarray, path: Path) -> np.ndarray:
    """Return an array of rows and columns; axes of length 1 beside them are dropped."""
    shape = values.shape
    while values.ndim > 2 and 1 in (values.shape[0], values.shape[-1]):
        values = values[0] if values.shape[0] == 1 else values[..., 0]
    if values.ndim != 2:
        remedy = "it must have one number per pixel, in rows and columns"
        raise DataError(path, f"a map of shape {shape}", remedy)
    return values


def _confidence(values: np.ndarray, path: Path) -> Float32[np.ndarray, "height width"]:
    if values.dtype.kind in "ui":
        largest = int(values.max())
        scale = LEVELS if largest <= LEVELS else 255 if largest <= 255 else 65535
        values = values / scale
    with np.errstate(invalid="ignore", over="ignore"):
        values = values.astype(np.float64)
    values = np.where(np.isfinite(values), values, 0)
    if values.min() < 0 or values.max() > 1 + 1e-6:
        found = f"confidence from {values.min():g} to {values.max():g}"
        raise DataError(path, found, "scale it to 0 to 1")
    return values.astype(np.float32)
