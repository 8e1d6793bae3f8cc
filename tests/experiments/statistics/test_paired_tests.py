"""Paired tests and significances: against scipy, worked numbers, and how often they cry wolf."""

import itertools

import numpy as np
import pytest
from scipy import stats

from nerfloss.experiments.statistics.paired import (
    MAX_SIGN_FLIPS,
    Paired,
    paired,
    sign_flip_test,
    t_test,
)
from nerfloss.experiments.statistics.seed_counts import min_pairs_for_sign_flips, pairs_to_detect
from nerfloss.experiments.statistics.significance import holm, significance, significances

# Student's own: hours of sleep that two drugs gained ten patients (Biometrika 6, 1908).
FIRST = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SECOND = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def seeds(*values: float) -> dict[int, float]:
    return dict(enumerate(values))


def differing(*differences: float) -> Paired:
    return paired(seeds(*[0.0] * len(differences)), seeds(*differences))


def test_students_own_example_comes_out_as_published() -> None:
    pair = paired(seeds(*FIRST), seeds(*SECOND))
    assert pair.mean == pytest.approx(1.58)
    assert pair.p_t == pytest.approx(0.00283, abs=1e-5)


def test_the_t_test_is_scipys() -> None:
    random = np.random.default_rng(0)
    for n in (2, 3, 5, 30):
        a, b = random.normal(size=(2, n))
        assert t_test(list(b - a)) == pytest.approx(stats.ttest_rel(b, a).pvalue)


def test_the_sign_flips_are_scipys() -> None:
    differences = np.random.default_rng(1).normal(0.5, size=9)
    theirs = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip_test(list(differences)) == pytest.approx(theirs.pvalue)


def test_the_sign_flips_are_those_of_the_naive_loop() -> None:
    differences = [0.3, -0.1, 0.5, 0.2]
    observed = abs(sum(differences))
    all_signs = list(itertools.product([1, -1], repeat=4))
    sums = [abs(sum(s * d for s, d in zip(signs, differences, strict=True))) for signs in all_signs]
    share = sum(total >= observed - 1e-12 for total in sums) / 16
    assert sign_flip_test(differences) == share


def test_three_seeds_cannot_bring_the_sign_flips_below_a_quarter() -> None:
    assert sign_flip_test([5.0, 5.1, 4.9]) == 0.25
    assert sign_flip_test([5.0] * 6) == pytest.approx(2 / 64)


def test_many_pairs_are_flipped_at_random_and_still_fairly() -> None:
    differences = list(np.random.default_rng(2).normal(0.2, size=40))
    assert 2 ** len(differences) > MAX_SIGN_FLIPS
    assert sign_flip_test(differences) == pytest.approx(t_test(differences), abs=0.03)
    assert sign_flip_test(differences, seed=1) == sign_flip_test(differences, seed=1)


def test_pairs_are_matched_by_key_and_the_rest_is_counted() -> None:
    pair = paired({0: 1.0, 1: 2.0, 7: 9.0}, {1: 2.5, 0: 1.25, 3: 0.0})
    assert pair.differences == (0.25, 0.5)
    assert pair.unmatched == 2


def test_pairing_takes_out_what_a_seed_does_to_both() -> None:
    baseline = seeds(20.0, 30.0, 40.0)
    variant = seeds(20.5, 30.4, 40.6)
    assert significance(paired(baseline, variant), "higher").label == "better"
    assert stats.ttest_ind(list(baseline.values()), list(variant.values())).pvalue > 0.9


@pytest.mark.parametrize(
    ("differences", "better", "word"),
    [
        ((0.5, 0.4, 0.6), "higher", "better"),
        ((0.5, 0.4, 0.6), "lower", "worse"),
        ((-0.5, -0.4, -0.6), "higher", "worse"),
        ((-0.5, -0.4, -0.6), "lower", "better"),
        ((0.5, -0.4, 0.6), "higher", "not significant"),
        ((0.0, 0.0, 0.0), "higher", "not significant"),
        ((0.5, 0.5, 0.5), "higher", "better"),
        ((0.5, 0.5), "higher", "too few runs"),
        ((0.5,), "higher", "too few runs"),
        ((), "higher", "too few runs"),
    ],
)
def test_a_significance_follows_the_direction_of_the_metric(differences, better, word) -> None:
    assert significance(differing(*differences), better).label == word


