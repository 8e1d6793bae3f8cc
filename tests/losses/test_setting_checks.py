"""Checks that many terms share say which setting is wrong, and what it was."""

import pytest

from nerfloss.losses.settings_checks import (
    require_clamp,
    require_count,
    require_not_negative,
    require_positive,
)


def test_good_settings_pass():
    require_positive("term", eps=1e-6, sigma=2.0)
    require_not_negative("term", margin=0.0)
    require_count("term", window=1, stride=7)
    require_clamp("term", 1e-3)


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan")])
def test_a_setting_that_is_not_positive_is_named(wrong):
    with pytest.raises(ValueError, match=f"term needs sigma > 0, got sigma={wrong}"):
        require_positive("term", eps=1.0, sigma=wrong)


@pytest.mark.parametrize("wrong", [-1e-9, float("nan")])
def test_a_negative_setting_is_named(wrong):
    with pytest.raises(ValueError, match=f"term needs margin >= 0, got margin={wrong}"):
        require_not_negative("term", margin=wrong)


@pytest.mark.parametrize("wrong", [0, -3, 2.5, True, "3"])
def test_a_count_is_a_whole_number_from_1(wrong):
    with pytest.raises(ValueError, match=f"whole number from 1 for window, got window={wrong}"):
        require_count("term", window=wrong)


@pytest.mark.parametrize("wrong", [0.0, 0.5, -1e-3])
def test_a_clamp_leaves_an_interval(wrong):
    with pytest.raises(ValueError, match=f"0 < eps < 0.5, got eps={wrong}"):
        require_clamp("term", wrong)
