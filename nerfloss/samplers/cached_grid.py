"""A cached copy of a field on a coarse regular grid, updated at intervals."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import grid_sample, interpolate

from nerfloss.kernels.async_host_copy import HostCopy
from nerfloss.kernels.point_ops import (
    points_in_cells,
    region_cells_below,
    region_cells_in_turn,
)
from nerfloss.quantities.field import Field

CHUNK = 1 << 16
# Every n-th cell is updated at a time (round robin): of the dense ones, and of the empty ones.
DENSE_CELL_INTERVAL, EMPTY_CELL_INTERVAL = 4, 5


class CachedGrid(nn.Module):
    """Values of ``sdf`` or ``densities`` at the centres of ``resolution^3`` cells of a box.

    ``region`` marks the cells that are sampled and updated (by default all; e.g. a visual hull).
    Outside of it a density counts as 0, and an SDF keeps its first value.
    """

    values: Float[Tensor, "depth height width"]
    region: Bool[Tensor, "depth height width"]
    filled: Bool[Tensor, ""]

    def __init__(self, resolution: int) -> None:
        super().__init__()
        if resolution < 8:
            raise ValueError(f"sampler.resolution must be at least 8, got {resolution}")
        self.resolution = resolution
        shape = (resolution,) * 3
        # Indexed [z, y, x], as grid_sample wants it.
        self.register_buffer("values", torch.zeros(shape))
        self.register_buffer("region", torch.ones(shape, dtype=torch.bool))
        self.register_buffer("filled", torch.tensor(False))
        # Host copies of values that rarely change, to avoid device synchronisation.
        self._box, self._filled = HostCopy(), HostCopy()

    def cell(self, box: Float[Tensor, "2 3"]) -> float:
        """Return the shortest edge of a cell, in scene units."""
        box = self._box(box)
        return float((box[1] - box[0]).min()) / self.resolution

    def longest_edge(self, box: Float[Tensor, "2 3"]) -> float:
        """Return the longest edge of the box, in scene units."""
        box = self._box(box)
        return float((box[1] - box[0]).max())

    @property
    def initialized(self) -> bool:
        """True after the first update."""
        return bool(self._filled(self.filled))

    def refresh_sdf(self, field: Field, *, band: float) -> None:
        """Update the SDF in cells of the region within ``band`` of the cached surface.

        The first call updates all cells.
        """
        if self.initialized:
            index = region_cells_below(self.values, self.region, band)
        else:
            index = torch.arange(self.values.numel(), device=self.values.device)
        self.values.view(-1)[index] = self._evaluate(field, "sdf", index, None)
        self.filled.fill_(True)

    def refresh_density(
        self,
        field: Field,
        *,
        decay: float,
        generator: torch.Generator | None,
        threshold: float = 0.0,
        turn: int | None = None,
    ) -> None:
        """Update densities to the maximum of the decayed old value and one at a random point.

        With a ``turn``, only every DENSE_CELL_INTERVAL-th cell above ``threshold``, and every
        EMPTY_CELL_INTERVAL-th other.
        """
        if turn is None:
            index = region_cells_below(self.values, self.region, float("inf"))
        else:
            intervals = DENSE_CELL_INTERVAL, EMPTY_CELL_INTERVAL
            index = region_cells_in_turn(self.values, self.region, threshold, turn, intervals)
        new = self._evaluate(field, "densities", index, generator)
        values = self.values.view(-1)
        values[index] = torch.maximum(values[index] * decay, new)
        self.filled.fill_(True)

    def sdf_at(self, points: Float[Tensor, "*points 3"], box: Tensor) -> Float[Tensor, "*points"]:
        """Interpolate trilinearly; outside the box the nearest border value."""
        unit = (points - box[0]) / (box[1] - box[0]) * 2 - 1
        values = grid_sample(
            self.values[None, None],
            unit.reshape(1, 1, 1, -1, 3),
            mode="bilinear",
            padding_mode="border",
            align_corners=False,
        )
        return values.reshape(points.shape[:-1])

    def density_at(
        self, points: Float[Tensor, "*points 3"], box: Tensor
    ) -> Float[Tensor, "*points"]:
        """Return the value of the cell that contains a point."""
        return self.values.view(-1)[self._cell_of(points, box)]

    def restrict_to(self, region: Bool[Tensor, "x y z"]) -> None:
        """Set the region to the cells that touch the given one, of any resolution."""
        size = (self.resolution,) * 3
        touched = interpolate(region[None, None].float(), size, mode="trilinear")[0, 0] > 0
        self.region.copy_(touched.permute(2, 1, 0))

    def in_region(self, points: Float[Tensor, "*points 3"], box: Tensor) -> Bool[Tensor, "*points"]:
        """Return True for points in cells of the region."""
        return self.region.view(-1)[self._cell_of(points, box)]

    def _cell_of(self, points: Tensor, box: Tensor) -> Int[Tensor, "*points"]:
        x, y, z = (
            ((points - box[0]) / (box[1] - box[0]) * self.resolution)
            .long()
            .clamp_(0, self.resolution - 1)
            .unbind(-1)
        )
        return (z * self.resolution + y) * self.resolution + x

    def _evaluate(
        self,
        field: Field,
        name: str,
        index: Int[Tensor, "cells"],
        generator: torch.Generator | None,
    ) -> Float[Tensor, "cells"]:
        """Evaluate a quantity at cell centres, or with a generator at random points in cells."""
        points = points_in_cells(index, self.resolution, field.box, generator)
        found = [field(some, {name})[name] for some in points.split(CHUNK)]
        return torch.cat(found) if found else points.new_zeros(0)
