"""Schedules stay within [0, 1], hit their ends exactly, and refuse what cannot be meant."""

import math
from itertools import pairwise

import pytest

from nerfloss.recipe import schedules

EVERY = {
    "constant": schedules.constant(0.5),
    "ramp": schedules.ramp(10, 20),
    "falling ramp": schedules.ramp(10, 20, first=0.9, last=0.1),
    "cosine": schedules.cosine(10, 20),
    "exponential": schedules.exponential(10, 20),
    "piecewise": schedules.piecewise([[0, 1], [10, 1], [20, 0.25], [30, 0]]),
    "window": schedules.window(10, 20),
    "after": schedules.after(10),
    "one_in": schedules.one_in(3, schedules.ramp(10, 20)),
    "by_progress": schedules.by_progress(schedules.ramp(0.1, 0.2), max_steps=100),
}


@pytest.mark.parametrize("schedule", EVERY.values(), ids=EVERY)
def test_factors_lie_between_0_and_1(schedule):
    factors = [schedule(step) for step in range(50)]
    assert all(isinstance(factor, float) and 0 <= factor <= 1 for factor in factors)


@pytest.mark.parametrize("name", ["ramp", "cosine", "exponential"])
def test_transitions_hit_both_ends_and_keep_them(name):
    schedule = getattr(schedules, name)(10, 20, first=0.25, last=0.75)
    assert [schedule(step) for step in (0, 10, 20, 99)] == pytest.approx([0.25, 0.25, 0.75, 0.75])
    factors = [schedule(step) for step in range(10, 21)]
    assert all(early < late for early, late in pairwise(factors))


def test_a_ramp_is_a_straight_line():
    assert [schedules.ramp(10, 20)(step) for step in (5, 10, 15, 20, 25)] == [0, 0, 0.5, 1, 1]


def test_a_cosine_is_flat_at_its_ends_and_half_way_in_the_middle():
    schedule = schedules.cosine(0, 100)
    assert schedule(50) == pytest.approx(0.5)
    assert schedule(0) - schedule(1) < 0.1 * (schedule(49) - schedule(50))


def test_an_exponential_changes_by_the_same_ratio_at_every_step():
    schedule = schedules.exponential(0, 10, last=math.exp(-10))
    assert schedule(4) / schedule(3) == pytest.approx(math.exp(-1))


def test_pieces_join_at_their_points():
    schedule = schedules.piecewise([[0, 1.0], [200, 1.0], [400, 0.0]])
    assert [schedule(step) for step in (-5, 0, 100, 200, 300, 400, 500)] == [1, 1, 1, 1, 0.5, 0, 0]


def test_a_window_includes_its_begin_and_excludes_its_end():
    assert [schedules.window(3, 5)(step) for step in (2, 3, 4, 5)] == [0, 1, 1, 0]


def test_after_counts_steps_from_its_begin():
    assert [schedules.after(10)(step) for step in (9, 10)] == [0, 1]
    delayed = schedules.after(10, schedules.ramp(0, 4))
    assert [delayed(step) for step in (9, 10, 12, 14)] == [0, 0, 0.5, 1]


@pytest.mark.parametrize("stride", [1, 2, 3, 4, 7, 8])
def test_one_in_many_steps_is_that_share_of_them_also_where_steps_are_skipped(stride):
    schedule = schedules.one_in(4, schedules.ramp(0, 1, first=0.5, last=0.5))
    factors = [schedule(step) for step in range(0, 1000 * stride, stride)]
    assert set(factors) == {0, 0.5}
    assert factors.count(0.5) == pytest.approx(250, abs=5)
    longest = max(len(gap) for gap in "".join("01"[f > 0] for f in factors).split("1"))
    assert longest < 16


def test_progress_replaces_steps_and_ends_at_1():
    schedule = schedules.by_progress(schedules.ramp(0.5, 1.0), max_steps=1000)
    assert [schedule(step) for step in (0, 500, 750, 1000, 5000)] == [0, 0, 0.5, 1, 1]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: schedules.ramp(20, 10), "a ramp needs begin < end, got begin=20, end=10"),
        (lambda: schedules.window(5, 5), "a window needs begin < end, got begin=5, end=5"),
        (lambda: schedules.ramp(0, math.nan), "begin < end, got begin=0, end=nan"),
        (lambda: schedules.ramp(0, 1, last=2.0), r"lie in \[0, 1\], got \[2.0\] for 'ramp'"),
        (lambda: schedules.constant(-0.1), r"lie in \[0, 1\], got \[-0.1\]"),
        (lambda: schedules.cosine(0, 1, first=math.nan), r"lie in \[0, 1\], got \[nan\]"),
        (lambda: schedules.exponential(0, 1, last=0.0), "never reaches 0"),
        (lambda: schedules.piecewise([]), "needs points"),
        (lambda: schedules.piecewise([[0, 1], [0, 0]]), "begin < end"),
        (lambda: schedules.one_in(0.5), "interval >= 1, got interval=0.5"),
        (lambda: schedules.one_in(math.inf), "interval >= 1, got interval=inf"),
        (lambda: schedules.by_progress(schedules.one_in(4), 2400), "put by_progress inside of"),
        (
            lambda: schedules.by_progress(schedules.after(0.9, schedules.one_in(4)), 2400),
            "put by_progress inside of",
        ),
        (lambda: schedules.one_in(math.nan), "interval >= 1, got interval=nan"),
        (lambda: schedules.after(math.inf), "needs the step at which to begin"),
        (lambda: schedules.by_progress(schedules.after(0), 0), "above 0, got max_steps=0"),
    ],
)
def test_invalid_schedules_are_refused(make, reason):
    with pytest.raises(ValueError, match=reason):
        make()
