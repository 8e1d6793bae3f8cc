"""A coarse copy of a field on a regular grid: cheap to look up, refreshed in part now and then."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import grid_sample

from nerfloss.kernels.async_host_copy import HostCopy
from nerfloss.kernels.point_ops import points_in_cells, region_cells_below
from nerfloss.quantities.field import Field

CHUNK = 1 << 16
# Of cells that hold no density one in so many is looked at, others each time: seldom does one get
# some.
RARELY = 5


class CachedGrid(nn.Module):
    """Values of ``sdf`` or ``densities`` at the centres of ``resolution^3`` cells of a box.

    ``region`` marks the cells where there may be something (a visual hull, say; by default all).
    Elsewhere a density counts as 0, and an SDF is read once, at the start: a distance that stopped
    would be one that rays cannot rely on.
    """

    values: Float[Tensor, "depth height width"]
    region: Bool[Tensor, "depth height width"]
    fresh: Bool[Tensor, ""]

    def __init__(self, resolution: int) -> None:
        super().__init__()
        if resolution < 8:
            raise ValueError(f"sampler.resolution must be at least 8, got {resolution}")
        self.resolution = resolution
        shape = (resolution,) * 3
        # Indexed [z, y, x], as grid_sample wants it.
        self.register_buffer("values", torch.zeros(shape))
        self.register_buffer("region", torch.ones(shape, dtype=torch.bool))
        self.register_buffer("fresh", torch.tensor(False))
        # Neither changes from step to step: a GPU need not be asked again.
        self._box, self._fresh = HostCopy(), HostCopy()

    def cell(self, box: Float[Tensor, "2 3"]) -> float:
        """Smallest edge of a cell, in scene units."""
        here = self._box(box)
        return float((here[1] - here[0]).min()) / self.resolution

    @property
    def known(self) -> bool:
        """Whether there was a first look at the field."""
        return bool(self._fresh(self.fresh))

    def refresh_sdf(self, field: Field, *, reach: float) -> None:
        """Renew the SDF in cells of the region within ``reach`` of the surface, as cached.

        The first call renews all cells, one with an infinite reach those of the region.
        """
        if self.known:
            index = region_cells_below(self.values, self.region, reach)
        else:
            index = torch.arange(self.values.numel(), device=self.values.device)
        self.values.view(-1)[index] = self._evaluate(field, "sdf", index, None)
        self.fresh.fill_(True)

    def refresh_density(
        self,
        field: Field,
        *,
        decay: float,
        generator: torch.Generator | None,
        above: float = 0.0,
        turn: int | None = None,
    ) -> None:
        """Renew the densities: the larger of the decayed old value and one at a random point.

        With a ``turn`` only cells of more than ``above``, and of the others every RARELY-th.
        """
        index = region_cells_below(self.values, self.region, float("inf"))
        if turn is not None:
            dense = self.values.view(-1)[index] > above
            index = index[dense | (index % RARELY == turn % RARELY)]
        new = self._evaluate(field, "densities", index, generator)
        values = self.values.view(-1)
        values[index] = torch.maximum(values[index] * decay, new)
        self.fresh.fill_(True)

    def sdf_at(self, points: Float[Tensor, "*points 3"], box: Tensor) -> Float[Tensor, "*points"]:
        """Trilinear look-up; beyond the box the nearest border value."""
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
        """Value of the cell that holds a point."""
        return self.values.view(-1)[self._cell_of(points, box)]

    def in_region(self, points: Float[Tensor, "*points 3"], box: Tensor) -> Bool[Tensor, "*points"]:
        """Whether a point's cell belongs to the region."""
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
        """The field's ``name`` at cell centres, or at random points of the cells."""
        points = points_in_cells(index, self.resolution, field.box, generator)
        found = [field(some, {name})[name] for some in points.split(CHUNK)]
        return torch.cat(found) if found else points.new_zeros(0)
