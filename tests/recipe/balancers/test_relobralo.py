"""ReLoBRaLo: the paper's arithmetic, worked."""

import math

import pytest
import torch

from nerfloss.recipe.balancers.relobralo import RelativeLossBalancing

SERIES = [(8.0, 1.0), (4.0, 0.9), (4.4, 0.3), (1.0, 0.3), (0.9, 0.2), (1.1, 0.25)]


def factors(balancer, step, a, b, weights=(1.0, 1.0)):
    losses = {"a": weights[0] * torch.tensor(a), "b": weights[1] * torch.tensor(b)}
    found = balancer(losses, dict(zip("ab", weights, strict=True)), step)
    return [float(found["a"]), float(found["b"])]


def balance(ratios, temperature):
    powers = [math.exp(ratio / temperature) for ratio in ratios]
    return [len(powers) * power / sum(powers) for power in powers]


def by_hand(series, temperature, decay, coins):
    """The update of the paper, number by number."""
    factor, last, found = [1.0, 1.0], series[0], []
    for now, coin in zip(series, coins, strict=True):
        since_last = balance([n / old for n, old in zip(now, last, strict=True)], temperature)
        since_start = balance([n / old for n, old in zip(now, series[0], strict=True)], temperature)
        history = factor if coin else since_start
        factor = [decay * h + (1 - decay) * s for h, s in zip(history, since_last, strict=True)]
        last = now
        found.append(factor)
    return found


@pytest.mark.parametrize(("remember", "coin"), [(1.0, True), (0.0, False)])
def test_the_worked_example(remember, coin):
    balancer = RelativeLossBalancing(temperature=0.5, decay=0.9, remember=remember)
    expected = by_hand(SERIES, 0.5, 0.9, [coin] * len(SERIES))
    for step, (a, b) in enumerate(SERIES):
        assert factors(balancer, step, a, b) == pytest.approx(expected[step], rel=1e-5)


def test_the_coin_has_its_probability_and_depends_on_the_step_only():
    balancer = RelativeLossBalancing(remember=0.7, seed=3)
    coins = [balancer._coin(step) for step in range(2000)]
    assert sum(coins) / 2000 == pytest.approx(0.7, abs=0.03)
    again = RelativeLossBalancing(remember=0.7, seed=3)
    assert [again._coin(step) for step in range(2000)] == coins


def test_the_coin_selects_the_lookback_to_the_first_step():
    balancer = RelativeLossBalancing(temperature=0.5, decay=0.9, remember=0.5)
    coins = [balancer._coin(step) for step in range(len(SERIES))]
    assert len(set(coins)) == 2
    expected = by_hand(SERIES, 0.5, 0.9, coins)
    for step, (a, b) in enumerate(SERIES):
        assert factors(balancer, step, a, b) == pytest.approx(expected[step], rel=1e-5)


def test_base_weights_do_not_change_the_factors():
    one, other = (RelativeLossBalancing(decay=0.5) for _ in range(2))
    for step, (a, b) in enumerate(SERIES):
        plain = factors(one, step, a, b)
        assert factors(other, step, a, b, weights=(0.01, 30.0)) == pytest.approx(plain, rel=1e-4)


def test_losses_of_0_keep_factors_finite():
    balancer = RelativeLossBalancing()
    for step in range(4):
        assert all(map(math.isfinite, factors(balancer, step, 0.0, float(step))))


@pytest.mark.parametrize("setting", [{"temperature": -1.0}, {"decay": 1.5}, {"remember": -0.1}])
def test_invalid_settings_are_refused(setting):
    (name,) = setting
    with pytest.raises(ValueError, match=rf"loss\.balancer\.{name} has to be"):
        RelativeLossBalancing(**setting)
