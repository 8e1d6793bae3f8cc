"""Every loss over its running mean."""

import pytest
import torch

from nerfloss.recipe.balancers.normalized import Normalized


def factor(balancer, value, prior=1.0):
    return float(balancer({"a": prior * torch.tensor(value)}, {"a": prior})["a"])


def test_the_factor_is_one_over_a_corrected_running_mean():
    balancer, decay = Normalized(decay=0.8), 0.8
    mean = 0.0
    for count, value in enumerate([4.0, 2.0, 1.0, 8.0, 0.5], start=1):
        mean = decay * mean + (1 - decay) * value
        assert factor(balancer, value) == pytest.approx((1 - decay**count) / mean, rel=1e-5)


def test_a_constant_loss_becomes_exactly_1_from_its_first_step_on():
    balancer = Normalized()
    assert [factor(balancer, 250.0) * 250 for _ in range(20)] == pytest.approx([1] * 20, rel=1e-5)


def test_base_weights_are_the_shares_of_the_total():
    for prior in (0.01, 1.0, 50.0):
        balancer = Normalized()
        assert prior * 7 * factor(balancer, 7.0, prior) == pytest.approx(prior, rel=1e-5)


def test_a_loss_of_0_keeps_a_finite_weight():
    assert factor(Normalized(floor=1e-3), 0.0) == pytest.approx(1e3)


def test_a_negative_loss_is_normalized_by_its_absolute_value():
    assert factor(Normalized(), -4.0) == pytest.approx(0.25)


@pytest.mark.parametrize("setting", [{"decay": 1.0}, {"floor": 0.0}])
def test_invalid_settings_are_refused(setting):
    (name,) = setting
    with pytest.raises(ValueError, match=rf"loss\.balancer\.{name} has to be"):
        Normalized(**setting)
