"""Pointwise losses: their values, their slopes, their limits."""

import pytest
import torch
from torch.nn import functional

from nerfloss.losses.photometric import (
    charbonnier,
    huber,
    l1,
    l2,
    log_l1,
    relative_l2,
)


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.rand(20, 3, generator=generator, dtype=torch.float64) for _ in range(2))


def test_l1_and_l2_are_elementwise_differences(pair):
    a, b = pair
    torch.testing.assert_close(l1(a, b), functional.l1_loss(a, b, reduction="none"))
    torch.testing.assert_close(l2(a, b), functional.mse_loss(a, b, reduction="none"))


@pytest.mark.parametrize("delta", [0.01, 0.1, 2.0])
def test_huber_is_torchs(pair, delta):
    a, b = pair
    expected = functional.huber_loss(a, b, reduction="none", delta=delta)
    torch.testing.assert_close(huber(a, b, delta=delta), expected)


def test_charbonnier_is_eps_where_equal_and_l1_far_away(pair):
    a, _ = pair
    torch.testing.assert_close(charbonnier(a, a, eps=0.01), torch.full_like(a, 0.01))
    torch.testing.assert_close(charbonnier(a, a + 1000), l1(a, a + 1000))


def test_relative_l2_scales_l2_by_the_prediction_but_not_its_slope(pair):
    a, b = pair
    a.requires_grad_()
    value = relative_l2(a, b, eps=1e-3)
    torch.testing.assert_close(value, (a - b) ** 2 / (a + 1e-3) ** 2)
    value.sum().backward()
    torch.testing.assert_close(a.grad, (2 * (a - b) / (a + 1e-3) ** 2).detach())


def test_log_l1_does_not_depend_on_scale(pair):
    a, b = (x + 0.1 for x in pair)
    torch.testing.assert_close(log_l1(a, b), log_l1(1000 * a, 1000 * b))
    torch.testing.assert_close(log_l1(2 * b, b), torch.full_like(b, 2).log())


def test_log_l1_is_finite_at_zero():
    depth = torch.zeros(3, requires_grad=True)
    value = log_l1(depth, torch.ones(3))
    value.sum().backward()
    assert value.isfinite().all()
    assert depth.grad.tolist() == [0, 0, 0]
