"""From a signed distance to a triangle mesh: marching cubes, clean-up, colour."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import trimesh
from jaxtyping import Float
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from skimage.measure import marching_cubes
from torch import Tensor

from nerfloss.evaluation.errors import EmptyMesh, UndefinedMetric
from nerfloss.evaluation.octree_sampling import Field, Probe, SparseLattice, sample_near_surface
from nerfloss.evaluation.oom_retry import ChunkSize

Colors = Callable[[Float[Tensor, "points 3"], Float[Tensor, "points 3"]], Float[Tensor, "points 3"]]


@dataclass(frozen=True)
class MeshExtraction:
    """How a mesh is made from a field that is negative inside.

    ``resolution`` counts cells along the longest side of the box (rounded up to a multiple of 16);
    ``lipschitz`` is the steepest slope the field may have, 1 for an exact distance: what is further
    from the surface than it allows is never evaluated. None is for fields of any slope, such as
    densities: every second node is evaluated, and all of them where these differ in sign.
    ``level`` is the value of the field on the surface.
    """

    resolution: int = 256
    level: float = 0.0
    lipschitz: float | None = 2.0
    largest_component: bool = True
    chunk: int = 2**17

    def __call__(self, field: Field, box: Float[Tensor, "2 3"]) -> trimesh.Trimesh:
        """Mesh of the level set inside the box, faces outward, in the frame of the box.

        Raises EmptyMesh where the level is not met, UndefinedMetric where values are not finite.
        """
        corners = box.detach().double().cpu().numpy()
        lattice = SparseLattice.over(corners, self.resolution)
        chunk = ChunkSize(self.chunk, "eval.mesh.chunk")
        probe = Probe(lambda points: field(points) - self.level, lattice, box.device, chunk)
        values = sample_near_surface(probe, self.lipschitz)
        mesh = self._march(values, lattice)
        return largest_component(mesh) if self.largest_component else mesh

    def _march(self, values: np.ndarray, lattice: SparseLattice) -> trimesh.Trimesh:
        low, high = float(values.min()) + self.level, float(values.max()) + self.level
        if not np.isfinite([low, high]).all():
            raise UndefinedMetric(
                f"the field is not finite everywhere in the box (it ranges from {low} to {high}): "
                "a mesh needs a field that is; look at the training's log for where it diverged"
            )
        if low >= self.level or high <= self.level:
            raise EmptyMesh(
                f"the field has no surface at level {self.level:g} inside the box: its values "
                f"there range from {low:.4g} to {high:.4g}"
            )
        vertices, faces, _, _ = marching_cubes(
            values, 0.0, spacing=tuple(lattice.spacing), allow_degenerate=False
        )
        return trimesh.Trimesh(vertices + lattice.low, faces, process=False)


def largest_component(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The connected part of the mesh with the most area."""
    count = len(mesh.vertices)
    edges = mesh.faces[:, [0, 1, 1, 2]].reshape(-1, 2).T
    graph = coo_array((np.ones(edges.shape[1], dtype=bool), tuple(edges)), shape=(count, count))
    part = connected_components(graph, directed=False)[1][mesh.faces[:, 0]]
    keep = part == np.bincount(part, weights=mesh.area_faces).argmax()
    used, faces = np.unique(mesh.faces[keep], return_inverse=True)
    return trimesh.Trimesh(mesh.vertices[used], faces.reshape(-1, 3), process=False)


def colored(
    mesh: trimesh.Trimesh, colors: Colors, *, device: torch.device, chunk: int = 2**17
) -> trimesh.Trimesh:
    """The mesh with a colour at each vertex, from ``colors(points, outward normals)`` in [0, 1]."""
    points = torch.from_numpy(np.array(mesh.vertices, dtype=np.float32))
    normals = torch.from_numpy(np.array(mesh.vertex_normals, dtype=np.float32))
    found = np.empty((len(points), 4), dtype=np.uint8)
    found[:, 3] = 255

    def paint(some: slice) -> None:
        value = colors(points[some].to(device), normals[some].to(device))
        found[some, :3] = (value.clamp(0, 1) * 255).round().byte().cpu().numpy()

    with torch.no_grad():
        ChunkSize(chunk, "eval.mesh.chunk")(paint, len(points))
    return trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_colors=found, process=False)


def transformed(mesh: trimesh.Trimesh, transform: Float[np.ndarray, "4 4"]) -> trimesh.Trimesh:
    """The mesh in another frame; faces stay outward, also through a reflection."""
    moved = mesh.copy()
    moved.apply_transform(transform)
    return moved
