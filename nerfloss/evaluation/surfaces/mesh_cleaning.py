"""Remove duplicate vertices, and degenerate and duplicate faces, from a mesh."""

import numpy as np
import trimesh
from jaxtyping import Bool, Int

# Vertices nearer than this fraction of the mesh's extent are one vertex.
MERGE = 1e-9


def cleaned(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """Return the mesh without duplicate vertices and without degenerate or duplicate faces.

    Vertices nearer than 1e-9 of the extent become one. Of faces with the same vertices one is kept;
    where they face both ways they bound nothing, and none is. Orientation is unchanged. Colours
    are not carried over. A mesh without faces stays without.
    """
    vertices = np.asarray(mesh.vertices, dtype=np.float64)
    faces = np.asarray(mesh.faces, dtype=np.int64)
    if len(faces) == 0:
        return trimesh.Trimesh(np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64), process=False)
    extent = float(np.ptp(vertices, axis=0).max()) or 1.0
    rounded = np.round((vertices - vertices.min(0)) / (MERGE * extent)).astype(np.int64)
    _, first, number = np.unique(rounded, axis=0, return_index=True, return_inverse=True)
    faces = number.reshape(-1)[faces]
    vertices = vertices[first]
    faces = faces[_has_area(vertices, faces)]
    faces = faces[_is_single(faces)]
    used, faces = np.unique(faces, return_inverse=True)
    return trimesh.Trimesh(vertices[used], faces.reshape(-1, 3), process=False)


def _has_area(vertices: np.ndarray, faces: Int[np.ndarray, "faces 3"]) -> Bool[np.ndarray, "faces"]:
    """Return which faces have three vertices that do not lie on a line."""
    distinct = (faces != np.roll(faces, 1, axis=1)).all(1)
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    return distinct & (np.cross(b - a, c - a) != 0).any(1)


def _is_single(faces: Int[np.ndarray, "faces 3"]) -> Bool[np.ndarray, "faces"]:
    """Return one face of each set of equal ones, and none of those that face both ways."""
    ordered = np.sort(faces, axis=1)
    # A rotation of the corners keeps the orientation; the sign of the permutation tells it.
    lowest = faces.argmin(1)
    rows = np.arange(len(faces))
    forward = faces[rows, (lowest + 1) % 3] < faces[rows, (lowest + 2) % 3]
    _, first, number = np.unique(ordered, axis=0, return_index=True, return_inverse=True)
    balance = np.bincount(number.reshape(-1), weights=np.where(forward, 1, -1))
    counts = np.bincount(number.reshape(-1))
    keep = np.zeros(len(faces), dtype=bool)
    keep[first[(counts == 1) | (balance != 0)]] = True
    return keep
