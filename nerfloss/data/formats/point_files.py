"""Observed surface points from PLY files: what structure from motion, stereo or a scanner left."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from nerfloss.data.errors import DataError
from nerfloss.data.sparse_points import SparsePoints

FORMATS = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": "="}
NAMES = "char uchar short ushort int uint float double int8 uint8 int16 uint16 int32 uint32"
CODES = "i1 u1 i2 u2 i4 u4 f4 f8 i1 u1 i2 u2 i4 u4"
TYPES = dict(zip(NAMES.split(), CODES.split(), strict=True)) | {"float32": "f4", "float64": "f8"}
NORMAL = ("nx", "ny", "nz")
MEANT = "dataset.points names a PLY file whose vertices have x, y and z"


def offered_by(path: str | Path) -> frozenset[str]:
    """The quantities that the points of a file give, known from its header."""
    _, _, layout, _ = _read_header(_existing(path))
    names = {"target_points", "target_point_confidence"}
    return frozenset(names | ({"target_point_normals"} if _has(layout, NORMAL) else set()))


def read_points(path: str | Path, to_world: Float[np.ndarray, "4 4"]) -> SparsePoints:
    """The vertices of a file, brought from the data's own coordinates into scene units.

    Points outside the unit ball belong to the surroundings and are left out. Vertices may have
    normals and a ``confidence`` in [0, 1], else 1. Which views see a point is not known.
    Raises DataError where the file cannot be read, or no point lies in the unit ball.
    """
    place = _existing(path)
    kind, count, layout, begin = _read_header(place)
    try:
        if kind == "ascii":
            lines = place.read_bytes()[begin:].decode("ascii").splitlines()[:count]
            rows = np.array([line.split() for line in lines], dtype=np.float64)
            columns = dict(zip(layout.names or (), rows.T, strict=True))
        else:
            stored = np.fromfile(place, layout, count, offset=begin)
            columns = {name: stored[name].astype(np.float64) for name in layout.names or ()}
    except (OSError, ValueError) as error:
        raise DataError(place, f"not a PLY file that can be read ({error})", MEANT) from error
    if len(columns["x"]) != count:
        raise DataError(place, f"{len(columns['x'])} vertices of {count}", "replace the file")
    return _in_scene(columns, to_world, place)


def _in_scene(
    columns: dict[str, np.ndarray], to_world: Float[np.ndarray, "4 4"], place: Path
) -> SparsePoints:
    to_scene = np.linalg.inv(to_world)
    points = np.stack([columns[axis] for axis in "xyz"], -1) @ to_scene[:3, :3].T + to_scene[:3, 3]
    near = np.linalg.norm(points, axis=-1) <= 1.0
    if not near.any():
        found = f"none of its {len(points)} points lies in the unit ball of the scene"
        raise DataError(place, found, "give points in the coordinates of the data's own cameras")
    confidence = columns.get("confidence", np.ones(len(points))).clip(0.0, 1.0)
    normals = None
    if all(name in columns for name in NORMAL):
        turned = np.stack([columns[name] for name in NORMAL], -1)[near] @ to_scene[:3, :3].T
        # A length of 0 says that no normal is known: it stays 0.
        length = np.linalg.norm(turned, axis=-1, keepdims=True)
        normals = torch.from_numpy(turned / np.where(length > 0, length, 1.0)).float()
    return SparsePoints(
        torch.from_numpy(points[near]).float(), torch.from_numpy(confidence[near]).float(), normals
    )


def _existing(path: str | Path) -> Path:
    place = Path(path).expanduser()
    if not place.is_file():
        raise DataError(place, "no such file", MEANT)
    return place


def _read_header(place: Path) -> tuple[str, int, np.dtype, int]:
    """Format, number of vertices, their layout, and the byte at which they begin."""
    with place.open("rb") as file:
        lines = []
        while not lines or lines[-1] != "end_header":
            line = file.readline(4096)
            if not line or (not lines and line.strip() != b"ply"):
                raise DataError(place, "not a PLY file", MEANT)
            lines.append(line.decode("latin-1").strip())
        begin = file.tell()
    words = [line.split() for line in lines if line]
    kind = next((w[1] for w in words if w[0] == "format"), "")
    elements = [i for i, w in enumerate(words) if w[0] == "element"]
    if kind not in FORMATS or not elements or words[elements[0]][1] != "vertex":
        raise DataError(place, "its first element is no vertex", MEANT)
    last = elements[1] if len(elements) > 1 else len(words)
    properties = [w for w in words[elements[0] : last] if w[0] == "property"]
    if any(w[1] not in TYPES for w in properties):
        raise DataError(place, "vertices have properties that are no numbers", MEANT)
    layout = np.dtype([(w[2], FORMATS[kind] + TYPES[w[1]]) for w in properties])
    if not _has(layout, ("x", "y", "z")):
        raise DataError(place, f"vertices have only {', '.join(layout.names or ())}", MEANT)
    return kind, int(words[elements[0]][2]), layout, begin


def _has(layout: np.dtype, names: tuple[str, ...]) -> bool:
    return set(names) <= set(layout.names or ())
