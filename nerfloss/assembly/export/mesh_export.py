"""Export a run's mesh: surface, culling, decimation, holes, colours, axes, file."""

from math import isinf
from pathlib import Path

import trimesh

from nerfloss.assembly.export.mesh_culling import cull_mesh
from nerfloss.assembly.export.mesh_settings import MeshSettings
from nerfloss.assembly.export.mesh_source import colored_as, source_mesh
from nerfloss.assembly.export.neutral_photographs import appearance_of_colors
from nerfloss.assembly.export.opened_run import OpenedRun
from nerfloss.assembly.export.texture_export import with_texture
from nerfloss.assembly.export.upward import file_transform
from nerfloss.evaluation.mesh_extraction import transformed
from nerfloss.evaluation.mesh_files import MESH_ENDINGS, write_mesh
from nerfloss.evaluation.stage_progress import one_step
from nerfloss.evaluation.surfaces.decimation import decimated, require_fast_simplification
from nerfloss.evaluation.surfaces.holes import watertight_fault, with_holes_filled
from nerfloss.evaluation.surfaces.mesh_cleaning import cleaned
from nerfloss.evaluation.surfaces.texture_atlas import require_xatlas

TEXTURED = (".glb", ".obj")


def check_mesh_file(path: Path, *, texture: bool = False) -> None:
    """Raise ValueError for a file that the mesh cannot be written to, by its ending."""
    if path.suffix.lower() not in MESH_ENDINGS:
        endings = ", ".join(MESH_ENDINGS)
        raise ValueError(f"--mesh {path}: the ending says the format, one of {endings}")
    if texture and path.suffix.lower() not in TEXTURED:
        raise ValueError(f"--texture: {path} holds none; write {' or '.join(TEXTURED)}")


def export_mesh(opened: OpenedRun, path: Path, settings: MeshSettings) -> list[str]:
    """Write the run's mesh to ``path`` and return what was done, as notes.

    The mesh is in the coordinates of the scene's files, turned and scaled by ``settings.axes``.
    Raises ValueError where it is to be watertight and is not, EmptyMesh where there is none.
    """
    check_mesh_file(path, texture=settings.texture is not None)
    # Before minutes of extraction.
    if settings.faces is not None:
        require_fast_simplification()
    if settings.texture is not None:
        require_xatlas()
    surface, note = source_mesh(opened, settings)
    with one_step(opened.progress, "cleaning"):
        mesh, notes = cleaned(surface), [note]
    for rule in settings.cull:
        if rule != "none":
            with one_step(opened.progress, f"culling by {rule}"):
                mesh, note = cull_mesh(mesh, opened, rule)
            notes.append(note)
    mesh = _reduced(mesh, opened, settings, notes)
    fault, faces = watertight_fault(mesh), len(mesh.faces)
    if settings.watertight and fault is not None:
        raise ValueError(f"--watertight: {fault}. {_remedy(settings)}")
    if settings.texture is None:
        mesh = colored_as(mesh, surface, opened)
    else:
        mesh, said = with_texture(mesh, opened, settings)
        notes += said
    if path.suffix.lower() == ".stl":
        notes.append("STL holds no colours")
    elif (note := appearance_of_colors(opened)) is not None:
        notes.append(note)
    if settings.axes.up is not None or settings.axes.unit_scale != 1:
        transform, note = file_transform(opened, settings.axes)
        mesh = transformed(mesh, transform)
        notes += [] if note is None else [note]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_mesh(mesh, path)
    closed = "watertight" if fault is None else f"not watertight: {fault}"
    return [*notes, f"{len(mesh.vertices)} vertices, {faces} faces, {closed}"]


def _reduced(
    mesh: trimesh.Trimesh, opened: OpenedRun, settings: MeshSettings, notes: list[str]
) -> trimesh.Trimesh:
    """Return the mesh with its holes closed and at most as many faces as asked for."""
    if settings.fill_holes > 0:
        size = settings.fill_holes / settings.axes.unit_scale
        with one_step(opened.progress, "closing holes"):
            mesh, filled = with_holes_filled(mesh, size)
        limit = "any size" if isinf(settings.fill_holes) else f"at most {settings.fill_holes:g}"
        closed = f"{filled} hole{'s' * (filled != 1)}" if filled else "no hole"
        notes.append(f"{closed} of {limit} {'was' if filled < 2 else 'were'} closed")
    if settings.faces is not None:
        before = len(mesh.faces)
        with one_step(opened.progress, f"reducing {before} faces"):
            mesh = decimated(mesh, settings.faces)
        if len(mesh.faces) > settings.faces:
            notes.append(
                f"the number of faces went from {before} to {len(mesh.faces)}: fewer would fold it"
            )
    return mesh


def _remedy(settings: MeshSettings) -> str:
    """Return what to do about a mesh that is not watertight."""
    if settings.fill_holes < float("inf"):
        return "Close holes with --fill-holes <size> (inf closes all), or leave --watertight out"
    return "Try another --resolution, more --faces, --components largest, or no --cull"
