"""Values of a signed distance on a fine lattice, computed only where its surface can be.

The box is cut into blocks. A block is dropped where the value at its centre says that the surface
is further away than its corners; what is left is cut in eight, down to blocks of 2 cells, whose
lattice nodes are then evaluated. Wherever the surface leaves such a block through a face, the
neighbour is taken in too, so that a field whose gradient is steeper than promised costs
no hole where the surface was found at all. Nodes are shared by neighbouring blocks: no seams.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nerfloss.evaluation.oom_retry import ChunkSize

LEAF = 2  # cells along a block of the finest kind
LEVELS = 4  # kinds of blocks: 16, 8, 4 and 2 cells

Field = Callable[[Float[Tensor, "points 3"]], Float[Tensor, "points"]]


@dataclass(frozen=True)
class SparseLattice:
    """Nodes of a regular grid over a box; ``cells`` are a multiple of the coarsest block."""

    low: Float[np.ndarray, "3"]
    spacing: Float[np.ndarray, "3"]
    cells: Int[np.ndarray, "3"]

    @classmethod
    def over(cls, box: Float[np.ndarray, "2 3"], resolution: int) -> "Lattice":
        """``resolution`` cells along the longest side, nearly cubic, filling the box exactly."""
        extent = box[1] - box[0]
        coarsest = LEAF * 2 ** (LEVELS - 1)
        blocks = np.maximum(np.ceil(extent / extent.max() * resolution / coarsest - 1e-6), 1)
        cells = (coarsest * blocks).astype(int)
        return cls(box[0].astype(float), extent / cells, cells)

    @property
    def shape(self) -> tuple[int, int, int]:
        x, y, z = (int(cells) + 1 for cells in self.cells)
        return x, y, z

    def at(self, index: np.ndarray) -> Float[np.ndarray, "*points 3"]:
        """Where nodes are; an index may lie between nodes."""
        return self.low + index * self.spacing


@dataclass(frozen=True)
class Probe:
    """Asks a field for its values at places of a lattice, a ``chunk`` of them at a time."""

    field: Field
    lattice: SparseLattice
    device: torch.device
    chunk: ChunkSize

    def __call__(
        self, index: Int[np.ndarray, "points 3"], *, size: int = 1, shift: float = 0.0
    ) -> Float[np.ndarray, "points"]:
        """Values at nodes, or at ``(index + shift) * size`` nodes from the low corner."""
        values = np.empty(len(index), dtype=np.float32)

        def evaluate(some: slice) -> None:
            points = self.lattice.at((index[some] + shift) * size).astype(np.float32)
            found = self.field(torch.from_numpy(points).to(self.device))
            values[some] = found.float().cpu().numpy()

        with torch.no_grad():
            self.chunk(evaluate, len(index))
        return values


def _refine(blocks: Int[np.ndarray, "blocks 3"]) -> Int[np.ndarray, "children 3"]:
    octants = np.stack(np.meshgrid(*[[0, 1]] * 3, indexing="ij"), -1).reshape(-1, 3)
    return (2 * blocks[:, None] + octants).reshape(-1, 3)


def _spread(coarse: np.ndarray, times: int) -> np.ndarray:
    for axis in range(3):
        coarse = np.repeat(coarse, times, axis)
    return coarse


def near_surface(
    probe: Probe, lipschitz: float
) -> tuple[Bool[np.ndarray, "x y z"], Float[np.ndarray, "x y z"]]:
    """Leaf blocks that may hold the surface, and a value for every leaf block that tells its side.

    A block is dropped where ``|f(centre)| > lipschitz * half its diagonal``.
    """
    size = LEAF * 2 ** (LEVELS - 1)
    count = probe.lattice.cells // size
    blocks = np.stack(np.meshgrid(*map(np.arange, count), indexing="ij"), -1).reshape(-1, 3)
    side = np.zeros(tuple(count), dtype=np.float32)
    for level in range(LEVELS):
        values = probe(blocks, size=size, shift=0.5)
        side[tuple(blocks.T)] = values
        half_diagonal = 0.5 * size * float(np.linalg.norm(probe.lattice.spacing))
        # Written so that a value that is not a number keeps its block, and is met again later.
        blocks = blocks[~(np.abs(values) > lipschitz * half_diagonal)]
        if level < LEVELS - 1:
            blocks, size, side = _refine(blocks), size // 2, _spread(side, 2)
    active = np.zeros(side.shape, dtype=bool)
    active[tuple(blocks.T)] = True
    return active, side


def crossed_by_signs(probe: Probe) -> tuple[Bool[np.ndarray, "x y z"], Float[np.ndarray, "x y z"]]:
    """The same for a field of unknown slope: a block is kept where its corners differ in sign.

    Only parts that are thinner than a block, and connected to nothing thicker, can be missed.
    """
    x, y, z = (int(cells) // LEAF + 1 for cells in probe.lattice.cells)
    corners = np.empty((x, y, z), dtype=np.float32)
    plane = np.stack(np.meshgrid([0], np.arange(y), np.arange(z), indexing="ij"), -1).reshape(-1, 3)
    for row in range(x):
        corners[row] = probe(plane + np.array([row, 0, 0]), size=LEAF).reshape(y, z)
    positive = np.lib.stride_tricks.sliding_window_view(corners > 0, (2, 2, 2))
    active = positive.any((3, 4, 5)) & ~positive.all((3, 4, 5))
    # What is not a number must not be lost among signs.
    return active | np.isnan(corners[:-1, :-1, :-1]), corners[:-1, :-1, :-1]


def _node_offsets() -> Int[np.ndarray, "nodes 3"]:
    return np.stack(np.meshgrid(*[np.arange(LEAF + 1)] * 3, indexing="ij"), -1).reshape(-1, 3)


def _neighbours_crossed(
    blocks: Int[np.ndarray, "blocks 3"],
    nodes: Float[np.ndarray, "blocks i j k"],
    active: Bool[np.ndarray, "x y z"],
    side: Float[np.ndarray, "x y z"],
) -> Int[np.ndarray, "more 3"]:
    """Inactive blocks behind a face with a node on the other side of the surface than they."""
    found = []
    for axis in range(3):
        for step, face in ((-1, 0), (1, LEAF)):
            neighbour = blocks.copy()
            neighbour[:, axis] += step
            exists = (neighbour[:, axis] >= 0) & (neighbour[:, axis] < active.shape[axis])
            neighbour = neighbour[exists]
            idle = ~active[tuple(neighbour.T)]
            neighbour = neighbour[idle]
            values = np.take(nodes[exists][idle], face, axis + 1).reshape(-1, (LEAF + 1) ** 2)
            outside = side[tuple(neighbour.T)][:, None] > 0
            found.append(neighbour[((values > 0) != outside).any(1)])
    return np.unique(np.concatenate(found), axis=0)


def sample_near_surface(probe: Probe, lipschitz: float | None) -> Float[np.ndarray, "x y z"]:
    """Values at all nodes of the lattice: exact near the zero level, elsewhere of the right sign.

    ``lipschitz`` is the field's steepest slope, None where it is unknown.

    Memory: 5 bytes per node besides what the field needs for a chunk.
    """
    active, side = crossed_by_signs(probe) if lipschitz is None else near_surface(probe, lipschitz)
    volume = np.pad(_spread(side, LEAF), [(0, 1)] * 3, mode="edge")
    flat, known = volume.reshape(-1), np.zeros(volume.size, dtype=bool)
    offsets = _node_offsets()
    queue = np.argwhere(active)
    while len(queue):
        more = []
        for begin in range(0, len(queue), 2**13):
            blocks = queue[begin : begin + 2**13]
            index = np.moveaxis(LEAF * blocks[:, None] + offsets, -1, 0)
            node = np.asarray(np.ravel_multi_index(tuple(index), volume.shape))
            fresh = np.unique(node[~known[node]])
            where = np.stack(list(np.unravel_index(fresh, volume.shape)), 1)
            flat[fresh] = probe(where)
            known[fresh] = True
            cube = flat[node].reshape(len(blocks), *[LEAF + 1] * 3)
            more.append(_neighbours_crossed(blocks, cube, active, side))
        queue = np.unique(np.concatenate(more), axis=0)
        active[tuple(queue.T)] = True
    return volume
