"""A budget in steps or in seconds, and the schedules that follow it."""

import pytest

from nerfloss.training.budget import Budget


def test_a_budget_of_steps_ignores_the_clock():
    budget = Budget(100)
    assert budget.progress(25, seconds=1e6) == 0.25
    assert budget.scheduled_step(25, seconds=1e6) == 25
    assert not budget.spent(99, 1e6)
    assert budget.spent(100, 0.0)


def test_a_budget_of_seconds_stretches_the_schedule_over_the_time():
    budget = Budget(max_steps=1000, max_seconds=10.0)
    assert budget.scheduled_step(17, seconds=5.0) == 500
    assert budget.progress(10**6, seconds=2.5) == 0.25
    assert not budget.spent(10**6, 9.9)
    assert budget.spent(3, 10.0)


@pytest.mark.parametrize(("steps", "seconds"), [(0, None), (10, 0.0), (10, -1.0)])
def test_an_empty_budget_is_refused(steps, seconds):
    with pytest.raises(ValueError, match=r"trainer\.max_"):
        Budget(steps, seconds)


def test_an_unknown_clock_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"trainer\.clock='sun' .*: use wall .* or cpu"):
        Budget(10, clock="sun")
