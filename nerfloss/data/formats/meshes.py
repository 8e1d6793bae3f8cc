"""Read ground-truth meshes."""

from pathlib import Path

import numpy as np
import trimesh

from nerfloss.data.errors import DataError


def read_mesh(path: str | Path) -> trimesh.Trimesh:
    """Read a triangle mesh, in the coordinates of its file.

    Raises DataError if the file is missing or unreadable, or has no finite triangles.
    """
    place = Path(path).expanduser()
    if not place.is_file():
        raise DataError(
            place, "no such mesh", "set dataset.mesh to a PLY, OBJ, STL, OFF or GLB file"
        )
    try:
        mesh = trimesh.load_mesh(place)
    except Exception as error:  # trimesh raises whatever its readers do
        raise DataError(place, f"not a readable mesh ({error})", "convert it to PLY") from error
    if not isinstance(mesh, trimesh.Trimesh) or len(mesh.faces) == 0:
        raise DataError(
            place, "no triangles", "a point cloud is not enough: reconstruct a mesh from it"
        )
    if not np.isfinite(mesh.vertices).all():
        raise DataError(place, "vertices with NaN or infinity", "repair the mesh")
    return mesh
