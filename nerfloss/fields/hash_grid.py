"""A trainable multi-resolution hash grid over a box, with coarse-to-fine activation of levels."""

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

# In which the table is read; None: in which it is stored.
TABLE_DTYPES = {"float32": None, "float16": torch.float16, "bfloat16": torch.bfloat16}
UNIT_BALL = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))


class HashGrid(nn.Module):
    """Features of world points: ``levels`` grids of ``features`` channels each, coarsest first.

    The grid spans ``box``, which need not be a cube; points outside have the features of the
    nearest point on its border. ``box`` and the number of active levels are part of the state.

    With ``steps_per_level`` > 0, training starts with ``start_levels`` levels, and `set_step` adds
    one every ``steps_per_level`` steps. Inactive levels have features of 0.

    The table is read in ``precision``: float16 and bfloat16 halve the memory traffic. Parameters
    and sums stay float32. Half precision has not been measured on a GPU.

    Reference: Müller et al., "Instant Neural Graphics Primitives", SIGGRAPH 2022; coarse-to-fine:
    Li et al., "Neuralangelo", CVPR 2023.
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
        check_backend(backend)
        self.table = nn.Parameter(table)
        self.register_buffer("box", torch.tensor(UNIT_BALL))
        self.backend = backend
        self._here = HostCopy()
        if precision not in TABLE_DTYPES:
            raise ValueError(
                f"a grid's precision={precision!r} is none of {', '.join(TABLE_DTYPES)}"
            )
        self.table_dtype = TABLE_DTYPES[precision]
        self.start_levels, self.steps_per_level = start_levels, steps_per_level
        self.active_levels = levels
        if steps_per_level > 0 and not 0 < start_levels <= levels:
            raise ValueError(f"asked for {start_levels} start_levels, the grid has {levels}")
        self.set_step(0)

    def forward(self, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points channels"]:
        """Return features at world points; differentiable once in points and table."""
        unit, _ = self.to_unit(points)
        return encode(
            unit, self.table, self.layout, self.active_levels, self.backend, self.table_dtype
        )

    @property
    def channels(self) -> int:
        """Number of features per point, those of inactive levels included."""
        return self.layout.channels

    def set_step(self, step: int) -> None:
        """Activate the levels scheduled for a training step."""
        if self.steps_per_level > 0:
            due = self.start_levels + step // self.steps_per_level
            self.set_active(min(due, self.layout.levels))

    def set_active(self, levels: int) -> None:
        """Activate the ``levels`` coarsest levels only. Raises ValueError if there are fewer."""
        check_active(self.layout, levels)
        self.active_levels = levels

    def set_box(self, box: Float[Tensor, "2 3"]) -> None:
        """Set the lower and upper corner of the box; learned features are stretched with it.

        Raises ValueError if the box is empty along an axis or not finite.
        """
        extent = box[1] - box[0]
        if not bool((extent > 0).all() and extent.isfinite().all()):
            raise ValueError(f"a grid needs a box with lower < upper corner, got {box.tolist()}")
        self.box.copy_(box)

    def cell(self) -> float:
        """Return the shortest edge of a cell of the finest active level, in world units."""
        finest = self.layout.grids[max(self.active_levels - 1, 0)]
        here = self._here(self.box)
        return float((here[1] - here[0]).min()) / finest.resolution

    def to_unit(
        self, points: Float[Tensor, "points 3"]
    ) -> tuple[Float[Tensor, "points 3"], Float[Tensor, "points 3"]]:
        """Return points mapped to the unit cube and clamped to it, and the derivative per axis.

        The derivative is 1 / extent inside and 0 along the axes in which a point lies outside.
        """
        return to_unit_cube(points, self.box)

    def levels(self) -> tuple[Float[Tensor, "rows features"], ...]:
        """Return the part of the table of each active level."""
        # One split: the gradient of each slice would have the size of the whole table.
        parts = self.table.split([level.entries for level in self.layout.grids])
        return parts[: self.active_levels]

    def neighbours(
        self, generator: torch.Generator | None, vertices: int
    ) -> list[Float[Tensor, "4 vertices features"]]:
        """Return features of every active level at random vertices and their x, y, z neighbours."""
        unit = uniform((vertices, 3), generator, self.table)
        # Corners of a cell, x fastest: the first and its neighbours along the axes.
        corners = [0, 1, 2, 4]
        features = []
        for part, level in zip(self.levels(), self.layout.grids, strict=False):
            rows = corner_rows(unit, level)[corners]
            features.append(part.index_select(0, rows.flatten()).unflatten(0, rows.shape))
        return features

    def kernel(self) -> HashGridKernel:
        """Return the kernel for the device and dtype of the table."""
        return select_kernel(self.backend, self.table, self.table_dtype)

    def get_extra_state(self) -> dict[str, int]:
        """Add the number of active levels to ``state_dict``."""
        return {"active_levels": self.active_levels}

    def set_extra_state(self, state: Any) -> None:
        self.set_active(state["active_levels"])


def check_kernels(*parts: nn.Module) -> None:
    """Raise ValueError if the backend of a hash grid cannot run on the device of its table."""
    for grid in (each for part in parts for each in part.modules()):
        if isinstance(grid, HashGrid):
            select_backend(grid.backend, grid.table.device, grid.table_dtype or grid.table.dtype)
