"""Section on surfaces: interactive meshes, colored by their distance to the ground truth."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from nerfloss.experiments.report.page.ground_truth_mesh import distances_to, ground_truth_mesh
from nerfloss.experiments.report.page.mesh_packing import Surface, packed, simplified, surface_of
from nerfloss.experiments.report.page.renders import as_json
from nerfloss.experiments.report.page.section import LeftOut, Section, Widget
from nerfloss.experiments.report.page.study import Group, Study

TITLE = "Surfaces"
MAX_MESHES = 12
MAX_TRIANGLES, TRIANGLES_OF_ALL = 60_000, 300_000
GROUND_TRUTH = "ground truth"
# Monotone lightness: readable without color vision.
RAMP = ((240, 237, 230), (247, 214, 140), (240, 150, 70), (200, 72, 46), (110, 22, 40))


@dataclass(frozen=True)
class Shown:
    """A simplified surface; ``triangles`` is the number before."""

    label: str
    scene: str
    surface: Surface
    triangles: int


def shape(study: Study) -> Section | LeftOut:
    """Return the mesh of each variant's first finished run, and the ground truth by scene."""
    groups = [group for group in study.groups if mesh_of(group.shown.folder) is not None]
    if not groups:
        reason = "no run has a mesh.ply: it is written if eval.mesh is set and a surface was found"
        return LeftOut(TITLE, reason)
    chosen = groups[:MAX_MESHES]
    allowed = min(MAX_TRIANGLES, TRIANGLES_OF_ALL // len(chosen))
    shown: list[Shown] = []
    for scene in dict.fromkeys(group.scene for group in chosen):
        members = [group for group in chosen if group.scene == scene]
        truth = ground_truth_mesh(members[0].shown.config)
        found = [each for group in members for each in _read(group, allowed)]
        shown += found if truth is None else _with_errors(found, truth)
        if found and truth is not None:
            shown.append(_shown(GROUND_TRUTH, scene, truth, allowed))
    if not shown:
        return LeftOut(TITLE, "no mesh.ply could be read")
    worst = max((_large(each.surface) for each in shown), default=0.0)
    data = {"meshes": [_packed(each, shown, worst) for each in shown], "ramp": RAMP}
    left = f" {len(groups) - len(chosen)} more are not shown." if len(groups) > len(chosen) else ""
    reading = (
        "Surface of each variant's first finished seed, in the coordinates of the data. If the "
        f"ground truth is known, colors show the distance to it, on one scale for all.{left}"
    )
    gradient = ",".join(f"rgb{color}" for color in RAMP)
    more = {"worst": f"{worst:.2g}", "gradient": gradient}
    return Section("surfaces", TITLE, reading, [Widget("meshes", as_json(data), more=more)])


def mesh_of(folder: Path) -> Path | None:
    """Return the mesh of a run, if any."""
    path = folder / "mesh.ply"
    return path if path.is_file() else None


def _read(group: Group, triangles: int) -> list[Shown]:
    path = mesh_of(group.shown.folder)
    try:
        mesh = trimesh.load_mesh(path)
    except Exception:  # trimesh raises many kinds of errors for damaged files
        return []
    if not isinstance(mesh, trimesh.Trimesh) or len(mesh.faces) == 0:
        return []
    return [_shown(group.label, group.scene, mesh, triangles)]


def _with_errors(shown: list[Shown], truth: trimesh.Trimesh) -> list[Shown]:
    """Return the surfaces with the distances of their vertices to the ground truth."""
    vertices = [each.surface.vertices for each in shown]
    if not vertices:
        return []
    ends = np.cumsum([len(each) for each in vertices])[:-1]
    errors = np.split(distances_to(truth, np.concatenate(vertices)), ends)
    return [
        replace(each, surface=replace(each.surface, error=error))
        for each, error in zip(shown, errors, strict=True)
    ]


def _shown(label: str, scene: str, mesh: trimesh.Trimesh, triangles: int) -> Shown:
    return Shown(label, scene, simplified(surface_of(mesh), triangles), len(mesh.faces))


def _large(surface: Surface) -> float:
    """Return the 98th percentile of the error: outliers would use up the color scale."""
    return 0.0 if surface.error is None else float(np.percentile(surface.error, 98))


def _packed(one: Shown, shown: list[Shown], worst: float) -> dict[str, Any]:
    """Return a mesh for the viewer, in the common frame of its scene."""
    ends = [s.surface.vertices for s in shown if s.scene == one.scene]
    low = np.min([vertices.min(0) for vertices in ends], 0)
    high = np.max([vertices.max(0) for vertices in ends], 0)
    center = 0.5 * (low + high)
    radius = max(float(np.linalg.norm(vertices - center, axis=1).max()) for vertices in ends)
    found = packed(one.surface, center=center, radius=radius, worst=worst)
    before = one.triangles if one.triangles > found["triangles"] else None
    return {**found, "label": one.label, "scene": one.scene, "thinned": before}
