"""Bake a texture onto an exported mesh, with the colours of the model or of the photographs."""

import logging

import numpy as np
import trimesh

from nerfloss.assembly.export.mesh_settings import MeshSettings
from nerfloss.assembly.export.neutral_photographs import neutral_photographs
from nerfloss.assembly.export.opened_run import OpenedRun
from nerfloss.assembly.export.surface_visibility import SurfaceVisibility
from nerfloss.assembly.export.texture_colors import ModelColors, PhotographColors
from nerfloss.evaluation.mesh_extraction import transformed
from nerfloss.evaluation.surfaces.texture_atlas import textured

log = logging.getLogger(__name__)

MANY_FACES = 100_000


def with_texture(
    mesh: trimesh.Trimesh, opened: OpenedRun, settings: MeshSettings
) -> tuple[trimesh.Trimesh, list[str]]:
    """Return a mesh in the files' coordinates with a texture, and notes of its colours.

    Raises ValueError for a model without colours.
    """
    size, colors = settings.texture, opened.model.colors
    assert size is not None
    if colors is None:
        raise ValueError(f"--texture: the model of {opened.folder} has no colours")
    if len(mesh.faces) > MANY_FACES:
        log.warning("unwrapping %d faces takes minutes: give --faces, too", len(mesh.faces))
    moved = transformed(mesh, np.linalg.inv(opened.to_files))
    visible = SurfaceVisibility(moved, opened.scene.train)
    notes: list[str] = []
    if settings.texture_from == "photographs":
        neutral, note = neutral_photographs(opened)
        notes += [] if note is None else [note]
        source = PhotographColors(colors, visible, neutral)
        of = "of the photographs, and of the model's colours where none sees the surface well"
    else:
        source, of = ModelColors(colors, visible), "of the model's colours"
    made = textured(moved, source, size, device=opened.device, progress=opened.progress)
    return transformed(made, opened.to_files), [*notes, f"a texture of {size} x {size}, {of}"]
