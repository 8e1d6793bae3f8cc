"""A run's mesh with quantities and terms as colours and properties of its vertices."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import trimesh
from jaxtyping import Float

from nerfloss.assembly.export.mesh_settings import MeshSettings
from nerfloss.assembly.export.mesh_source import source_mesh
from nerfloss.assembly.export.opened_run import OpenedRun
from nerfloss.assembly.loss_maps.map_pictures import SILENT
from nerfloss.assembly.loss_maps.map_ranges import Range, range_of
from nerfloss.assembly.loss_maps.surface import Surface
from nerfloss.assembly.loss_maps.surface_quantities import QUANTITIES
from nerfloss.assembly.loss_maps.surface_terms import reason_against, term_at_points
from nerfloss.evaluation.colormaps import INFERNO, RED_BLUE, apply_colormap
from nerfloss.evaluation.mesh_files import write_mesh

ENDINGS = (".ply", ".glb")
Values = Float[np.ndarray, "vertices"]


def check_surface_file(path: Path) -> None:
    """Raise ValueError for a file that cannot hold numbers of vertices, by its ending."""
    if path.suffix.lower() not in ENDINGS:
        raise ValueError(f"--mesh {path}: numbers of vertices fit into {' or '.join(ENDINGS)}")


def export_surface(
    opened: OpenedRun, path: Path, names: Sequence[str], resolution: int | None = None
) -> list[str]:
    """Write the run's mesh with vertex values; return notes.

    The vertices are coloured by the first of ``names``, quantities or terms of the recipe; all are
    properties of the vertices (in GLB with an underscore before the name). None: all that the run
    has. With a ``resolution`` the mesh is extracted anew. In the coordinates of the scene's files.
    Raises ValueError for a name that the run does not have, with the reason, and EmptyMesh where
    there is no surface.
    """
    check_surface_file(path)
    settings = MeshSettings(resolution=resolution)
    known = [*QUANTITIES, *(name for name in opened.run.recipe.terms if name not in QUANTITIES)]
    for name in names:
        if name not in known:
            raise ValueError(f"--show {name} is none of {', '.join(known)}")
    mesh, note = source_mesh(opened, settings)
    surface, notes = Surface(opened, mesh), [note]
    values: dict[str, Values] = {}
    chosen = list(names or known)
    for done, name in enumerate(chosen):
        opened.progress("quantities and terms", done, len(chosen))
        found = _values(surface, name)
        if isinstance(found, str):
            if names:
                raise ValueError(f"--show {name}: {found}")
            notes.append(f"no {name}: {found}")
        else:
            values[name] = found
    opened.progress("quantities and terms", len(chosen), len(chosen))
    if not values:
        raise ValueError(f"--mesh: {opened.folder} has no quantity of surface points to show")
    shown = next(iter(values))
    span = _span(shown, values[shown])
    write_mesh(_painted(mesh, values, shown, span), path)
    low, high = span.ends
    unit = QUANTITIES[shown].unit if shown in QUANTITIES else "unweighted value of the term"
    mean = float(np.nanmean(values[shown]))
    notes.append(f"colours: {shown}, from {low} to {high}, mean {mean:.3g} ({unit})")
    return [*notes, f"properties of {len(mesh.vertices)} vertices: {', '.join(values)}"]


def painted_mesh(
    opened: OpenedRun, mesh: trimesh.Trimesh, name: str
) -> tuple[trimesh.Trimesh, str]:
    """Return a run's mesh coloured by a quantity or a term, and a note on the colours.

    ``mesh`` is in the coordinates of the scene's files. Raises ValueError, with the reason, where
    the run does not have it.
    """
    found = _values(Surface(opened, mesh), name)
    if isinstance(found, str):
        raise ValueError(f"no {name}: {found}")
    span = _span(name, found)
    low, high = span.ends
    unit = QUANTITIES[name].unit if name in QUANTITIES else "unweighted value of the term"
    return _painted(mesh, {name: found}, name, span), f"mesh: {name}, from {low} to {high} ({unit})"


def _values(surface: Surface, name: str) -> Values | str:
    """Return the values at the vertices, or the reason why there are none."""
    if name in QUANTITIES:
        quantity = QUANTITIES[name]
        return quantity.reason_against(surface) or quantity.compute(surface)
    term = surface.opened.run.recipe.terms[name]
    if reason := reason_against(term, surface):
        return reason
    found = term_at_points(term, surface)
    return "it has no value of a single point" if found is None else found


def _span(name: str, values: Values) -> Range:
    colors = QUANTITIES[name].colors if name in QUANTITIES else INFERNO
    span = range_of([values], colors)
    if colors != RED_BLUE:
        return span
    # The middle colour is 0; convex is blue.
    most = max(abs(span.low), abs(span.high))
    beyond = bool(np.nanmax(np.abs(values)) > most)
    return Range(-most, most, colors, below=beyond, beyond=beyond)


def _painted(
    mesh: trimesh.Trimesh, values: dict[str, Values], shown: str, span: Range
) -> trimesh.Trimesh:
    image = values[shown][None]
    colors = apply_colormap(np.nan_to_num(image), span.low, span.high, colors=span.colors)
    colors[~np.isfinite(image)] = SILENT
    painted = trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_colors=colors[0], process=False)
    painted.vertex_attributes.update(
        {name: value.astype(np.float32) for name, value in values.items()}
    )
    return painted
