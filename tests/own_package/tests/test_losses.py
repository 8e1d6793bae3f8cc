"""Our losses keep the contract, and do what they say."""

from functools import partial

import pytest
import torch
from mylab.inliers import Inliers
from mylab.losses import colour_angle
from mylab.schedules import pulses
from mylab.spread import depth_spread

from nerfloss.testing import check_term, fake


def test_our_losses_keep_the_contract():
    check_term(colour_angle)
    check_term(partial(colour_angle, black=0.1))
    check_term(Inliers(quantile=0.5))


def test_a_loss_on_our_own_quantity_is_tried_on_one_of_the_same_shape():
    check_term(depth_spread, inputs={"depth_variance": "depth"})


def test_brightness_is_not_compared():
    rgb = fake("rgb")
    torch.testing.assert_close(colour_angle(rgb, 0.5 * rgb), torch.zeros(len(rgb)))


def test_the_scale_is_the_quantile_of_the_errors():
    term, black = Inliers(quantile=0.75), torch.zeros(1000, 3)
    errors = torch.linspace(0, 1, 1000)
    for step in range(300):
        term(errors[:, None].expand(-1, 3), black)
        term.after_step(step)
    assert term.scale.item() == pytest.approx(0.75, abs=0.02)


def test_pulses_come_and_go():
    assert [pulses(4, 1)(step) for step in range(5)] == [1, 0, 0, 0, 1]
