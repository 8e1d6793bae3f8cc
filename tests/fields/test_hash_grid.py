"""A hash grid spans a box and activates its levels on schedule."""

import pytest
import torch

from nerfloss.fields.hash_grid import HashGrid

BOX = torch.tensor([[-1.0, -0.5, 0.0], [3.0, 0.5, 0.25]])


def small(**settings: int) -> HashGrid:
    grid = HashGrid(
        **(
            {"levels": 4, "log2_hashmap_size": 6, "base_resolution": 2, "max_resolution": 9}
            | settings
        )
    )
    grid.set_box(BOX)
    torch.nn.init.normal_(grid.table)
    return grid


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_derivatives_are_in_world_units_in_a_box_that_is_not_a_cube(backend: str) -> None:
    grid = small(backend=backend).double()
    inside = BOX[0] + torch.rand(5, 3, dtype=torch.float64) * (BOX[1] - BOX[0])
    outside = torch.tensor([[5.0, 0.13, 0.07], [0.1, -2.0, 0.9]], dtype=torch.float64)
    points = torch.cat([inside, outside]).requires_grad_()
    assert torch.autograd.gradcheck(grid, (points,))


def test_points_outside_the_box_have_the_features_of_its_border() -> None:
    grid = small()
    points = torch.tensor([[9.0, 0.2, 0.1], [0.0, -7.0, 5.0]])
    torch.testing.assert_close(grid(points), grid(points.clamp(BOX[0], BOX[1])))


def test_all_levels_are_active_without_a_schedule() -> None:
    grid = HashGrid(levels=4)
    grid.set_step(0)
    assert grid.active_levels == 4


def test_levels_are_activated_one_by_one() -> None:
    grid = small(start_levels=2, steps_per_level=10)
    active = []
    for step in (0, 9, 10, 20, 1000):
        grid.set_step(step)
        active.append(grid.active_levels)
    assert active == [2, 2, 3, 4, 4]


def test_inactive_levels_have_features_of_zero() -> None:
    grid = small(start_levels=2, steps_per_level=10)
    features = grid(torch.zeros(5, 3))
    assert features[:, :4].all()
    assert not features[:, 4:].any()


def test_state_dict_restores_box_and_active_levels() -> None:
    before, after = (
        small(),
        HashGrid(levels=4, log2_hashmap_size=6, base_resolution=2, max_resolution=9),
    )
    before.set_active(3)
    after.load_state_dict(before.state_dict())
    assert after.active_levels == 3
    assert torch.equal(after.box, BOX)
    points = torch.rand(20, 3)
    assert torch.equal(before(points), after(points))


def test_cell_is_the_shortest_edge_of_the_finest_active_level() -> None:
    grid = small()
    assert grid.cell() == pytest.approx(0.25 / 9)
    grid.set_active(1)
    assert grid.cell() == pytest.approx(0.25 / 2)


def test_box_without_volume_is_refused() -> None:
    with pytest.raises(ValueError, match="lower < upper corner"):
        small().set_box(torch.zeros(2, 3))


def test_schedule_cannot_start_with_more_levels_than_the_grid_has() -> None:
    with pytest.raises(ValueError, match="asked for 6 start_levels, the grid has 4"):
        HashGrid(levels=4, start_levels=6, steps_per_level=5)


def test_unknown_backend_is_refused_at_construction() -> None:
    with pytest.raises(ValueError, match=r"asked for kernels\.backend 'cuda'"):
        HashGrid(backend="cuda")
