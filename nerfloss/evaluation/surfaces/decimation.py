"""Reduce the number of faces of a mesh by quadric edge collapse."""

import importlib.util

import numpy as np
import trimesh

from nerfloss.evaluation.surfaces.holes import with_shared_edges_replaced
from nerfloss.evaluation.surfaces.mesh_cleaning import cleaned

FEWEST = 4  # faces of a closed surface
MOST_BELOW = 0.1  # of the faces asked for, by which the package is asked for fewer
EXTRA = "pip install 'nerfloss[export]'"


def decimated(mesh: trimesh.Trimesh, faces: int) -> trimesh.Trimesh:
    """Return the mesh with at most ``faces`` faces, as far as that is possible.

    Smaller meshes are returned as they are. Colours are not carried over. A closed mesh stays
    closed. Raises ModuleNotFoundError without the package fast-simplification
    (extra ``export``).
    Reference: Garland and Heckbert, Surface Simplification Using Quadric Error Metrics, 1997.
    """
    if len(mesh.faces) <= faces:
        return mesh
    require_fast_simplification()
    from fast_simplification import simplify  # pyright: ignore[reportMissingImports]

    # The package stores positions as floats: near the origin they lose nothing.
    center = np.asarray(mesh.vertices).mean(0)
    points = np.ascontiguousarray(mesh.vertices - center, dtype=np.float64)
    triangles = np.ascontiguousarray(mesh.faces, dtype=np.int32)
    target = faces
    while True:
        found = simplify(points, triangles, target_count=target)
        vertices, left = np.asarray(found[0]) + center, np.asarray(found[1])
        smaller = cleaned(trimesh.Trimesh(vertices, left, process=False))
        smaller = with_shared_edges_replaced(smaller)
        # Replaced faces are a few more than there were.
        excess = len(smaller.faces) - faces
        if excess <= 0 or target - excess < FEWEST or faces - target > faces * MOST_BELOW:
            return smaller
        target -= excess


def require_fast_simplification() -> None:
    """Raise ModuleNotFoundError, which names the extra, if the package is not installed."""
    if importlib.util.find_spec("fast_simplification") is None:
        message = f"fewer faces need the package fast-simplification: {EXTRA}"
        raise ModuleNotFoundError(message, name="fast_simplification")
