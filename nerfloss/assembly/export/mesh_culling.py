"""Rules by which an exported mesh is cut: training masks, training views, the region."""

import logging

import numpy as np
import trimesh
from jaxtyping import Bool

from nerfloss.assembly.export.opened_run import OpenedRun
from nerfloss.data.visual_hull import default_votes, points_in_masks
from nerfloss.evaluation.mesh_extraction import TOLERANCE, MeshExtraction
from nerfloss.evaluation.surfaces.vertex_culling import culled

log = logging.getLogger(__name__)

# Masks are known to a pixel or two.
MARGIN = 3  # pixels


def cull_mesh(mesh: trimesh.Trimesh, opened: OpenedRun, rule: str) -> tuple[trimesh.Trimesh, str]:
    """Return the part of a mesh in the files' coordinates that a rule keeps, and a note.

    ``masks`` keeps what no training view sees outside of its mask, widened by 3 pixels; ``views``
    what the training views see (`TrainingVisibility`); ``region`` what lies in the unit ball of the
    scene. Raises ValueError for masks where there are none, EmptyMesh where nothing is left.
    """
    keep = {"masks": _in_masks, "views": _in_views, "region": _in_region}[rule](mesh, opened)
    return culled(mesh, keep, rule)


def _in_masks(mesh: trimesh.Trimesh, opened: OpenedRun) -> Bool[np.ndarray, "vertices"]:
    views = opened.scene.train
    if views.mask is None:
        raise ValueError(
            f"--cull masks: the scene of {opened.folder} has no masks; use --cull views or region"
        )
    points = opened.in_scene(mesh.vertices).cpu()
    cameras, votes = views.cameras.to("cpu"), default_votes(views)
    return points_in_masks(points, views.mask.cpu(), cameras, MARGIN, votes).numpy()


def _in_views(mesh: trimesh.Trimesh, opened: OpenedRun) -> Bool[np.ndarray, "vertices"]:
    visible = opened.model.visible
    assert visible is not None
    extraction = opened.run.evaluator.mesh or MeshExtraction()
    cell = opened.box_size / extraction.resolution
    log.info("rendering rays from the training views to %d vertices", len(mesh.vertices))
    return visible(opened.in_scene(mesh.vertices), TOLERANCE * cell).cpu().numpy()


def _in_region(mesh: trimesh.Trimesh, opened: OpenedRun) -> Bool[np.ndarray, "vertices"]:
    return (opened.in_scene(mesh.vertices).norm(dim=1) <= 1).cpu().numpy()
