"""Compiled operations on points agree with their formulas."""

import pytest
import torch

from nerfloss.geometry import Rays, intersect_box
from nerfloss.kernels import point_ops
from nerfloss.kernels.numba.point_ops import meets_box

BOX = torch.tensor([[-1.0, -0.5, -2.0], [1.0, 0.8, 0.5]])


@pytest.fixture
def formulas(monkeypatch):
    """Call a function of the module by its formula, as on another device."""

    def call(function, *arguments):
        with monkeypatch.context() as patch:
            patch.setattr(point_ops, "_use_loops", lambda *_: False)
            return function(*arguments)

    return call


def some_rays(count=50):
    origins = 3 * torch.nn.functional.normalize(torch.randn(count, 3), dim=-1)
    directions = torch.nn.functional.normalize(torch.randn(count, 3) * 0.3 - origins, dim=-1)
    directions[0] = torch.tensor([0.0, 0.0, 1.0])
    nothing = torch.zeros(count, 3)
    return Rays(origins, directions, nothing[:, :2], nothing[:, 0].long(), nothing)


def test_nonempty_intervals_and_their_midpoints(formulas):
    rays, starts = some_rays(), torch.rand(50, 6)
    ends = starts + torch.rand(50, 6) * (torch.rand(50, 6) > 0.4)
    index = point_ops.nonempty_intervals(starts, ends)
    assert torch.equal(index, formulas(point_ops.nonempty_intervals, starts, ends))
    assert torch.equal(index, formulas(point_ops.nonempty_intervals, starts, ends, len(index)))
    assert 0 < len(index) < 300
    given = (rays.origins, rays.directions, starts, ends, index)
    torch.testing.assert_close(
        point_ops.interval_midpoints(*given), formulas(point_ops.interval_midpoints, *given)
    )


def test_points_in_the_unit_cube_and_their_derivative(formulas):
    points = torch.randn(200, 3)
    points[0], points[1, 1] = BOX[0], float("nan")
    found, expected = (
        point_ops.to_unit_cube(points, BOX),
        formulas(point_ops.to_unit_cube, points, BOX),
    )
    kept = torch.ones(200, dtype=torch.bool)
    kept[1] = False
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours[kept], theirs[kept])
    assert found[0][1, 1].isnan()
    assert not found[0][1, [0, 2]].isnan().any()


@pytest.mark.parametrize("reach", [0.3, float("inf")])
def test_region_cells_below_a_limit(formulas, reach):
    values, region = torch.randn(16, 16, 16), torch.rand(16, 16, 16) > 0.3
    found = point_ops.region_cells_below(values, region, reach)
    assert torch.equal(found, formulas(point_ops.region_cells_below, values, region, reach))
    assert 0 < len(found) < 16**3


@pytest.mark.parametrize("turn", [0, 7, 123456])
@pytest.mark.parametrize("size", [16, 13])
def test_region_cells_in_turn(formulas, size, turn):
    values, region = torch.randn(size, size, size), torch.rand(size, size, size) > 0.3
    given = (values, region, 0.4, turn, (4, 5))
    found = point_ops.region_cells_in_turn(*given)
    assert torch.equal(found, formulas(point_ops.region_cells_in_turn, *given))
    share = len(found) / region.sum()
    assert 0.15 < share < 0.3
    assert region.reshape(-1)[found].all()


@pytest.mark.parametrize("seed", [None, 3])
def test_points_lie_in_their_cells(formulas, seed):
    index = torch.randperm(12**3)[:100]

    def generator():
        return None if seed is None else torch.Generator().manual_seed(seed)

    found = point_ops.points_in_cells(index, 12, BOX, generator())
    expected = formulas(point_ops.points_in_cells, index, 12, BOX, generator())
    torch.testing.assert_close(found, expected)
    z, y, x = index // 144, index // 12 % 12, index % 12
    cell = ((found - BOX[0]) / (BOX[1] - BOX[0]) * 12).floor().long()
    assert torch.equal(cell, torch.stack([x, y, z], -1))


def test_a_ray_meets_a_box_as_by_the_formula():
    rays = some_rays()
    expected = torch.stack(intersect_box(rays, BOX), -1)
    arrays = (rays.origins.numpy(), rays.directions.numpy())
    found = [meets_box(o, d, BOX.numpy()) for o, d in zip(*arrays, strict=True)]
    torch.testing.assert_close(torch.tensor(found), expected, rtol=1e-5, atol=1e-5)
    assert 0 < int((expected[:, 1] > 0).sum()) < 50


def test_nonzero_with_count_is_nonzero():
    for share in (0.0, 0.3, 1.0):
        mask = torch.rand(1000) < share
        expected = mask.nonzero().squeeze(-1)
        assert torch.equal(point_ops.nonzero_with_count(mask, len(expected)), expected)
