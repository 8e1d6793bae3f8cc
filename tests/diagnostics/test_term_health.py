"""Verdicts on a term's gradient, from made-up norms."""

import pytest

from nerfloss.diagnostics.term_health import Health


def verdicts(norms, **settings):
    health = Health(**settings)
    return [health.classify(norm) for norm in norms]


def test_a_gradient_that_falls_as_it_does_in_training_is_healthy():
    assert set(verdicts([1.0 * 0.8**i for i in range(60)])) == {"ok"}


def test_a_term_is_dead_after_several_looks_without_gradient_and_alive_with_the_next():
    assert verdicts([1, 0, 0, 0, 0, 1], dead=3) == ["ok", "ok", "ok", "dead", "dead", "ok"]


def test_a_sudden_change_of_size_is_named_beside_the_running_median():
    assert verdicts([1, 1, 1, 1e-4]) == ["ok", "ok", "ok", "vanishing"]
    assert verdicts([1, 1, 1, 101]) == ["ok", "ok", "ok", "exploding"]
    assert verdicts([1, 1, 1, 99]) == ["ok"] * 4


def test_a_change_that_stays_is_the_new_usual():
    assert verdicts([1.0] * 3 + [1e-5] * 6, window=5)[-1] == "ok"


def test_what_is_not_a_number_is_said_to_be():
    assert verdicts([1, float("nan"), float("inf")]) == ["ok", "non-finite", "non-finite"]


@pytest.mark.parametrize("wrong", [{"dead": 0}, {"window": 2}, {"vanishing": 1}, {"exploding": 1}])
def test_thresholds_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="diagnostics needs dead >= 1"):
        Health(**wrong)
