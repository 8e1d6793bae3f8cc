"""Read maps of surface normals as unit vectors."""

from pathlib import Path

import numpy as np
from jaxtyping import Float32

from nerfloss.data.errors import DataError
from nerfloss.data.map_files import pick_array, read_arrays

FRAMES = ("camera", "opengl", "world")
NORMAL_NAMES = ("normal", "normals", "arr_0")
# Channels of an exr that are the components, by the last part of their names.
COMPONENTS = (("X", "Y", "Z"), ("R", "G", "B"))
# Lengths that a stored normal may have; what is shorter or longer is unknown.
LENGTHS = (0.5, 1.5)
# A map in which fewer vectors than this have a length of 1 is not one of normals.
LEAST_SHARE = 0.5
TOLERANCE = 0.15


def read_normals(path: Path, frame: str) -> Float32[np.ndarray, "height width 3"]:
    """Read a map of normals: unit vectors, 0 where the normal is unknown.

    ``frame`` is that of the file: ``camera`` (OpenCV axes: x right, y down, z forward), ``opengl``
    (x right, y up, z backward; turned into OpenCV axes here) or ``world`` (as stored). Integers are
    coded as 0 to 1 of their range for -1 to 1; floats are vectors, or coded likewise: whichever
    gives lengths of 1. Unknown are values that are not finite, middle grey, black and white where
    coded, lengths below 0.5 or above 1.5, and pixels whose alpha is 0. The three channels come
    first or last.

    Raises DataError if most vectors are not of length 1, for another number of channels, and for
    all that `read_arrays` refuses.
    """
    if frame not in FRAMES:
        raise ValueError(f"the frame of normals must be one of {', '.join(FRAMES)}, got {frame!r}")
    values, alpha = _components(read_arrays(path), path)
    vectors = _decode(values, path)
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    known = (lengths > LENGTHS[0]) & (lengths < LENGTHS[1])
    if alpha is not None:
        known &= alpha[..., None] > 0
    normals = np.where(known, vectors / np.where(known, lengths, 1), 0)
    if frame == "opengl":
        normals = normals * np.array([1, -1, -1], np.float32)
    return normals.astype(np.float32)


def _components(arrays: dict[str, np.ndarray], path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the three components (height, width, 3), and alpha if there is a fourth channel."""
    for names in COMPONENTS:
        if layer := _layer(arrays, names):
            parts = [layer[name] for name in names]
            if any(part.shape != parts[0].shape for part in layer.values()) or parts[0].ndim != 2:
                raise DataError(path, "channels of different sizes", "store them at one size")
            return np.stack(parts, -1), layer.get("A")
    values = pick_array(arrays, NORMAL_NAMES, path)
    shape = values.shape
    if values.ndim == 4 and shape[0] == 1:
        values = values[0]
    if values.ndim == 3 and values.shape[-1] not in (3, 4) and values.shape[0] in (3, 4):
        values = values.transpose(1, 2, 0)
    if values.ndim != 3 or values.shape[-1] not in (3, 4):
        remedy = "a map of normals has three channels, first or last"
        raise DataError(path, f"an array of shape {shape}", remedy)
    return values[..., :3], values[..., 3] if values.shape[-1] == 4 else None


def _layer(arrays: dict[str, np.ndarray], names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Return the channels of the layer of an exr that has all names; empty if there is none.

    One whose name has ``normal`` in it comes first.
    """
    layers: dict[str, dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        layer, _, channel = name.rpartition(".")
        layers.setdefault(layer, {})[channel.upper()] = array
    fits = [layer for layer in layers if set(names) <= set(layers[layer])]
    if not fits:
        return {}
    best = min(fits, key=lambda layer: "normal" not in layer.lower())
    return {name: array for name, array in layers[best].items() if name in (*names, "A")}


def _decode(values: np.ndarray, path: Path) -> np.ndarray:
    """Return vectors of about length 1; 0 and lengths of sqrt(3) are unknown."""
    if values.dtype.kind == "f":
        with np.errstate(invalid="ignore", over="ignore"):
            values = values.astype(np.float64)
        finite = np.isfinite(values).all(-1, keepdims=True)
        direct = np.where(finite, values, 0).clip(-1e6, 1e6)
        coded = np.where(finite, 2 * direct - 1, 0)
        candidates = [direct, coded] if direct.min() >= 0 and direct.max() <= 1 else [direct]
    elif values.dtype.kind == "u" and values.dtype.itemsize <= 2:
        candidates = [values / np.float64(np.iinfo(values.dtype).max) * 2 - 1]
    else:
        found = f"normals as {values.dtype}"
        raise DataError(path, found, "store floats, or unsigned integers of 8 or 16 bits")
    shares = [_share_of_unit_vectors(each) for each in candidates]
    if max(shares) < LEAST_SHARE:
        found = f"not a map of normals: {max(shares):.0%} of its vectors have a length of 1"
        raise DataError(path, found, "store unit vectors, or 0 to 1 for -1 to 1")
    return candidates[int(np.argmax(shares))]


def _share_of_unit_vectors(vectors: np.ndarray) -> float:
    """Return the fraction of the known vectors whose length is about 1; 1 if none is known."""
    # Where coded: middle grey (128 of 255 is not quite 0), black and white.
    sizes = np.abs(vectors)
    unknown = (sizes.max(-1) < 0.02) | ((sizes > 0.99) & (sizes < 1.01)).all(-1)
    lengths = np.linalg.norm(vectors[~unknown], axis=-1)
    return float((np.abs(lengths - 1) < TOLERANCE).mean()) if len(lengths) else 1.0
