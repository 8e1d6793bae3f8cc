"""Health of a term for given sequences of gradient norms."""

import pytest

from nerfloss.diagnostics.term_health import Health


def health_of(norms, **settings):
    health = Health(**settings)
    return [health.classify(norm) for norm in norms]


def test_a_slowly_decreasing_gradient_is_healthy():
    assert set(health_of([1.0 * 0.8**i for i in range(60)])) == {"ok"}


def test_a_term_is_dead_after_several_zeros_and_healthy_with_the_next_gradient():
    assert health_of([1, 0, 0, 0, 0, 1], dead=3) == ["ok", "ok", "ok", "dead", "dead", "ok"]


def test_a_sudden_change_of_size_is_vanishing_or_exploding():
    assert health_of([1, 1, 1, 1e-4]) == ["ok", "ok", "ok", "vanishing"]
    assert health_of([1, 1, 1, 101]) == ["ok", "ok", "ok", "exploding"]
    assert health_of([1, 1, 1, 99]) == ["ok"] * 4


def test_a_permanent_change_becomes_healthy():
    assert health_of([1.0] * 3 + [1e-5] * 6, window=5)[-1] == "ok"


def test_a_norm_that_is_not_finite_is_reported():
    assert health_of([1, float("nan"), float("inf")]) == ["ok", "non-finite", "non-finite"]


@pytest.mark.parametrize("wrong", [{"dead": 0}, {"window": 2}, {"vanishing": 1}, {"exploding": 1}])
def test_invalid_thresholds_are_refused(wrong):
    with pytest.raises(ValueError, match="diagnostics needs dead >= 1"):
        Health(**wrong)
