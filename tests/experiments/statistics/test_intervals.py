"""Confidence intervals: against scipy, against worked numbers, and by how often they are right."""

import math

import numpy as np
import pytest
from scipy import stats

from nerfloss.experiments.statistics.intervals import (
    MIN_VALUES_FOR_BOOTSTRAP,
    bootstrap_interval,
    confidence_interval,
    t_interval,
)
from nerfloss.experiments.statistics.summary import summary


def test_the_t_interval_is_scipys() -> None:
    values = [28.1, 28.9, 27.6, 28.4]
    error = np.std(values, ddof=1) / 2
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=error)
    assert t_interval(values)[:2] == pytest.approx((low, high))


def test_the_t_interval_of_three_is_the_one_worked_by_hand() -> None:
    # Mean 2, deviation 1, 4.3027 standard errors of 1/sqrt(3).
    assert t_interval([1.0, 2.0, 3.0])[:2] == pytest.approx((-0.484, 4.484), abs=1e-3)


def test_the_bootstrap_is_scipys_percentile_interval_at_the_expanded_level() -> None:
    values = np.random.default_rng(0).normal(size=12)
    tail = stats.norm.cdf(-math.sqrt(12 / 11) * stats.t.ppf(0.975, 11))
    theirs = stats.bootstrap(
        (values,), np.mean, confidence_level=1 - 2 * tail, method="percentile", n_resamples=99_999
    ).confidence_interval
    ours = bootstrap_interval(list(values), resamples=99_999)
    assert ours[:2] == pytest.approx((theirs.low, theirs.high), abs=0.03 * np.ptp(values))


def test_the_bootstrap_comes_out_the_same_for_the_same_seed() -> None:
    values = list(np.random.default_rng(0).normal(size=8))
    assert bootstrap_interval(values, seed=3) == bootstrap_interval(values, seed=3)
    assert bootstrap_interval(values, seed=3) != bootstrap_interval(values, seed=4)


@pytest.mark.parametrize("n", [2, 3, MIN_VALUES_FOR_BOOTSTRAP, 12])
def test_the_interval_holds_the_true_mean_as_often_as_it_promises(n: int) -> None:
    random = np.random.default_rng(n)
    trials = 1000
    held = 0
    for seed in range(trials):
        low, high, _ = confidence_interval(list(random.normal(size=n)), seed=seed) or (0, 0, "")
        held += low <= 0 <= high
    # Three standard errors of a share of 1000 are 2 points.
    assert 0.92 <= held / trials <= 0.97


def test_a_bootstrap_of_three_values_would_promise_too_much() -> None:
    """The reason why few values get the interval of the t distribution."""
    random = np.random.default_rng(0)
    held = 0
    for seed in range(400):
        low, high, _ = bootstrap_interval(list(random.normal(size=3)), seed=seed, resamples=999)
        held += low <= 0 <= high
    assert held / 400 < 0.82


def test_few_values_are_answered_by_t_and_more_by_bootstrap() -> None:
    found = {n: confidence_interval([float(i) for i in range(n)]) for n in (2, 3, 5, 6, 20)}
    methods = {n: interval.method for n, interval in found.items() if interval}
    assert methods == {2: "t", 3: "t", 5: "t", 6: "bootstrap", 20: "bootstrap"}


def test_one_run_has_a_score_and_no_interval() -> None:
    one = summary([31.25])
    assert (one.n, one.mean, one.std, one.interval) == (1, 31.25, None, None)
    assert one.text == "31.25 (one run)"


def test_a_summary_of_several_says_mean_deviation_and_interval() -> None:
    two = summary([30.0, 32.0])
    assert two.std == pytest.approx(math.sqrt(2))
    assert two.text == "31 ± 1.4 (95 %: 18.3 to 43.7)"


def test_equal_scores_have_an_interval_without_width() -> None:
    same = summary([0.5, 0.5, 0.5])
    assert (same.std, same.interval) == (0.0, (0.5, 0.5, "t"))
    assert same.text == "0.5 ± 0 (95 %: 0.5 to 0.5)"


@pytest.mark.parametrize(
    ("values", "level", "words"),
    [
        ([1.0], 0.95, "at least 2 values, got 1"),
        ([1.0, math.nan], 0.95, "finite values, got"),
        ([1.0, 2.0], 95.0, "between 0 and 1, e.g. 0.95, got 95.0"),
    ],
)
def test_an_interval_that_cannot_be_made_is_refused(values, level, words) -> None:
    with pytest.raises(ValueError, match=words):
        t_interval(values, level=level)


@pytest.mark.parametrize(("values", "words"), [([], "got none"), ([1.0, math.inf], "finite")])
def test_a_summary_needs_values_that_are_numbers(values, words) -> None:
    with pytest.raises(ValueError, match=words):
        summary(values)
