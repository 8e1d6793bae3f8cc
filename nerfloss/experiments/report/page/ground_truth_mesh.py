"""The true surface of a run's scene, where it can be had without reading the scene's images."""

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
RESOLUTION = 96  # of an exact scene's mesh: about as fine as the page shows


def true_mesh(config: Mapping[str, Any]) -> trimesh.Trimesh | None:
    """The mesh that ``dataset.mesh`` names, else that of an exact scene, else None.

    None as well where the file is not to be had any more: the run may be from another machine.
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
    """The distance of each point to the mesh, good to the eye: thousands of points a second.

    Above a sample the distance is that to the sample's plane, further aside that to the sample.
    """
    samples = sample_surface(mesh, points=SAMPLES, seed=0)
    away, which = nearest(samples.tree, points)
    distance, index = away[:, 0], which[:, 0]
    normal, offset = samples.normals[index], points - samples.points[index]
    height = np.abs((offset * normal).sum(-1))
    aside = np.sqrt(np.maximum(distance**2 - height**2, 0))
    spacing = math.sqrt(float(mesh.area) / SAMPLES)
    return np.where(aside < 2 * spacing, height, distance)
