"""Tests of our losses."""

from functools import partial

import pytest
import torch
from mylab.inliers import Inliers
from mylab.losses import colour_angle
from mylab.schedules import pulses
from mylab.spread import depth_spread, mean_spread

from nerfloss.testing import check_metric, check_term, fake


def test_losses_pass_check_term():
    check_term(colour_angle)
    check_term(partial(colour_angle, black=0.1))
    check_term(Inliers(quantile=0.5))


def test_loss_on_own_quantity_passes_check_term():
    check_term(depth_spread, inputs={"depth_variance": "depth"})


def test_metric_on_own_quantity_passes_check_metric():
    check_metric(mean_spread, inputs={"depth_variance": "depth"})


def test_colour_angle_is_invariant_to_brightness():
    rgb = fake("rgb")
    torch.testing.assert_close(colour_angle(rgb, 0.5 * rgb), torch.zeros(len(rgb)))


def test_scale_converges_to_the_quantile_of_the_errors():
    term, black = Inliers(quantile=0.75), torch.zeros(1000, 3)
    errors = torch.linspace(0, 1, 1000)
    for step in range(300):
        term(errors[:, None].expand(-1, 3), black)
        term.after_step(step)
    assert term.scale.item() == pytest.approx(0.75, abs=0.02)


def test_pulses():
    assert [pulses(4, 1)(step) for step in range(5)] == [1, 0, 0, 0, 1]
