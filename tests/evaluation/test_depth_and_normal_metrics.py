"""Depth and normal errors agree with loops and see only what is known."""

import math

import pytest
import torch

from nerfloss.evaluation.errors import UndefinedMetric
from nerfloss.evaluation.metrics.depth import depth_abs_rel, depth_delta1, depth_rmse
from nerfloss.evaluation.metrics.normal import normal_angle, normal_angle_median, normal_l2

DEPTH = torch.tensor([[1.0, 2.0, 0.0], [5.0, 3.0, 9.0]])
TARGET_DEPTH = torch.tensor([[1.1, 1.5, 2.0], [5.0, 3.7, 0.0]])  # the last is unknown


def known():
    return [
        (d, t)
        for d, t in zip(DEPTH.flatten().tolist(), TARGET_DEPTH.flatten().tolist(), strict=True)
        if t > 0
    ]


def test_depth_metrics_equal_loops_over_known_pixels():
    pairs = known()
    n = len(pairs)
    rel = sum(abs(d - t) / t for d, t in pairs) / n
    rmse = math.sqrt(sum((d - t) ** 2 for d, t in pairs) / n)
    good = sum(d > 0 and max(d / t, t / d) < 1.25 for d, t in pairs) / n
    assert depth_abs_rel(DEPTH, TARGET_DEPTH).item() == pytest.approx(rel)
    assert depth_rmse(DEPTH, TARGET_DEPTH).item() == pytest.approx(rmse)
    assert depth_delta1(DEPTH, TARGET_DEPTH).item() == pytest.approx(good)


@pytest.mark.parametrize("metric", [depth_abs_rel, depth_rmse, depth_delta1])
def test_depth_metrics_without_known_depth_say_so(metric):
    with pytest.raises(UndefinedMetric, match="known depth"):
        metric(DEPTH, torch.zeros_like(DEPTH))


def turned(*degrees):
    angle = torch.deg2rad(torch.tensor(degrees))
    return torch.stack([angle.cos(), angle.sin(), torch.zeros_like(angle)], -1)[None]


def test_normal_angle_is_the_angle_and_ignores_the_length_of_the_rendered_normal():
    target = turned(0.0, 0.0, 0.0)
    normal = turned(2.0, 10.0, 90.0) * torch.tensor([0.3, 1.0, 0.8])[None, :, None]
    assert normal_angle(normal, target).item() == pytest.approx(34.0, abs=1e-4)
    assert normal_angle_median(normal, target).item() == pytest.approx(10.0, abs=1e-4)


def test_normal_angle_keeps_its_digits_for_tiny_and_for_opposite_angles():
    # An arc cosine in float32 cannot tell 0.01 degrees from 0.
    assert normal_angle(turned(0.01), turned(0.0)).item() == pytest.approx(0.01, rel=1e-3)
    assert normal_angle(turned(180.0), turned(0.0)).item() == pytest.approx(180.0)


def test_normal_angle_leaves_out_unknown_and_unhit_pixels():
    target = turned(0.0, 0.0, 0.0)
    target[0, 1] = 0
    normal = turned(5.0, 80.0, 80.0)
    normal[0, 2] = 0.01 * normal[0, 2]
    assert normal_angle(normal, target).item() == pytest.approx(5.0, abs=1e-4)


def test_normal_angle_of_nothing_says_so():
    with pytest.raises(UndefinedMetric, match="both a rendered and an observed normal"):
        normal_angle(torch.zeros(1, 2, 3), turned(0.0, 1.0))


def test_normal_l2_is_the_mean_squared_length_over_the_whole_map():
    normal, target = turned(0.0, 90.0), turned(0.0, 0.0)
    assert normal_l2(normal, target).item() == pytest.approx(1.0, abs=1e-6)
