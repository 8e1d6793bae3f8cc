"""The surface that an export begins with: the run's mesh.ply, or one extracted or fused anew."""

from dataclasses import replace
from typing import cast

import numpy as np
import trimesh
from jaxtyping import UInt8
from scipy.spatial import KDTree
from trimesh.visual.color import ColorVisuals

from nerfloss.assembly.export.depth_fusion import fused_mesh
from nerfloss.assembly.export.mesh_settings import MeshSettings
from nerfloss.assembly.export.opened_run import OpenedRun
from nerfloss.evaluation.errors import EmptyMesh
from nerfloss.evaluation.mesh_components import Components, select_components
from nerfloss.evaluation.mesh_extraction import (
    TOLERANCE,
    MeshExtraction,
    transformed,
    with_vertex_colors,
)
from nerfloss.evaluation.model_mesh import mesh_of_model
from nerfloss.evaluation.stage_progress import one_step


def source_mesh(opened: OpenedRun, settings: MeshSettings) -> tuple[trimesh.Trimesh, str]:
    """Return the run's surface in the coordinates of its files, and a note of its source.

    The run's mesh.ply is taken where no setting asks for another surface and it is not older than
    the checkpoint. Raises EmptyMesh, with the reason, where there is no surface.
    """
    if settings.method == "tsdf" or (settings.method == "auto" and not opened.is_distance):
        return _fused(opened, settings)
    written = opened.folder / "mesh.ply"
    if not settings.anew and written.is_file():
        if written.stat().st_mtime >= opened.checkpoint.stat().st_mtime:
            mesh = trimesh.load_mesh(written, process=False)
            assert isinstance(mesh, trimesh.Trimesh)
            return mesh, f"the mesh that the run wrote ({written})"
        why = ", since mesh.ply is older than the checkpoint"
    else:
        why = "" if settings.anew else ", since the run has no mesh.ply"
    mesh, resolution = extracted_mesh(opened, settings)
    return mesh, f"a mesh extracted at resolution {resolution}{why}"


def _fused(opened: OpenedRun, settings: MeshSettings) -> tuple[trimesh.Trimesh, str]:
    extraction = _extraction(opened, settings)
    fused = fused_mesh(opened, extraction.resolution)
    with one_step(opened.progress, "connected parts"):
        mesh, report = select_components(
            fused,
            cast(Components, extraction.components),
            visible=opened.model.visible,
            tolerance=TOLERANCE * opened.box_size / extraction.resolution,
            device=opened.device,
        )
    note = f"the rendered depth of the training views, fused at resolution {extraction.resolution}"
    return transformed(mesh, opened.to_files), f"{note}; {report}"


def _extraction(opened: OpenedRun, settings: MeshSettings) -> MeshExtraction:
    """Return the run's own extraction with the resolution and the components asked for."""
    changes = {"resolution": settings.resolution, "components": settings.components}
    given = {name: value for name, value in changes.items() if value is not None}
    return replace(opened.run.evaluator.mesh or MeshExtraction(), **given)


def extracted_mesh(opened: OpenedRun, settings: MeshSettings) -> tuple[trimesh.Trimesh, int]:
    """Return the level set of the trained field in the files' coordinates, and its resolution."""
    extraction = _extraction(opened, settings)
    found, reason = mesh_of_model(opened.model, extraction, opened.progress)
    if found is None:
        raise EmptyMesh(f"{opened.folder} gives no mesh: {reason}")
    return transformed(found.mesh, opened.to_files), extraction.resolution


def colored_as(
    mesh: trimesh.Trimesh, source: trimesh.Trimesh, opened: OpenedRun
) -> trimesh.Trimesh:
    """Return the mesh with a colour per vertex.

    Where ``source`` has colours it is that of the nearest vertex, else the model's colour, seen
    along the inverted normal.
    """
    known = vertex_colors(source)
    if known is not None:
        colors = known[KDTree(source.vertices).query(mesh.vertices)[1]]
    elif opened.model.colors is not None:
        moved = transformed(mesh, np.linalg.inv(opened.to_files))
        with one_step(opened.progress, "colours of vertices"):
            painted = with_vertex_colors(moved, opened.model.colors, device=opened.device)
        colors = vertex_colors(painted)
    else:
        return mesh
    return trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_colors=colors, process=False)


def vertex_colors(mesh: trimesh.Trimesh) -> UInt8[np.ndarray, "vertices 4"] | None:
    """Return the colours of a mesh's vertices, None where it has none."""
    visual = mesh.visual
    if not isinstance(visual, ColorVisuals) or visual.kind != "vertex":
        return None
    return np.asarray(visual.vertex_colors)
