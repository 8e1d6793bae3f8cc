"""Write meshes: PLY, OBJ and STL for programs, GLB for viewers."""

from pathlib import Path

import numpy as np
import trimesh
from jaxtyping import UInt8
from trimesh.exchange.gltf import export_glb
from trimesh.exchange.obj import export_obj
from trimesh.exchange.ply import export_ply
from trimesh.exchange.stl import export_stl
from trimesh.visual.color import ColorVisuals

from nerfloss.evaluation.errors import EmptyMesh
from nerfloss.files import atomic_write

MESH_ENDINGS = (".ply", ".obj", ".glb", ".stl")


def _linear_light(color: UInt8[np.ndarray, "vertices 4"]) -> UInt8[np.ndarray, "vertices 4"]:
    """Convert sRGB, as stored in images, to the linear light of glTF; opacity is unchanged."""
    stored = color[:, :3] / 255
    linear = np.where(stored <= 0.04045, stored / 12.92, ((stored + 0.055) / 1.055) ** 2.4)
    return np.concatenate([np.round(linear * 255).astype(np.uint8), color[:, 3:]], 1)


def write_mesh(mesh: trimesh.Trimesh, path: Path) -> Path:
    """Write a mesh with its vertex colours as PLY, OBJ, GLB or STL, by the ending of ``path``.

    Axes and units are the mesh's own. Colours are sRGB in PLY and OBJ, linear light in GLB, and
    STL has none.
    Raises EmptyMesh for a mesh without faces, OSError where it cannot be written.
    """
    if len(mesh.faces) == 0:
        raise EmptyMesh(f"there is no surface to write to {path}")
    if path.suffix == ".ply":
        data = export_ply(mesh)
    elif path.suffix == ".glb":
        shown = mesh.copy()
        if isinstance(shown.visual, ColorVisuals) and shown.visual.kind == "vertex":
            shown.visual.vertex_colors = _linear_light(np.asarray(shown.visual.vertex_colors))
        data = export_glb(trimesh.Scene(shown), include_normals=True)
    elif path.suffix == ".obj":
        data = export_obj(mesh, include_normals=True, header="nerfloss").encode()
    elif path.suffix == ".stl":
        data = export_stl(mesh)
    else:
        raise ValueError(f"a mesh is written as {', '.join(MESH_ENDINGS)}; got '{path.name}'")
    atomic_write(path, data)
    return path