def test_a_significance_says_what_decided_and_what_it_would_take() -> None:
    few = significance(differing(0.5, 0.4, 0.6), "higher")
    assert few.test == "paired t"
    assert few.reason == "paired t over 3 pairs, p = 0.013"
    noise = significance(differing(0.5, -0.4, 0.6), "higher")
    assert "detecting a difference of this size takes about 4" in noise.reason
    many = significance(differing(0.5, 0.4, 0.6, 0.3, 0.2, 0.5), "higher")
    assert many.test == "sign flips"
    nothing = significance(differing(0.5), "higher")
    assert nothing.reason == "1 pair: a paired t test needs 3, a sign-flip test 6"


def test_sign_flips_decide_only_where_they_could_find_something() -> None:
    six = differing(0.5, 0.4, 0.6, 0.3, 0.2, 0.5)
    assert significance(six, "higher").test == "sign flips"
    among_five = significances(dict.fromkeys("abcde", six), "higher")
    assert {found.test for found in among_five.values()} == {"paired t"}


def test_holm_corrects_as_in_his_paper() -> None:
    # m = 4: 0.01 x 4, 0.02 x 3, then 0.03 x 2 that equals it, then 0.2.
    assert holm([0.03, 0.01, 0.2, 0.02]) == pytest.approx([0.06, 0.04, 0.2, 0.06])
    assert holm([0.6, 0.5]) == [1.0, 1.0]
    assert holm([]) == []


def test_an_variant_among_many_has_to_be_clearer() -> None:
    variant, noise = differing(0.5, 0.4, 0.6), differing(0.5, -0.4, 0.1)
    assert significance(variant, "higher").label == "better"
    several = {"variant": variant} | {f"noise {i}": noise for i in range(4)}
    judged = significances(several, "higher")["variant"]
    assert judged.label == "not significant"
    assert "corrected for 5 variants" in judged.reason


def test_variants_with_too_few_runs_do_not_cost_the_others() -> None:
    judged = significances({"variant": differing(0.5, 0.4, 0.6), "short": differing(0.5)}, "higher")
    assert judged["variant"].comparisons == 1
    assert judged["short"].label == "too few runs"


@pytest.mark.parametrize("n", [3, 8])
def test_five_variants_without_effect_raise_a_false_alarm_in_one_of_twenty_families(n: int) -> None:
    random = np.random.default_rng(n)
    alarms = 0
    for _ in range(200):
        pairs = {variant: differing(*random.normal(size=n)) for variant in range(5)}
        alarms += any(v.label != "not significant" for v in significances(pairs, "higher").values())
    assert alarms / 200 <= 0.1  # three standard errors above 0.05


def test_the_number_of_seeds_for_a_test_and_for_an_effect() -> None:
    assert min_pairs_for_sign_flips() == 6
    assert min_pairs_for_sign_flips(comparisons=5) == 8
    assert pairs_to_detect(0.0, 1.0) is None
    assert pairs_to_detect(0.001, 1.0) is None
    # A textbook case: half a deviation, 80 % power at 5 %: 34 pairs.
    assert pairs_to_detect(0.5, 1.0) == 34


def test_the_number_of_seeds_finds_the_effect_as_often_as_it_says() -> None:
    n = pairs_to_detect(0.8, 1.0)
    assert n is not None
    random = np.random.default_rng(0)
    found = [t_test(list(random.normal(0.8, 1.0, n))) < 0.05 for _ in range(1000)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.05)


def test_a_direction_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="better 'higher' or 'lower', got 'up'"):
        significance(differing(1.0, 2.0, 3.0), "up")
