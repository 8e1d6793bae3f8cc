"""Fuse depth maps into a truncated signed distance on a grid, and extract its zero level."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import torch
import trimesh
from jaxtyping import Float
from skimage.measure import marching_cubes
from torch import Tensor

from nerfloss.evaluation.crossed_cells import check_crossed_cells, crossed_cells
from nerfloss.evaluation.errors import EmptyMesh
from nerfloss.evaluation.sparse_lattice import SparseLattice

NODES_AT_ONCE = 2**18
# Of points: the depth map's value along the ray to each, and which points lie in the image.
DepthLookup = Callable[[Float[Tensor, "points 3"]], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class DepthView:
    """A depth map as a function of points: (depth seen towards them, in the image or not).

    Depth is the distance from ``center``, 0 where nothing is hit.
    """

    center: Float[Tensor, "3"]
    lookup: DepthLookup


@dataclass(frozen=True)
class Fusion:
    """Fusion of depth maps into a truncated signed distance, positive in front of surfaces.

    ``truncation`` is the distance, in cells, up to which a surface is known behind what is seen.
    Nodes that no view observes have no value, so the surface ends there.
    Reference: Curless and Levoy, A Volumetric Method for Building Complex Models from Range
    Images, 1996.
    """

    lattice: SparseLattice
    truncation: float = 4.0
    nodes_at_once: int = field(default=NODES_AT_ONCE)

    def __call__(self, views: Iterable[DepthView], device: torch.device) -> trimesh.Trimesh:
        """Return the mesh of all views, oriented outward. Raises EmptyMesh without a surface."""
        shape = self.lattice.shape
        total = np.zeros(int(np.prod(shape)), dtype=np.float32)
        count = np.zeros(len(total), dtype=np.float32)
        length = self.truncation * float(self.lattice.spacing.max())
        for view in views:
            for begin in range(0, len(total), self.nodes_at_once):
                rows = slice(begin, min(begin + self.nodes_at_once, len(total)))
                distance, weight = _observed(view, self._nodes(rows).to(device), length)
                total[rows] += (distance * weight).cpu().numpy()
                count[rows] += weight.cpu().numpy()
        return self._surface(total.reshape(shape), count.reshape(shape))

    def _nodes(self, rows: slice) -> Float[Tensor, "nodes 3"]:
        index = np.unravel_index(np.arange(rows.start, rows.stop), self.lattice.shape)
        return torch.from_numpy(self.lattice.positions(np.stack(index, 1)).astype(np.float32))

    def _surface(
        self, total: Float[np.ndarray, "x y z"], count: Float[np.ndarray, "x y z"]
    ) -> trimesh.Trimesh:
        seen = count > 0
        values = np.where(seen, total / np.maximum(count, 1), 1.0).astype(np.float32)
        if not (seen & (values < 0)).any() or not (seen & (values > 0)).any():
            raise EmptyMesh("the rendered depth of the training views shows no surface in the box")
        check_crossed_cells(crossed_cells(values < 0, seen), self.lattice)
        # A cell is used where all of its corners are observed; the mask is of its upper corner.
        cells = np.lib.stride_tricks.sliding_window_view(seen, (2, 2, 2)).all((3, 4, 5))
        mask = np.pad(cells, [(1, 0)] * 3)
        vertices, faces, _, _ = marching_cubes(
            values, 0.0, spacing=tuple(self.lattice.spacing), allow_degenerate=False, mask=mask
        )
        return trimesh.Trimesh(vertices + self.lattice.low, faces, process=False)


def _observed(
    view: DepthView, nodes: Float[Tensor, "nodes 3"], length: float
) -> tuple[Float[Tensor, "nodes"], Float[Tensor, "nodes"]]:
    """Return truncated distances to what a view sees, over ``length``, and weights of 0 or 1."""
    depth, inside = view.lookup(nodes)
    distance = depth - (nodes - view.center).norm(dim=1)
    # A ray that hits nothing has seen free space all the way.
    distance = torch.where(depth > 0, distance, length)
    weight = (inside & (distance >= -length)).float()
    return (distance / length).clamp_max(1.0), weight
