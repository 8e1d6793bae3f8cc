"""A regular grid over a box, and the values of a field at its nodes, in chunks."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nerfloss.evaluation.oom_retry import ChunkSize
from nerfloss.evaluation.region import Region

LEAF = 2  # cells along the edge of the smallest block
LEVELS = 4  # block sizes: 16, 8, 4 and 2 cells
COARSEST = LEAF * 2 ** (LEVELS - 1)
BYTES_PER_NODE = 6  # value 4, evaluated or not 1, values of blocks 1

ImplicitFunction = Callable[[Float[Tensor, "points 3"]], Float[Tensor, "points"]]


@dataclass(frozen=True)
class SparseLattice:
    """Nodes of a regular grid over a box; ``cells`` are multiples of the coarsest block."""

    low: Float[np.ndarray, "3"]
    spacing: Float[np.ndarray, "3"]
    cells: Int[np.ndarray, "3"]

    @classmethod
    def over(cls, box: Float[np.ndarray, "2 3"], resolution: int) -> "SparseLattice":
        """Fill a box with nearly cubic cells, ``resolution`` of them along its longest side."""
        extent = box[1] - box[0]
        blocks = np.maximum(np.ceil(extent / extent.max() * resolution / COARSEST - 1e-6), 1)
        cells = (COARSEST * blocks).astype(int)
        return cls(box[0].astype(float), extent / cells, cells)

    @property
    def shape(self) -> tuple[int, int, int]:
        x, y, z = (int(cells) + 1 for cells in self.cells)
        return x, y, z

    @property
    def bytes_needed(self) -> int:
        """Memory that sampling all of it takes, in bytes."""
        return BYTES_PER_NODE * int(np.prod(self.shape, dtype=np.int64))

    def positions(self, index: np.ndarray) -> Float[np.ndarray, "*points 3"]:
        """Return the positions of nodes; a fractional index lies between nodes."""
        return self.low + index * self.spacing


@dataclass(frozen=True)
class FieldSampler:
    """Evaluate a field at nodes of a lattice in chunks, and only inside a region of its box.

    Outside of ``region`` (None: the whole box) a node takes the value of one cell's length: empty.
    """

    field: ImplicitFunction
    lattice: SparseLattice
    device: torch.device
    chunk: ChunkSize
    region: Region | None = None

    def at_nodes(self, index: Int[np.ndarray, "points 3"]) -> Float[np.ndarray, "points"]:
        """Return the values at nodes."""
        if self.region is None:
            return self._evaluate(index)
        values = np.full(len(index), self.lattice.spacing.max(), dtype=np.float32)
        inside = self.region.contains(index / self.lattice.cells)
        values[inside] = self._evaluate(index[inside])
        return values

    def at_block_centers(
        self, blocks: Int[np.ndarray, "blocks 3"], size: int
    ) -> Float[np.ndarray, "blocks"]:
        """Return the field at the centres of blocks of ``size`` cells, whatever the region."""
        return self._evaluate((blocks + 0.5) * size)

    def overlap(
        self, blocks: Int[np.ndarray, "blocks 3"], size: int
    ) -> tuple[Bool[np.ndarray, "blocks"], Bool[np.ndarray, "blocks"]]:
        """Return which blocks touch the region, and which lie wholly inside it."""
        if self.region is None:
            everywhere = np.ones(len(blocks), dtype=bool)
            return everywhere, everywhere
        low = blocks * size / self.lattice.cells
        return self.region.overlap(low, low + size / self.lattice.cells)

    def _evaluate(self, index: np.ndarray) -> Float[np.ndarray, "points"]:
        values = np.empty(len(index), dtype=np.float32)

        def evaluate(rows: slice) -> None:
            points = self.lattice.positions(index[rows]).astype(np.float32)
            values[rows] = (
                self.field(torch.from_numpy(points).to(self.device)).float().cpu().numpy()
            )

        with torch.no_grad():
            self.chunk(evaluate, len(index))
        return values
