"""The extracted mesh with colours, in the coordinates of the data."""

import logging

import trimesh

from nerfloss.evaluation.errors import reason_for
from nerfloss.evaluation.inputs import EvaluatedModel, GroundTruth
from nerfloss.evaluation.mesh_extraction import transformed, with_vertex_colors
from nerfloss.evaluation.surface_scores import LESS_MEMORY

log = logging.getLogger(__name__)


def world_mesh(
    mesh: trimesh.Trimesh, model: EvaluatedModel, ground_truth: GroundTruth, chunk: int
) -> trimesh.Trimesh | None:
    """Return the mesh with vertex colours in the data's own coordinates; None on failure."""
    try:
        if model.colors is not None:
            mesh = with_vertex_colors(mesh, model.colors, device=model.box.device, chunk=chunk)
        return transformed(mesh, ground_truth.to_world)
    except Exception as error:
        log.warning("no mesh: %s", reason_for(error, "colouring the mesh", LESS_MEMORY))
        return None
