"""Dynamic weight average: the paper's arithmetic, worked."""

import math

import pytest
import torch

from nerfloss.recipe.balancers.dwa import DynamicWeightAverage

ONES = {"a": 1.0, "b": 1.0}


def factors(balancer, base_weights=ONES, **values):
    losses = {name: base_weights[name] * torch.tensor(value) for name, value in values.items()}
    return {name: float(factor) for name, factor in balancer(losses, base_weights).items()}


def test_the_worked_example():
    balancer = DynamicWeightAverage(temperature=2.0, window=1)
    assert factors(balancer, a=8.0, b=1.0) == {"a": 1, "b": 1}
    assert factors(balancer, a=4.0, b=0.9) == {"a": 1, "b": 1}
    # a fell to 4/8 of itself, b to 0.9/1: exp(0.25) and exp(0.45), scaled to sum to 2.
    a, b = math.exp(0.5 / 2), math.exp(0.9 / 2)
    expected = {"a": 2 * a / (a + b), "b": 2 * b / (a + b)}
    assert factors(balancer, a=4.0, b=0.9) == pytest.approx(expected)
    # Then neither fell.
    assert factors(balancer, a=1.0, b=1.0) == pytest.approx({"a": 1, "b": 1})


def test_windows_are_averaged_before_they_are_compared():
    balancer = DynamicWeightAverage(temperature=1.0, window=3)
    for a in (6.0, 8.0, 10.0, 1.0, 2.0, 3.0):
        found = factors(balancer, a=a, b=5.0)
        assert found == {"a": 1, "b": 1}
    a, b = math.exp(2 / 8), math.exp(1)
    expected = {"a": 2 * a / (a + b), "b": 2 * b / (a + b)}
    assert factors(balancer, a=100.0, b=100.0) == pytest.approx(expected)


def test_base_weights_do_not_change_the_factors():
    one, other = (DynamicWeightAverage(window=1) for _ in range(2))
    for a, b in ((8.0, 1.0), (4.0, 0.9), (3.0, 0.3)):
        plain = factors(one, a=a, b=b)
        assert factors(other, {"a": 7.0, "b": 0.1}, a=a, b=b) == pytest.approx(plain)


def test_factors_sum_to_the_number_of_active_terms():
    balancer = DynamicWeightAverage(window=1)
    for a, b in ((8.0, 1.0), (4.0, 0.9)):
        factors(balancer, a=a, b=b)
    assert sum(factors(balancer, a=1.0, b=1.0).values()) == pytest.approx(2)
    assert factors(balancer, b=3.0) == pytest.approx({"b": 1})


def test_a_scheduled_weight_is_not_counted_as_progress():
    balancer = DynamicWeightAverage(window=1)
    for weight in (0.1, 0.5, 1.0, 1.0):
        found = factors(balancer, {"a": weight, "b": 1.0}, a=2.0, b=2.0)
    assert found == pytest.approx({"a": 1, "b": 1})


def test_a_loss_that_was_0_has_a_ratio_of_1():
    balancer = DynamicWeightAverage(window=1)
    for _ in range(3):
        found = factors(balancer, a=0.0, b=1.0)
    assert found == pytest.approx({"a": 1, "b": 1})


def test_statistics_change_in_training_mode_only():
    balancer = DynamicWeightAverage(window=1).eval()
    factors(balancer, a=1.0, b=1.0)
    assert not balancer.state_dict()


@pytest.mark.parametrize("setting", [{"temperature": 0.0}, {"window": 0}])
def test_invalid_settings_are_refused(setting):
    (name,) = setting
    with pytest.raises(ValueError, match=rf"loss\.balancer\.{name} has to be"):
        DynamicWeightAverage(**setting)
