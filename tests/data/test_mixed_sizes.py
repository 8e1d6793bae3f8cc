"""Views of several sizes, and pixels that do not count: what is drawn, and what is an image."""

import numpy as np
import pytest
import torch

from nerfloss.data.cameras.camera import Camera
from nerfloss.data.cameras.cameras import Cameras
from nerfloss.data.pixel_samplers.batch import image_batch
from nerfloss.data.pixel_samplers.patch import PatchSampling
from nerfloss.data.pixel_samplers.pixel_runs import PixelRuns
from nerfloss.data.pixel_samplers.uniform import UniformPixelSampler
from nerfloss.data.views import Views

SIZES = ((20, 12), (10, 16), (14, 14))


@pytest.fixture
def views() -> Views:
    """Colours tell view, row and column; what lies beyond an image is 255."""
    cameras = [Camera.pinhole(w, h, 30, 30, w / 2, h / 2) for w, h in SIZES]
    rgb = torch.full((3, 16, 20, 3), 255, dtype=torch.uint8)
    for view, (width, height) in enumerate(SIZES):
        rgb[view, :height, :width, 0] = view
        rgb[view, :height, :width, 1] = torch.arange(height)[:, None].to(torch.uint8)
        rgb[view, :height, :width, 2] = torch.arange(width).to(torch.uint8)
    poses = np.tile(np.eye(4)[:3], (3, 1, 1))
    ignore = torch.zeros(3, 16, 20, dtype=torch.uint8)
    ignore[0, :4, :4] = 255
    return Views(Cameras.of(cameras, poses), ("a", "b", "c"), rgb, ignore=ignore)


def colors(batch):
    return (batch.targets["target_rgb"] * 255).round().long()


def test_only_pixels_of_the_images_are_drawn_and_all_of_them(views):
    sampler = UniformPixelSampler(views, background="none")
    assert sampler.positions == sum(w * h for w, h in SIZES) - 16
    batch = sampler.draw(0, 20000)
    found = colors(batch)
    assert found.max() < 255
    assert torch.equal(found[:, 0], batch.rays.view)
    assert torch.equal(found[:, 1:].flip(1) + 0.5, batch.rays.pixel)
    assert not ((found[:, 0] == 0) & (found[:, 1] < 4) & (found[:, 2] < 4)).any()
    assert len(torch.unique(found, dim=0)) == sampler.positions


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (4, 4), (5, 3)])
def test_patches_hold_only_pixels_that_count(views, size):
    height, width = size
    sampler = PatchSampling(height=height, width=width)(views, background="none")
    found = colors(sampler.draw(0, 6000)).reshape(-1, height, width, 3)
    assert found.max() < 255
    first = found[found[:, 0, 0, 0] == 0]
    assert not ((first[..., 1] < 4) & (first[..., 2] < 4)).any()
    allowed = sum(
        1
        for view, (w, h) in enumerate(SIZES)
        for row in range(h - height + 1)
        for column in range(w - width + 1)
        if view or row >= 4 or column >= 4
    )
    assert sampler.positions == allowed


def test_pixels_near_masks_stay_in_the_images(views):
    masks = torch.zeros(3, 16, 20, dtype=torch.uint8)
    masks[1, 8, 9] = 255
    runs = PixelRuns.near_masks(masks, 2, views=views)
    assert runs.count == 5 * 3, "the image ends at column 10"


def test_an_image_has_its_own_size(views):
    for view, (width, height) in enumerate(SIZES):
        batch = image_batch(views, view, "none")
        image = colors(batch).reshape(height, width, 3)
        assert torch.equal(image, views.rgb[view, :height, :width].long())
