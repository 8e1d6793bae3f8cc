"""Sparse surface points from PLY files, e.g. from structure from motion, stereo or a scanner."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from trimesh.exchange.ply import load_ply

from nerfloss.data.errors import DataError
from nerfloss.data.sparse_points import SparsePoints

NORMAL = ("nx", "ny", "nz")
REMEDY = "set dataset.points to a PLY file whose vertices have x, y and z"


def point_quantities(path: str | Path) -> frozenset[str]:
    """Return the names of the quantities that the points of a file provide."""
    names = {"target_points", "target_point_confidence"}
    normals = {"target_point_normals"} if read_vertices(path).keys() >= {*NORMAL} else set()
    return frozenset(names | normals)


def read_points(path: str | Path, to_world: Float[np.ndarray, "4 4"]) -> SparsePoints:
    """Read the vertices of a file and map them from the coordinates of the data to scene units.

    Points outside the unit ball are dropped. Normals are optional, and so is ``confidence`` in
    [0, 1], by default 1. Visibility is unknown. Raises DataError if the file cannot be read, or no
    point lies in the unit ball.
    """
    columns = read_vertices(path)
    to_scene = np.linalg.inv(to_world)
    points = np.stack([columns[axis] for axis in "xyz"], -1) @ to_scene[:3, :3].T + to_scene[:3, 3]
    inside = np.linalg.norm(points, axis=-1) <= 1.0
    if not inside.any():
        found = f"none of its {len(points)} points lies in the unit ball of the scene"
        raise DataError(path, found, "give points in the coordinates of the data's own cameras")
    confidence = columns.get("confidence", np.ones(len(points))).clip(0.0, 1.0)
    normals = None
    if columns.keys() >= {*NORMAL}:
        rotated = np.stack([columns[name] for name in NORMAL], -1)[inside] @ to_scene[:3, :3].T
        # A normal of length 0 means unknown and stays 0.
        length = np.linalg.norm(rotated, axis=-1, keepdims=True)
        normals = torch.from_numpy(rotated / np.where(length > 0, length, 1.0)).float()
    return SparsePoints(
        torch.from_numpy(points[inside]).float(),
        torch.from_numpy(confidence[inside]).float(),
        normals,
    )


def read_vertices(path: str | Path, remedy: str = REMEDY) -> dict[str, Float[np.ndarray, "points"]]:
    """Return the properties of the vertices by name, among them x, y and z.

    Raises DataError, with the remedy, for a missing or broken file.
    """
    place = Path(path).expanduser()
    if not place.is_file():
        raise DataError(place, "no such file", remedy)
    try:
        with place.open("rb") as file:
            # trimesh keeps properties without a meaning of their own, as confidence, only here.
            vertex = load_ply(file)["metadata"]["_ply_raw"]["vertex"]
        columns = {
            name: np.asarray(vertex["data"][name], dtype=np.float64).reshape(-1)
            for name in vertex["properties"]
        }
    except Exception as error:  # trimesh raises whatever its readers do
        raise DataError(place, f"not a PLY file with vertices ({error!r})", remedy) from error
    count = vertex["length"]
    if any(axis not in columns for axis in "xyz"):
        raise DataError(place, "its vertices lack x, y or z", remedy)
    if any(len(values) != count for values in columns.values()):
        raise DataError(place, f"{len(columns['x'])} vertices of {count}", "replace the file")
    return columns
