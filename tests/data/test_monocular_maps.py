"""Relative depth and disparity: exact up to a scale and a shift, along the optical axis."""

from dataclasses import replace

import pytest
import torch
from small_scenes import small_scene

from nerfloss.data.pixel_samplers.batch import gather_pixels
from nerfloss.losses.depth import scale_shift_depth
from nerfloss.losses.ranking import depth_ranking
from nerfloss.quantities.derived import depth_z, disparity

NEEDS = ("target_depth", "target_relative_depth", "target_disparity", "axis_cosine")


@pytest.fixture(scope="module")
def batch():
    """Pixels of three views that show the object, with the true depth as if it was rendered."""
    views = small_scene("sphere", views=3, test_views=1, size=32).train
    flat = (views.depth.flatten() > 0).nonzero()[:, 0]
    background = torch.zeros(len(flat), 3)
    return gather_pixels(views, views.cameras, flat, background, False, NEEDS)


def rendered(batch):
    along_axis = depth_z(batch.targets["target_depth"], batch.targets["axis_cosine"])
    return along_axis, disparity(torch.ones_like(along_axis), along_axis)


def test_the_cosine_is_that_between_ray_and_optical_axis(batch):
    cosine = batch.targets["axis_cosine"]
    assert ((cosine > 0.9) & (cosine <= 1 + 1e-6)).all()
    assert cosine.min() < 0.99


@pytest.mark.parametrize(("index", "name"), [(0, "relative_depth"), (1, "disparity")])
def test_true_depth_fits_after_a_scale_and_a_shift_per_view(batch, index, name):
    target, value = batch.targets[f"target_{name}"], rendered(batch)[index]
    assert target.min() >= 0.2 - 1e-6
    assert scale_shift_depth(value, target, batch.rays.view).max() < 1e-9
    assert depth_ranking(value, target, batch.rays.view, margin=0.0).max() < 1e-6
    # The distance along the ray is not affine in it, nor is the inverse affine in depth.
    wrong = (batch.targets["target_depth"], rendered(batch)[0])[index]
    assert scale_shift_depth(wrong, target, batch.rays.view).max() > 1e-5


def test_disparity_is_zero_and_its_gradient_finite_where_nothing_is_hit():
    opacity = torch.tensor([0.0, 0.5, 1.0], requires_grad=True)
    value = disparity(opacity, torch.tensor([0.0, 1.0, 2.0]))
    assert torch.allclose(value, torch.tensor([0.0, 0.5, 0.5]))
    value.sum().backward()
    assert opacity.grad.isfinite().all()


def test_an_image_without_estimates_offers_none():
    views = small_scene("sphere", views=2, test_views=1, size=16).train
    bare = replace(views, relative_depth=None, disparity=None)
    assert not {"target_relative_depth", "target_disparity"} & bare.offers
