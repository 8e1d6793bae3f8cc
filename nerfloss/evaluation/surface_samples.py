"""Two surfaces to compare: samples of both and nearest neighbours, computed when first needed.

A geometry metric takes members of a `SurfacePair` by name: ``to_target`` (distances from predicted
samples to the nearest target samples), ``to_prediction`` (the reverse), ``cosines_to_target`` and
``cosines_to_prediction`` (of the normals of these nearest pairs), ``target_to_surface`` (exact, to
the predicted triangles), ``points`` and ``target_points`` (the samples), ``seen_to_target`` and
``seen_to_prediction`` (as the first two, of the samples that cameras see), ``cloud_to_target`` and
``target_to_cloud`` (of the points of rendered depths, and the target samples that cameras see),
``mesh`` and ``target_mesh``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import trimesh
from jaxtyping import Float, Int
from scipy.spatial import KDTree

from nerfloss.evaluation.errors import EmptyMesh, UndefinedMetric
from nerfloss.evaluation.nearest_neighbours import nearest, tree_of
from nerfloss.evaluation.point_to_triangle import distances_to_surface
from nerfloss.evaluation.virtual_scan import VirtualScan

Cloud = Callable[[], Float[np.ndarray, "points 3"]]
OFFERED = (
    "to_target",
    "to_prediction",
    "cosines_to_target",
    "cosines_to_prediction",
    "target_to_surface",
    "points",
    "target_points",
    "seen_to_target",
    "seen_to_prediction",
    "cloud_to_target",
    "target_to_cloud",
    "mesh",
    "target_mesh",
)


@dataclass(frozen=True)
class SurfaceSamples:
    """Points on a surface, and the normals of the triangles that they lie on."""

    points: Float[np.ndarray, "points 3"]
    normals: Float[np.ndarray, "points 3"]

    @cached_property
    def tree(self) -> KDTree:
        return tree_of(self.points)


def sample_surface(mesh: trimesh.Trimesh, *, points: int, seed: int) -> SurfaceSamples:
    """Return points drawn uniformly by area; equal for equal seeds.

    Raises EmptyMesh where the mesh has no area.
    """
    require_area(mesh)
    samples, face = trimesh.sample.sample_surface(mesh, points, seed=seed)[:2]
    return SurfaceSamples(np.asarray(samples), np.asarray(mesh.face_normals)[face])


def require_area(mesh: trimesh.Trimesh) -> None:
    """Raise EmptyMesh where a mesh has no area."""
    if len(mesh.faces) == 0 or not mesh.area > 0:
        raise EmptyMesh("the mesh has no surface: nothing can be measured on it")


@dataclass(frozen=True)
class Surface:
    """A mesh, and samples of it that are drawn once."""

    mesh: trimesh.Trimesh
    points: int = 200_000
    seed: int = 0

    @cached_property
    def samples(self) -> SurfaceSamples:
        return sample_surface(self.mesh, points=self.points, seed=self.seed)


@dataclass(frozen=True)
class SurfacePair:
    """A predicted surface and the true one in one frame.

    ``exact_points`` is the number of exact distances. The two need different seeds: with one, equal
    meshes are sampled at equal points and score 0 instead of the sampling's floor. ``scan`` are
    cameras around the surfaces, ``cloud`` returns points of rendered depths; None: not known.
    """

    prediction: Surface
    target: Surface
    exact_points: int = 10_000
    scan: VirtualScan | None = None
    cloud: Cloud | None = None

    def __getitem__(self, name: str) -> Any:
        """Return a member that a metric takes. Raises ValueError, with the names there are."""
        if name not in OFFERED:
            raise ValueError(f"a geometry metric asks for '{name}'; there is {', '.join(OFFERED)}")
        return getattr(self, name)

    @property
    def mesh(self) -> trimesh.Trimesh:
        return self.prediction.mesh

    @property
    def target_mesh(self) -> trimesh.Trimesh:
        return self.target.mesh

    @cached_property
    def to_target(self) -> Float[np.ndarray, "points"]:
        return self._nearest_target[0][:, 0]

    @cached_property
    def to_prediction(self) -> Float[np.ndarray, "points"]:
        return self._nearest_prediction[0][:, 0]

    @cached_property
    def cosines_to_target(self) -> Float[np.ndarray, "points"]:
        normals = self.target.samples.normals[self._nearest_target[1][:, 0]]
        return (self.prediction.samples.normals * normals).sum(1)

    @cached_property
    def cosines_to_prediction(self) -> Float[np.ndarray, "points"]:
        normals = self.prediction.samples.normals[self._nearest_prediction[1][:, 0]]
        return (self.target.samples.normals * normals).sum(1)

    @cached_property
    def target_to_surface(self) -> Float[np.ndarray, "points"]:
        """Exact distances of the first ``exact_points`` target samples to the predicted mesh."""
        require_area(self.mesh)
        return distances_to_surface(self.target.samples.points[: self.exact_points], self.mesh)

    @property
    def points(self) -> Float[np.ndarray, "points 3"]:
        return self.prediction.samples.points

    @property
    def target_points(self) -> Float[np.ndarray, "points 3"]:
        return self.target.samples.points

    @cached_property
    def seen_to_target(self) -> Float[np.ndarray, "_"]:
        """Distances of the predicted samples that cameras see to the target samples they see."""
        return nearest(tree_of(self._seen[1]), self._seen[0])[0][:, 0]

    @cached_property
    def seen_to_prediction(self) -> Float[np.ndarray, "_"]:
        return nearest(tree_of(self._seen[0]), self._seen[1])[0][:, 0]

    @cached_property
    def cloud_to_target(self) -> Float[np.ndarray, "_"]:
        """Distances of the points of rendered depths to the target samples."""
        return nearest(self.target.samples.tree, self._cloud)[0][:, 0]

    @cached_property
    def target_to_cloud(self) -> Float[np.ndarray, "_"]:
        return nearest(tree_of(self._cloud), self._seen[1])[0][:, 0]

    @cached_property
    def _seen(self) -> tuple[Float[np.ndarray, "_ 3"], Float[np.ndarray, "_ 3"]]:
        if self.scan is None:
            raise UndefinedMetric("needs cameras around the surface, and there are none")
        found = [points[self.scan.seen(points)] for points in (self.points, self.target_points)]
        if not len(found[0]) or not len(found[1]):
            raise UndefinedMetric("no camera sees one of the surfaces")
        return found[0], found[1]

    @cached_property
    def _cloud(self) -> Float[np.ndarray, "_ 3"]:
        if self.cloud is None:
            raise UndefinedMetric("needs rendered depths, and there are none")
        return self.cloud()

    @cached_property
    def _nearest_target(self) -> tuple[Float[np.ndarray, "points 1"], Int[np.ndarray, "points 1"]]:
        return nearest(self.target.samples.tree, self.prediction.samples.points)

    @cached_property
    def _nearest_prediction(
        self,
    ) -> tuple[Float[np.ndarray, "points 1"], Int[np.ndarray, "points 1"]]:
        return nearest(self.prediction.samples.tree, self.target.samples.points)
