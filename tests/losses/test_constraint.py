"""Soft constraints: 0 where they hold, squares where they do not."""

import math

import pytest
import torch

from nerfloss.losses.constraint import (
    bounds,
    conserve,
    fixed,
    laplacian_smooth,
    monotone_sequence,
    non_negative,
    sum_to,
)
from nerfloss.testing.quantities import fake


def numbers(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_bounds_cost_the_squared_distance_from_the_interval():
    x = torch.tensor([-2.0, -1.0, 0.3, 2.0, 5.0])
    torch.testing.assert_close(bounds(x, lower=-1, upper=2), torch.tensor([1.0, 0, 0, 0, 9]))
    free = bounds(x, lower=-math.inf, upper=2.0)
    torch.testing.assert_close(free, torch.tensor([0.0, 0, 0, 0, 9]))


def test_non_negative_is_a_bound_at_0():
    x = numbers(4, 5)
    torch.testing.assert_close(non_negative(x), bounds(x, lower=0.0, upper=math.inf))


def test_sums_over_the_last_axis():
    x, y = numbers(3, 4), numbers(3, 7)
    for k in range(3):
        total = sum(float(v) for v in x[k])
        assert float(sum_to(x, total=2.0)[k]) == pytest.approx((total - 2.0) ** 2)
        other = sum(float(v) for v in y[k])
        assert float(conserve(x, y)[k]) == pytest.approx((total - other) ** 2)


def test_conserve_ignores_the_distribution():
    weights = fake("weights", dtype=torch.float64)
    torch.testing.assert_close(
        conserve(weights, weights.flip(-1)), torch.zeros(6, dtype=torch.float64)
    )
    torch.testing.assert_close(
        sum_to(weights / weights.sum(-1, keepdim=True)), torch.zeros(6, dtype=torch.float64)
    )


def test_monotone_sequence_penalises_decreases():
    assert monotone_sequence(fake("t_ends")).eq(0).all()
    x = torch.tensor([[0.0, 2.0, 1.5, 1.5, -0.5]])
    torch.testing.assert_close(monotone_sequence(x), torch.tensor([[0.0, 0.25, 0.0, 4.0]]))


def test_laplacian_smooth_is_0_for_straight_lines():
    line = 3 * torch.arange(6, dtype=torch.float64) - 1
    torch.testing.assert_close(laplacian_smooth(line), torch.zeros(4, dtype=torch.float64))
    x = numbers(2, 5)
    for row in range(2):
        for i in range(1, 4):
            bend = float(x[row, i - 1] - 2 * x[row, i] + x[row, i + 1])
            assert float(laplacian_smooth(x)[row, i - 1]) == pytest.approx(bend**2)


def test_fixed_is_the_squared_distance_from_a_constant():
    x = numbers(4)
    torch.testing.assert_close(fixed(x, value=0.5), (x - 0.5) ** 2)


@pytest.mark.parametrize(
    ("term", "x", "step"),
    [
        (lambda x: bounds(x, lower=0.0, upper=1.0), [2.0, -1.0], [-1, 1]),
        (non_negative, [-2.0, 1.0], [1, 0]),
        (sum_to, [0.2, 0.3], [1, 1]),
        (monotone_sequence, [2.0, 1.0], [-1, 1]),
        (laplacian_smooth, [0.0, 1.0, 0.0], [1, -1, 1]),
        (lambda x: conserve(x, torch.tensor([2.0])), [0.5, 0.5], [1, 1]),
        (lambda x: fixed(x, value=1.0), [3.0, 0.0], [-1, 1]),
    ],
)
def test_gradient_descent_satisfies_the_constraint(term, x, step):
    x = torch.tensor(x, requires_grad=True)
    term(x).sum().backward()
    assert (-x.grad).sign().tolist() == step
