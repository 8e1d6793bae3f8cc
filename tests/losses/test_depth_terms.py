"""Depth terms: equal to least squares and to loops, with the invariances of the papers."""

import math
from statistics import NormalDist

import pytest
import torch

from nerfloss.losses.depth import (
    depth_smoothness,
    depth_tv,
    line_of_sight,
    scale_shift_depth,
)
from nerfloss.testing.quantities import fake


def rays(views, *, seed=0):
    generator = torch.Generator().manual_seed(seed)
    view = torch.tensor(views)
    depth = 1 + torch.rand(len(view), generator=generator, dtype=torch.float64)
    target = 0.5 + 3 * torch.rand(len(view), generator=generator, dtype=torch.float64)
    return depth, target, view


VIEWS = [4, 0, 4, 4, 9, 0, 0, 4, 0, 9, 9]


def test_scale_shift_depth_is_the_residual_of_least_squares_in_every_view():
    depth, target, view = rays(VIEWS)
    target[3] = 0.0
    found = scale_shift_depth(depth, target, view)
    for label in view.unique():
        own = (view == label) & (target > 0)
        matrix = torch.stack([depth[own], torch.ones_like(depth[own])], -1)
        fit = torch.linalg.lstsq(matrix, target[own][:, None]).solution
        residual = (matrix @ fit)[:, 0] - target[own]
        torch.testing.assert_close(found[own], residual.square())
    assert found[3] == 0


def test_scale_shift_depth_does_not_see_scale_and_shift():
    depth, target, view = rays(VIEWS)
    value = scale_shift_depth(depth, target, view)
    scale, shift = 0.5 + torch.rand(10).double(), torch.rand(10).double()
    moved = scale[view] * depth + shift[view]
    torch.testing.assert_close(scale_shift_depth(moved, target, view), value)
    exact = scale[view] * target + shift[view]
    assert scale_shift_depth(exact, target, view).max() < 1e-12


def test_scale_shift_depth_compares_no_views():
    depth, target, view = rays(VIEWS)
    value = scale_shift_depth(depth, target, view)
    order = torch.randperm(len(view))
    shuffled = scale_shift_depth(depth[order], target[order], 1000 * view[order] + 3)
    torch.testing.assert_close(shuffled, value[order])
    elsewhere = torch.where(view == 0, target + torch.rand(len(view)).double(), target)
    torch.testing.assert_close(
        scale_shift_depth(depth, elsewhere, view)[view != 0], value[view != 0]
    )


def test_where_scale_and_shift_cannot_be_fitted_nothing_breaks():
    view = torch.tensor([0, 1, 1, 1, 2, 2, 2])
    depth = torch.tensor([1.0, 2, 2, 2, 1, 2, 3], requires_grad=True)
    target = torch.tensor([3.0, 1, 2, 3, 0, 0, 0])
    value = scale_shift_depth(depth, target, view)
    torch.testing.assert_close(value.detach(), torch.tensor([0.0, 1, 0, 1, 0, 0, 0]))
    value.sum().backward()
    assert depth.grad.isfinite().all()


def test_descending_scale_shift_depth_bends_depth_towards_the_target():
    depth, target, view = rays(VIEWS)
    depth.requires_grad_()
    before = scale_shift_depth(depth, target, view).mean()
    (slope,) = torch.autograd.grad(before, depth)
    assert scale_shift_depth(depth - 0.1 * slope, target, view).mean() < before


def test_line_of_sight_equals_the_loop_over_samples():
    names = ("weights", "t_starts", "t_ends")
    weights, starts, ends = (fake(name, dtype=torch.float64) for name in names)
    depth = starts[:, 0] + torch.linspace(-0.1, 0.5, 6).double()
    found = line_of_sight(weights, starts, ends, depth, epsilon=0.2)
    normal = NormalDist(0, 0.2 / 3)
    whole = normal.cdf(0.2) - normal.cdf(-0.2)
    for ray in range(6):
        expected = 0.0
        for w, a, b in zip(*(x[ray].tolist() for x in (weights, starts, ends)), strict=True):
            a, b = a - float(depth[ray]), b - float(depth[ray])
            if a < 0.2:
                near, far = (min(max(t, -0.2), 0.2) for t in (a, b))
                expected += (w - (normal.cdf(far) - normal.cdf(near)) / whole) ** 2
        assert float(found[ray]) == pytest.approx(expected)


def test_line_of_sight_empties_what_is_before_and_leaves_what_is_behind():
    starts = torch.linspace(0, 0.9, 10)[None]
    weights = torch.full((1, 10), 0.05, requires_grad=True)
    line_of_sight(
        weights, starts, starts + 0.1, torch.tensor([0.45]), epsilon=0.12
    ).sum().backward()
    slope = weights.grad[0]
    assert (slope[:3] > 0).all()
    assert slope.argmin() == 4
    assert slope[4] < 0
    assert (slope[6:] == 0).all()


def test_line_of_sight_is_0_for_the_distribution_it_asks_for():
    edges = torch.linspace(0, 1, 41, dtype=torch.float64)
    normal = NormalDist(0.5, 0.1)
    cumulative = torch.tensor([normal.cdf(min(max(t, 0.2), 0.8)) for t in edges.tolist()])
    weights = (cumulative.diff() / (normal.cdf(0.8) - normal.cdf(0.2)))[None].double()
    value = line_of_sight(
        weights, edges[None, :-1], edges[None, 1:], torch.tensor([0.5]).double(), epsilon=0.3
    )
    assert float(value) < 1e-12


def test_depth_smoothness_and_tv_equal_the_loops_over_pixels():
    depth = fake("patch_depth", dtype=torch.float64)
    image = fake("patch_target_rgb", dtype=torch.float64)
    smooth, total = depth_smoothness(depth, image), depth_tv(depth)
    assert smooth.shape == total.shape == (2, 11, 12)
    for patch in range(2):
        for row in range(11):
            for column in range(12):
                here = (patch, row, column)
                expected = [0.0, 0.0]
                for other in ((patch, row, column + 1), (patch, row + 1, column)):
                    step = abs(float(depth[other] - depth[here]))
                    edge = float((image[other] - image[here]).abs().mean())
                    expected[0] += step * math.exp(-edge)
                    expected[1] += step
                assert float(smooth[here]) == pytest.approx(expected[0])
                assert float(total[here]) == pytest.approx(expected[1])


def test_a_step_in_depth_costs_less_where_the_image_has_one_too():
    depth = torch.zeros(1, 4, 4, 1)
    depth[:, :, 2:] = 1.0
    flat, edge = torch.zeros(1, 4, 4, 3), depth.expand(1, 4, 4, 3)
    assert depth_smoothness(depth, flat).sum() == depth_tv(depth).sum() == 3
    torch.testing.assert_close(depth_smoothness(depth, edge).sum(), torch.tensor(3 * math.exp(-1)))


def test_flat_depth_costs_nothing():
    flat = torch.full((2, 5, 6, 1), 1.7)
    assert (depth_tv(flat) == 0).all()
    assert (depth_smoothness(flat, torch.rand(2, 5, 6, 3)) == 0).all()
