"""A trainable multi-resolution hash grid over a box of the world, released level by level."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.kernels.async_host_copy import HostCopy
from nerfloss.kernels.backend_selection import check_backend, select_backend
from nerfloss.kernels.grid_layout import GridLayout
from nerfloss.kernels.hash_grid import HashGridKernel, check_active, encode, select_kernel
from nerfloss.kernels.point_ops import to_unit_cube
from nerfloss.kernels.reference.grid_cells import corner_rows
from nerfloss.maths.random_numbers import uniform

# None: as it is learned.
STORED = {"float32": None, "float16": torch.float16, "bfloat16": torch.bfloat16}
UNIT_BALL = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))


class HashGrid(nn.Module):
    """Features of world points: ``levels`` grids of ``features`` numbers each, coarsest first.

    The grid spans ``box``, which need not be a cube; points outside have the features of the
    nearest point on its border. ``box`` and the number of active levels are saved with the weights.

    With ``steps_per_level`` > 0, training starts with ``start_levels`` levels and `set_step` adds
    one every so many steps: coarse shape first. Levels that are not active give 0.

    ``precision`` is that in which the table is read: half the bytes with float16 or bfloat16. What
    is learned, and every sum, stays float32. Neither has been measured on a GPU.
    """

    box: Tensor

    def __init__(
        self,
        *,
        levels: int = 8,
        features: int = 2,
        log2_hashmap_size: int = 16,
        base_resolution: int = 16,
        max_resolution: int = 256,
        backend: str = "auto",
        start_levels: int = 4,
        steps_per_level: int = 0,
        precision: str = "float32",
    ) -> None:
        super().__init__()
        self.layout = GridLayout(
            levels, features, log2_hashmap_size, base_resolution, max_resolution
        )
        table = torch.empty(self.layout.entries, features).uniform_(-1e-4, 1e-4)
        check_backend(backend)  # what cannot run is an error here, not in training
        self.table = nn.Parameter(table)
        self.register_buffer("box", torch.tensor(UNIT_BALL))
        self.backend = backend
        self._here = HostCopy()
        if precision not in STORED:
            raise ValueError(f"a grid's precision={precision!r} is none of {', '.join(STORED)}")
        self.stored = STORED[precision]
        self.start_levels, self.steps_per_level = start_levels, steps_per_level
        self.active_levels = levels
        if steps_per_level > 0 and not 0 < start_levels <= levels:
            raise ValueError(f"asked for {start_levels} start_levels, the grid has {levels}")
        self.set_step(0)

    def forward(self, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points channels"]:
        """Features at world points; differentiable once in points and table."""
        unit, _ = self.to_unit(points)
        return encode(unit, self.table, self.layout, self.active_levels, self.backend, self.stored)

    @property
    def channels(self) -> int:
        """Features per point, active or not."""
        return self.layout.channels

    def set_step(self, step: int) -> None:
        """Activate the levels that are due at a training step."""
        if self.steps_per_level > 0:
            due = self.start_levels + step // self.steps_per_level
            self.set_active(min(due, self.layout.levels))

    def set_active(self, levels: int) -> None:
        """Use the ``levels`` coarsest levels only. Raises ValueError if there are not so many."""
        check_active(self.layout, levels)
        self.active_levels = levels

    def set_box(self, box: Float[Tensor, "2 3"]) -> None:
        """Span another box: its lower and upper corner. What was learned is stretched with it.

        Raises ValueError if the box is empty along an axis or not finite.
        """
        extent = box[1] - box[0]
        if not bool((extent > 0).all() and extent.isfinite().all()):
            raise ValueError(f"a grid needs a box with lower < upper corner, got {box.tolist()}")
        self.box.copy_(box)

    def cell(self) -> float:
        """Shortest edge, in world units, of a cell of the finest active level."""
        finest = self.layout.grids[max(self.active_levels - 1, 0)]
        here = self._here(self.box)
        return float((here[1] - here[0]).min()) / finest.resolution

    def to_unit(
        self, points: Float[Tensor, "points 3"]
    ) -> tuple[Float[Tensor, "points 3"], Float[Tensor, "points 3"]]:
        """Points in the unit cube, clamped to it, and the derivative of that, axis by axis.

        The derivative is 1 / extent inside and 0 along the axes in which a point lies outside.
        """
        return to_unit_cube(points, self.box)

    def levels(self) -> tuple[Float[Tensor, "rows features"], ...]:
        """The part of the table that each active level has."""
        # One split: slices would each send back a gradient of the whole table's size.
        parts = self.table.split([level.entries for level in self.layout.grids])
        return parts[: self.active_levels]

    def neighbours(
        self, generator: torch.Generator | None, vertices: int
    ) -> list[Float[Tensor, "4 vertices features"]]:
        """Features of every active level at random vertices, and one step along x, y and z."""
        unit = uniform((vertices, 3), generator, self.table)
        # Of a cell's corners, x alternating fastest: the first, and those one step away from it.
        corners = [0, 1, 2, 4]
        found = []
        for part, level in zip(self.levels(), self.layout.grids, strict=False):
            rows = corner_rows(unit, level)[corners]
            found.append(part.index_select(0, rows.flatten()).unflatten(0, rows.shape))
        return found

    def kernel(self) -> HashGridKernel:
        """The kernel that computes this grid where its table lies."""
        return select_kernel(self.backend, self.table, self.stored)

    def get_extra_state(self) -> dict[str, int]:
        """Part of ``state_dict``: evaluation and resuming see the levels that training saw."""
        return {"active_levels": self.active_levels}

    def set_extra_state(self, state: Any) -> None:
        self.set_active(state["active_levels"])


def check_kernels(*parts: nn.Module) -> None:
    """Raise ValueError for a grid in them whose backend cannot read it where it lies by now."""
    for grid in (each for part in parts for each in part.modules()):
        if isinstance(grid, HashGrid):
            select_backend(grid.backend, grid.table.device, grid.stored or grid.table.dtype)
