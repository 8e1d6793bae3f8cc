"""Write meshes: PLY for programs, GLB for viewers."""

from pathlib import Path

import numpy as np
import trimesh
from jaxtyping import UInt8
from trimesh.exchange.gltf import export_glb
from trimesh.exchange.ply import export_ply
from trimesh.visual.color import ColorVisuals

from nerfloss.evaluation.errors import EmptyMesh
from nerfloss.files import atomic_write


def _linear_light(color: UInt8[np.ndarray, "vertices 4"]) -> UInt8[np.ndarray, "vertices 4"]:
    """Convert sRGB, as stored in images, to the linear light of glTF; opacity is unchanged."""
    stored = color[:, :3] / 255
    linear = np.where(stored <= 0.04045, stored / 12.92, ((stored + 0.055) / 1.055) ** 2.4)
    return np.concatenate([np.round(linear * 255).astype(np.uint8), color[:, 3:]], 1)


def write_mesh(mesh: trimesh.Trimesh, path: Path) -> Path:
    """Write a mesh with its vertex colours as ``.ply`` or ``.glb``, by the ending of ``path``.

    Axes and units are the mesh's own. Colours are sRGB in PLY and linear light in GLB.
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
    else:
        raise ValueError(f"a mesh is written as .ply or .glb, got '{path.name}'")
    atomic_write(path, data)
    return path
