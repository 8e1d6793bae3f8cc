"""A cached density is renewed in turns: every cell after as many as its kind has."""

from types import MappingProxyType

import torch

from nerfloss.samplers.cached_grid import DENSE_CELL_INTERVAL, EMPTY_CELL_INTERVAL, CachedGrid

RESOLUTION = 16
DENSE = 10.0


class Density:
    """A density in the half x < 0 that counts how often each cell is evaluated."""

    offers = frozenset({"densities"})
    appearance, heads = None, MappingProxyType({})
    box = torch.tensor([[-1.0, -1, -1], [1, 1, 1]])

    def __init__(self, value):
        self.value, self.evaluated = value, torch.zeros((RESOLUTION,) * 3, dtype=torch.int64)

    def __call__(self, points, needs):
        cell = ((points + 1) / 2 * RESOLUTION).long()
        self.evaluated.index_put_(tuple(cell.flip(-1).T), torch.tensor(1), accumulate=True)
        return {name: torch.where(points[:, 0] < 0, self.value, 0.0) for name in needs}

    def constants(self):
        return {}


def filled_grid():
    grid = CachedGrid(RESOLUTION)
    grid.refresh_density(Density(DENSE), decay=0.9, generator=None)
    assert (grid.values == DENSE).sum() == grid.values.numel() // 2
    return grid


def test_every_cell_is_renewed_once_in_as_many_turns_as_its_kind_has():
    grid, field = filled_grid(), Density(DENSE)
    generator = torch.Generator().manual_seed(0)
    for turn in range(7, 7 + DENSE_CELL_INTERVAL * EMPTY_CELL_INTERVAL):
        grid.refresh_density(field, decay=0.9, generator=generator, threshold=0.5, turn=turn)
    dense = grid.values > 0.5
    assert (field.evaluated[dense] == EMPTY_CELL_INTERVAL).all()
    assert (field.evaluated[~dense] == DENSE_CELL_INTERVAL).all()


def test_neighbours_along_every_axis_are_renewed_in_different_turns():
    grid, field = filled_grid(), Density(DENSE)
    grid.refresh_density(field, decay=0.9, generator=None, threshold=0.5, turn=0)
    renewed = (field.evaluated * (grid.values > 0.5)) > 0
    assert renewed.any()
    for axis in range(3):
        assert not (renewed & renewed.roll(1, axis))[1:, 1:, 1:].any()


def test_a_dense_cell_decays_once_in_its_interval():
    grid, gone = filled_grid(), Density(0.0)
    for turn in range(2 * DENSE_CELL_INTERVAL):
        grid.refresh_density(gone, decay=0.6, generator=None, threshold=0.5, turn=turn)
    decayed = torch.tensor(DENSE * 0.6**2)
    torch.testing.assert_close(grid.values[..., : RESOLUTION // 2].unique(), decayed[None])
