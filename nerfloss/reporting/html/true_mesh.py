"""The true surface of a run's scene, where it can be had without reading the scene's images."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import trimesh

from nerfloss.data.errors import DataError
from nerfloss.data.gallery import MODELS
from nerfloss.data.meshes import read_mesh
from nerfloss.data.truth import surface_mesh

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
