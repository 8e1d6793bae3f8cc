"""Compositing against the loop that defines it."""

import pytest
import torch

from nerfloss.maths.compositing import (
    compositing_weights,
    density_alphas,
    expected_distance,
    transmittance,
)


def alphas(rays=5, samples=7):
    generator = torch.Generator().manual_seed(0)
    return torch.rand(rays, samples, generator=generator, dtype=torch.float64)


def test_weights_equal_the_loop():
    a = alphas()
    expected = torch.zeros_like(a)
    for ray in range(a.shape[0]):
        light = 1.0
        for i in range(a.shape[1]):
            expected[ray, i] = light * a[ray, i]
            light *= 1 - a[ray, i]
    torch.testing.assert_close(compositing_weights(a), expected)


def test_weights_and_remaining_transmittance_sum_to_one():
    a = alphas()
    left = transmittance(a)[:, -1] * (1 - a[:, -1])
    torch.testing.assert_close(compositing_weights(a).sum(-1) + left, torch.ones(len(a)).double())


def test_gradient_is_exact():
    assert torch.autograd.gradcheck(compositing_weights, alphas().requires_grad_())


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_gradient_is_finite_for_transparent_and_opaque_samples(value):
    a = torch.full((2, 4), value, requires_grad=True)
    compositing_weights(a).sum().backward()
    assert a.grad.isfinite().all()


def test_a_sample_of_length_0_has_opacity_0():
    t = torch.tensor([[1.0, 2.0]])
    assert density_alphas(torch.tensor([[1e6, 1e6]]), t, t).tolist() == [[0, 0]]


def test_density_opacity_keeps_small_densities():
    alpha = density_alphas(torch.tensor([1e-9]), torch.tensor([0.0]), torch.tensor([1.0]))
    assert alpha.item() == pytest.approx(1e-9, rel=1e-6)


def test_expected_distance_is_the_middle_of_the_only_opaque_sample():
    w = torch.tensor([[0.0, 0.5, 0.0]])
    t = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    assert expected_distance(w, t[:, :-1], t[:, 1:]).item() == 2.5


def test_expected_distance_is_zero_where_nothing_is_hit():
    t = torch.tensor([[1.0, 2.0, 3.0]])
    assert expected_distance(torch.zeros(1, 2), t[:, :-1], t[:, 1:]).item() == 0
