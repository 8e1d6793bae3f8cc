"""Mask terms and ray entropy: values, gradients, and empty masks."""

import math

import pytest
import torch

from nerfloss.losses.mask import (
    mask_bce,
    mask_dice,
    mask_focal,
    mask_hinge,
    mask_iou,
)
from nerfloss.losses.opacity import ray_entropy
from nerfloss.testing.quantities import fake

TERMS = [mask_focal, mask_hinge, mask_iou, mask_dice]


@pytest.fixture
def pair():
    return fake("opacity", dtype=torch.float64), fake("target_mask", dtype=torch.float64)


@pytest.mark.parametrize(("gamma", "alpha"), [(2.0, 0.25), (0.5, 0.6), (0.0, 0.5)])
def test_mask_focal_equals_the_loop_over_rays(pair, gamma, alpha):
    found = mask_focal(*pair, gamma=gamma, alpha=alpha)
    for o, m, value in zip(*(x.tolist() for x in pair), found.tolist(), strict=True):
        right, share = (o, alpha) if m == 1 else (1 - o, 1 - alpha)
        assert value == pytest.approx(-share * (1 - right) ** gamma * math.log(right))


def test_mask_focal_without_focus_is_half_of_mask_bce(pair):
    torch.testing.assert_close(mask_focal(*pair, gamma=0.0, alpha=0.5), 0.5 * mask_bce(*pair))


def test_mask_focal_down_weights_rays_that_are_right():
    opacity = torch.tensor([0.9, 0.4], dtype=torch.float64)
    mask = torch.ones(2, dtype=torch.float64)
    ratio = mask_focal(opacity, mask) / mask_bce(opacity, mask)
    torch.testing.assert_close(ratio, 0.25 * (1 - opacity) ** 2)


def test_mask_hinge_is_linear_and_0_at_the_mask():
    opacity = torch.tensor([0.0, 0.25, 1.0])
    assert mask_hinge(opacity, torch.ones(3)).tolist() == [2.0, 1.5, 0.0]
    assert mask_hinge(opacity, torch.zeros(3)).tolist() == [0.0, 0.5, 2.0]


def test_mask_iou_and_dice_equal_the_loops_over_rays(pair):
    both = sum(o * m for o, m in zip(*(x.tolist() for x in pair), strict=True))
    ours, theirs = (sum(x.tolist()) for x in pair)
    assert float(mask_iou(*pair)) == pytest.approx(1 - both / (ours + theirs - both))
    assert float(mask_dice(*pair)) == pytest.approx(1 - 2 * both / (ours + theirs))


def test_iou_and_dice_of_hard_masks_equal_set_counts():
    opacity = torch.tensor([1.0, 1, 1, 0, 0])
    mask = torch.tensor([0.0, 1, 1, 1, 0])
    torch.testing.assert_close(mask_iou(opacity, mask), torch.tensor(1 - 2 / 4))
    torch.testing.assert_close(mask_dice(opacity, mask), torch.tensor(1 - 4 / 6))


def test_iou_and_dice_do_not_depend_on_the_order_or_on_background_that_is_right(pair):
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    background = torch.zeros(4, dtype=torch.float64)
    for term in (mask_iou, mask_dice):
        torch.testing.assert_close(term(*(x[order] for x in pair)), term(*pair))
        torch.testing.assert_close(term(*(torch.cat([x, background]) for x in pair)), term(*pair))


@pytest.mark.parametrize("term", TERMS)
def test_mask_terms_are_least_at_the_mask_and_pull_towards_it(term):
    mask = torch.tensor([1.0, 0.0, 1.0, 0.0])
    assert (term(mask, mask) < 1e-6).all()
    opacity = torch.full((4,), 0.5, requires_grad=True)
    term(opacity, mask).sum().backward()
    assert opacity.grad.sign().tolist() == [-1, 1, -1, 1]


@pytest.mark.parametrize("term", [mask_iou, mask_dice])
def test_empty_masks_have_loss_and_gradient_0(term):
    opacity = torch.zeros(5, requires_grad=True)
    value = term(opacity, torch.zeros(5))
    value.backward()
    assert value == 0
    assert opacity.grad.tolist() == [0] * 5


def test_ray_entropy_equals_the_loop_over_samples():
    weights = fake("weights", dtype=torch.float64)
    opacity = weights.sum(-1)
    found = ray_entropy(weights, opacity)
    for ray, value in zip(weights.tolist(), found.tolist(), strict=True):
        shares = [w / sum(ray) for w in ray]
        assert value == pytest.approx(-sum(p * math.log(p) for p in shares))


def test_ray_entropy_is_0_for_one_sample_and_greatest_for_equal_ones():
    weights = torch.tensor([[0.0, 0.8, 0.0, 0.0], [0.2] * 4, [0.1, 0.3, 0.2, 0.2]])
    value = ray_entropy(weights, weights.sum(-1))
    assert abs(float(value[0])) < 1e-6
    torch.testing.assert_close(value[1], torch.tensor(math.log(4)))
    assert value[0] < value[2] < value[1]


def test_ray_entropy_is_invariant_to_opacity():
    weights = fake("weights")
    whole = ray_entropy(weights / weights.sum(-1, keepdim=True), torch.ones(6))
    torch.testing.assert_close(ray_entropy(weights, weights.sum(-1)), whole)


def test_ray_entropy_is_0_below_the_opacity_threshold():
    weights = torch.full((2, 5), 0.01, requires_grad=True)
    value = ray_entropy(weights, weights.sum(-1), threshold=0.1)
    value.sum().backward()
    assert value.tolist() == [0, 0]
    assert (weights.grad == 0).all()
