"""Two surfaces to be compared: samples of both, and who is nearest to whom, each made when asked.

The names of what a pair offers are what a geometry metric may ask for by its signature:
``to_target`` (from each predicted sample to the nearest target sample), ``to_prediction`` (the
other way), ``cosines_to_target`` and ``cosines_to_prediction`` (of the normals of these nearest
pairs), ``target_to_surface`` (exact, to the predicted triangles), ``mesh`` and ``target_mesh``.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import trimesh
from jaxtyping import Float, Int
from scipy.spatial import KDTree

from nerfloss.evaluation.errors import EmptyMesh
from nerfloss.evaluation.nearest_neighbours import nearest, tree_of
from nerfloss.evaluation.point_to_triangle import distances_to_surface

OFFERED = (
    "to_target",
    "to_prediction",
    "cosines_to_target",
    "cosines_to_prediction",
    "target_to_surface",
    "mesh",
    "target_mesh",
)


@dataclass(frozen=True)
class SurfaceSamples:
    """Points drawn from a surface, and the normals of the triangles they lie on."""

    points: Float[np.ndarray, "points 3"]
    normals: Float[np.ndarray, "points 3"]

    @cached_property
    def tree(self) -> KDTree:
        return tree_of(self.points)


def sample_surface(mesh: trimesh.Trimesh, *, points: int, seed: int) -> SurfaceSamples:
    """Draw points uniformly by area; the same seed draws the same points.

    Raises EmptyMesh where the mesh has no area.
    """
    cumulative = np.cumsum(mesh.area_faces)
    if len(cumulative) == 0 or not cumulative[-1] > 0:
        raise EmptyMesh("the mesh has no surface: nothing can be measured on it")
    generator = np.random.default_rng(seed)
    face = np.searchsorted(cumulative, generator.random(points) * cumulative[-1], side="right")
    # u: barycentric coordinates; the root makes them uniform over the triangle (Osada et al. 2002).
    root, second = np.sqrt(generator.random(points)), generator.random(points)
    u = np.stack([1 - root, root * (1 - second), root * second], 1)
    corners = mesh.vertices.view(np.ndarray)[mesh.faces[face]]
    return SurfaceSamples(np.einsum("pc,pcx->px", u, corners), mesh.face_normals[face])


@dataclass(frozen=True)
class Surface:
    """A mesh, and samples of it drawn once, when asked for."""

    mesh: trimesh.Trimesh
    points: int = 200_000
    seed: int = 0

    @cached_property
    def samples(self) -> SurfaceSamples:
        return sample_surface(self.mesh, points=self.points, seed=self.seed)


@dataclass(frozen=True)
class SurfacePair:
    """A predicted surface and the true one, in one frame; ``exact_points`` bounds the exact part.

    Give them different seeds: with one, equal meshes are sampled at equal points and seem perfect.
    """

    prediction: Surface
    target: Surface
    exact_points: int = 10_000

    def __getitem__(self, name: str) -> Any:
        """What a metric asks for by name. Raises ValueError, with the names there are."""
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
    def _forward(self) -> tuple[Float[np.ndarray, "points 1"], Int[np.ndarray, "points 1"]]:
        return nearest(self.target.samples.tree, self.prediction.samples.points)

    @cached_property
    def _backward(self) -> tuple[Float[np.ndarray, "points 1"], Int[np.ndarray, "points 1"]]:
        return nearest(self.prediction.samples.tree, self.target.samples.points)

    @property
    def to_target(self) -> Float[np.ndarray, "points"]:
        return self._forward[0][:, 0]

    @property
    def to_prediction(self) -> Float[np.ndarray, "points"]:
        return self._backward[0][:, 0]

    @cached_property
    def cosines_to_target(self) -> Float[np.ndarray, "points"]:
        nearest = self.target.samples.normals[self._forward[1][:, 0]]
        return (self.prediction.samples.normals * nearest).sum(1)

    @cached_property
    def cosines_to_prediction(self) -> Float[np.ndarray, "points"]:
        nearest = self.prediction.samples.normals[self._backward[1][:, 0]]
        return (self.target.samples.normals * nearest).sum(1)

    @cached_property
    def target_to_surface(self) -> Float[np.ndarray, "points"]:
        """Exact distances of the first ``exact_points`` target samples to the predicted mesh."""
        if len(self.mesh.faces) == 0:
            raise EmptyMesh("the mesh has no surface: nothing can be measured on it")
        return distances_to_surface(self.target.samples.points[: self.exact_points], self.mesh)
