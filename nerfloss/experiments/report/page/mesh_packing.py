"""Meshes for the page: simplified, quantised and base64-encoded."""

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
import trimesh
from jaxtyping import Float, Int, UInt8
from trimesh.visual import ColorVisuals

INT16_MAX = 32767


@dataclass(frozen=True)
class Surface:
    """Triangles with vertex normals and, if known, vertex colors and errors.

    ``error`` is the distance to the ground truth, in the units of the vertices.
    """

    vertices: Float[np.ndarray, "vertices 3"]
    normals: Float[np.ndarray, "vertices 3"]
    faces: Int[np.ndarray, "faces 3"]
    colors: UInt8[np.ndarray, "vertices 3"] | None = None
    error: Float[np.ndarray, "vertices"] | None = None


def surface_of(mesh: trimesh.Trimesh) -> Surface:
    """Convert a mesh; it has colors if the mesh has vertex colors."""
    visual = mesh.visual
    colored = isinstance(visual, ColorVisuals) and visual.kind == "vertex"
    colors = np.asarray(visual.vertex_colors)[:, :3] if colored else None  # type: ignore[union-attr]
    return Surface(
        np.asarray(mesh.vertices, dtype=float),
        np.asarray(mesh.vertex_normals, dtype=float),
        np.asarray(mesh.faces, dtype=np.int64),
        colors,
    )


def simplified(surface: Surface, triangles: int) -> Surface:
    """Simplify a surface to at most ``triangles`` by clustering vertices on a grid.

    Bisection finds the finest sufficient grid. Normals are averaged over each cell, so that the
    result is still shaded smoothly.
    """
    if len(surface.faces) <= triangles:
        return surface
    coarse, fine = 2, 1024
    while fine - coarse > max(1, coarse // 50):
        middle = (coarse + fine) // 2
        if len(_faces_between(_cells(surface, middle)[surface.faces])) > triangles:
            fine = middle
        else:
            coarse = middle
    return _merged(surface, _cells(surface, coarse))


def packed(
    surface: Surface, *, center: Float[np.ndarray, "3"], radius: float, worst: float
) -> dict[str, Any]:
    """Return the arrays for the page's viewer in base64, positions within ``radius`` of ``center``.

    Positions are 16-bit, normals 8-bit, indices 16-bit if possible. ``paint`` is RGB per vertex
    and, as its fourth byte, the error as a fraction of ``worst``.
    """
    positions = np.clip((surface.vertices - center) / radius, -1, 1) * INT16_MAX
    count = len(surface.vertices)
    paint = np.full((count, 4), 200, dtype=np.uint8)
    if surface.colors is not None:
        paint[:, :3] = surface.colors
    if surface.error is not None:
        paint[:, 3] = np.round(255 * np.clip(surface.error / max(worst, 1e-12), 0, 1))
    small = count <= 65536
    return {
        "positions": _base64(np.round(positions).astype("<i2")),
        "normals": _base64(np.round(np.clip(surface.normals, -1, 1) * 127).astype("i1")),
        "paint": _base64(paint),
        "indices": _base64(surface.faces.astype("<u2" if small else "<u4")),
        "wide": not small,
        "colored": surface.colors is not None,
        "judged": surface.error is not None,
        "triangles": len(surface.faces),
    }


def _cells(surface: Surface, resolution: int) -> Int[np.ndarray, "vertices"]:
    """Return the consecutive number of the grid cell of each vertex."""
    low = surface.vertices.min(0)
    size = float(np.ptp(surface.vertices, axis=0).max()) / resolution
    x, y, z = np.floor((surface.vertices - low) / max(size, 1e-12)).astype(np.int64).T
    side = resolution + 1
    return np.unique((x * side + y) * side + z, return_inverse=True)[1].reshape(-1)


def _faces_between(faces: Int[np.ndarray, "faces 3"]) -> Int[np.ndarray, "kept 3"]:
    """Return the faces with three different corners."""
    a, b, c = faces.T
    return faces[(a != b) & (b != c) & (c != a)]


def _merged(surface: Surface, cells: Int[np.ndarray, "vertices"]) -> Surface:
    count = np.bincount(cells)

    def mean(values: np.ndarray) -> np.ndarray:
        columns = values.reshape(len(values), -1).astype(float).T
        total = np.stack([np.bincount(cells, column) for column in columns], -1)
        return (total / count[:, None]).reshape(-1, *values.shape[1:])

    normals = mean(surface.normals)
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    return Surface(
        mean(surface.vertices),
        normals / np.maximum(length, 1e-9),  # opposite normals of a thin sheet cancel to 0
        _faces_between(cells[surface.faces]),
        None if surface.colors is None else np.round(mean(surface.colors)).astype(np.uint8),
        None if surface.error is None else mean(surface.error),
    )


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
