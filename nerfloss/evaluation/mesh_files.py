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
from trimesh.visual.material import PBRMaterial
from trimesh.visual.texture import TextureVisuals

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
    STL has none. A texture goes into the GLB, or beside the OBJ as ``.mtl`` and ``.png``.
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
        data = _obj(mesh, path)
    elif path.suffix == ".stl":
        data = export_stl(mesh)
    else:
        raise ValueError(f"a mesh is written as {', '.join(MESH_ENDINGS)}; got '{path.name}'")
    atomic_write(path, data)
    return path


def _obj(mesh: trimesh.Trimesh, path: Path) -> bytes:
    """Return the text of an OBJ file; its material and texture, if any, are written beside it."""
    shown = mesh.copy()
    if isinstance(shown.visual, TextureVisuals):
        if isinstance(shown.visual.material, PBRMaterial):
            shown.visual.material = shown.visual.material.to_simple()
        # The name of both files; OBJ separates names by spaces.
        shown.visual.material.name = "_".join(path.stem.split())
    text, files = export_obj(
        shown,
        include_normals=True,
        return_texture=True,
        header="nerfloss",
        mtl_name=f"{'_'.join(path.stem.split())}.mtl",
    )
    for name, content in files.items():
        atomic_write(path.with_name(name), content)
    return text.encode()
