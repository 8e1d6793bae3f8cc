"""Compiled look-ups along a ray are those of the cached grid, also outside of it."""

import numpy as np
import pytest
import torch

from nerfloss.kernels.numba import grid_lookup
from nerfloss.samplers.cached_grid import CachedGrid

RESOLUTION = 11
BOX = torch.tensor([[0.0, 0, 0], [RESOLUTION, RESOLUTION, RESOLUTION]])
# Of rays in units of cells: through the middle, along an edge and outside.
RAYS = [
    ((-2.0, 1.3, 9.9), (0.5, 0.2, -0.1)),
    ((0.2, 0.2, -3.0), (0.0, 0.0, 1.0)),
    ((-9.0, 30.0, 5.0), (-0.1, 0.3, 0.2)),
]


def looked_up(function, values, origin, direction, step=0.7) -> torch.Tensor:
    out = np.empty(grid_lookup.AHEAD, np.float32)
    o, d = (tuple(np.float32(x) for x in each) for each in (origin, direction))
    scratch = grid_lookup.lookup_scratch()
    function(values.numpy(), o, d, np.float32(0.1), np.float32(step), scratch, out)
    return torch.from_numpy(out)


@pytest.mark.parametrize(("origin", "direction"), RAYS)
def test_lookups_are_those_of_the_cached_grid(origin, direction) -> None:
    grid = CachedGrid(RESOLUTION)
    grid.values.copy_(torch.rand(grid.values.shape, generator=torch.Generator().manual_seed(0)))
    t = 0.1 + 0.7 * torch.arange(grid_lookup.AHEAD)
    points = torch.tensor(origin) + t[:, None] * torch.tensor(direction)
    found = looked_up(grid_lookup.trilinear, grid.values, origin, direction)
    torch.testing.assert_close(found, grid.sdf_at(points, BOX), rtol=0, atol=2e-3)
    found = looked_up(grid_lookup.nearest, grid.values, origin, direction)
    assert torch.equal(found, grid.density_at(points, BOX))


def test_a_ray_that_is_not_a_number_is_looked_up_within_the_grid() -> None:
    values = torch.rand(RESOLUTION, RESOLUTION, RESOLUTION)
    nan = (float("nan"),) * 3
    assert (looked_up(grid_lookup.nearest, values, nan, nan) == values[0, 0, 0]).all()
