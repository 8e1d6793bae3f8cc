"""Terms on the colour corrections of images."""

from itertools import pairwise

import torch

from nerfloss.losses.image_appearance import bilateral_grid_tv, exposure_identity


def test_the_identity_costs_nothing_and_a_gain_costs_its_square_per_channel():
    identity = torch.eye(3, 4)
    brighter = torch.cat([1.5 * torch.eye(3), torch.zeros(3, 1)], 1)
    shifted = identity + torch.tensor([0.0, 0.0, 0.0, 0.2])
    found = exposure_identity(torch.stack([identity, brighter, shifted]))
    torch.testing.assert_close(found, torch.tensor([0.0, 3 * 0.25, 3 * 0.04]))


def test_total_variation_is_that_of_a_naive_loop():
    grids = torch.randn(2, 3, 4, 5, 3, 4, dtype=torch.float64)
    for grid, found in zip(grids, bilateral_grid_tv(grids), strict=True):
        expected = 0.0
        for axis in range(3):
            slices = grid.movedim(axis, 0)
            pairs = [(b - a).square().mean() for a, b in pairwise(slices)]
            expected += sum(pairs) / len(pairs)
        torch.testing.assert_close(found, torch.as_tensor(expected))


def test_a_constant_grid_and_one_of_a_single_vertex_do_not_vary():
    constant = torch.randn(2, 1, 1, 1, 3, 4)
    assert not bilateral_grid_tv(constant.expand(2, 3, 4, 5, 3, 4)).any()
    assert torch.equal(bilateral_grid_tv(constant), torch.zeros(2))
