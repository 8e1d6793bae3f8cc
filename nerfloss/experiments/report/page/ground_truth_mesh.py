"""Ground-truth mesh of a run's scene."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from jaxtyping import Float

from nerfloss.data.errors import DataError
from nerfloss.data.formats.meshes import read_mesh
from nerfloss.data.synthetic.analytic_scenes import MODELS
from nerfloss.data.synthetic.ground_truth_mesh import surface_mesh
from nerfloss.evaluation.nearest_neighbours import nearest
from nerfloss.evaluation.surface_samples import sample_surface

SAMPLES = 200_000
RESOLUTION = 96  # of the marching cubes grid, for analytic scenes


def ground_truth_mesh(config: Mapping[str, Any]) -> trimesh.Trimesh | None:
    """Return the mesh at ``dataset.mesh``, else that of an analytic scene, else None.

    None also if the file is missing: the run may be from another machine.
    """
    dataset = config.get("dataset")
    if not isinstance(dataset, Mapping):
        return None
    if dataset.get("mesh"):
        try:
            return read_mesh(Path(str(dataset["mesh"])))
        except DataError:
            return None
    exact = str(dataset.get("_target_", "")).endswith("AnalyticDataset")
    model = MODELS.get(str(dataset.get("scene"))) if exact else None
    return None if model is None else surface_mesh(model().sdf, RESOLUTION)


def distances_to(
    mesh: trimesh.Trimesh, points: Float[np.ndarray, "points 3"]
) -> Float[np.ndarray, "points"]:
    """Return the approximate distance of each point to the mesh, in scene units.

    The distance to the tangent plane of the nearest surface sample, or to the sample itself if the
    point lies more than two sample spacings to its side.
    """
    samples = sample_surface(mesh, points=SAMPLES, seed=0)
    away, which = nearest(samples.tree, points)
    distance, index = away[:, 0], which[:, 0]
    normal, offset = samples.normals[index], points - samples.points[index]
    height = np.abs((offset * normal).sum(-1))
    aside = np.sqrt(np.maximum(distance**2 - height**2, 0))
    spacing = math.sqrt(float(mesh.area) / SAMPLES)
    return np.where(aside < 2 * spacing, height, distance)
