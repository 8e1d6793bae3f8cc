"""The surface of a run as points at which quantities and terms are evaluated."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import trimesh
from jaxtyping import Float
from scipy.spatial import KDTree
from torch import Tensor

from nerfloss.assembly.export.opened_run import OpenedRun
from nerfloss.assembly.training_visibility import TrainingVisibility
from nerfloss.evaluation.mesh_extraction import transformed

CHUNK = 2**14  # points
# By how much a rendered surface may lie beside the mesh, in parts of the box.
TOLERANCE = 0.01
# Vertices whose visibility is rendered: a ray for each view, 32 times as many in all.
RENDERED = 8192


@dataclass(frozen=True)
class Surface:
    """A run, and its ``mesh`` in the coordinates of the scene's files."""

    opened: OpenedRun
    mesh: trimesh.Trimesh

    @cached_property
    def in_scene(self) -> trimesh.Trimesh:
        """The mesh in scene units."""
        return transformed(self.mesh, np.linalg.inv(self.opened.to_files))

    @cached_property
    def points(self) -> Float[Tensor, "vertices 3"]:
        """The vertices in scene units, on the model's device."""
        return self._tensor(self.in_scene.vertices)

    @cached_property
    def normals(self) -> Float[Tensor, "vertices 3"]:
        """The unit normals of the mesh at its vertices, in the scene's axes, outward."""
        return self._tensor(self.in_scene.vertex_normals)

    def at_points(self, needs: Collection[str]) -> dict[str, Tensor]:
        """Return quantities of the field at the vertices, evaluated in chunks."""
        field = self.opened.run.model.field
        with torch.no_grad():
            parts = [field(points, needs) for points in self.points.split(CHUNK)]
        return {name: torch.cat([part[name] for part in parts]) for name in needs}

    @cached_property
    def views_that_see(self) -> Float[Tensor, "views vertices"]:
        """1 where a training view sees a vertex: at most 32 views, evenly spread.

        Of a larger mesh 8192 vertices are tried; the others are seen as the nearest of these is.
        """
        visible, count = self.visibility, len(self.points)
        tried = torch.linspace(0, count - 1, min(count, RENDERED)).round().long()
        points, tolerance = self.points[tried], TOLERANCE * self.opened.box_size
        views, seen = visible.views, []
        for done, view in enumerate(views):
            self.opened.progress("views of the vertices", done, len(views))
            seen.append(visible.seen_by(view, points, tolerance))
        self.opened.progress("views of the vertices", len(views), len(views))
        seen = torch.stack(seen).float()
        if len(tried) == count:
            return seen
        nearest = KDTree(points.cpu().numpy()).query(self.points.cpu().numpy())[1]
        return seen[:, torch.from_numpy(nearest).to(seen.device)]

    @cached_property
    def visibility(self) -> TrainingVisibility:
        """The training views, as the run refined them."""
        cameras = self.opened.scene.train.cameras.to(self.points.device)
        return TrainingVisibility(self.opened.model.render, cameras)

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.array(values, dtype=np.float32)).to(self.opened.device)
