"""The background of masked photographs, filled in behind the object."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import max_pool2d

from nerfloss.data.inpainting import inpaint_background
from nerfloss.data.pixel_samplers.batch import image_batch
from nerfloss.data.pixel_samplers.uniform import UniformSampling
from nerfloss.data.synthetic.dataset import AnalyticDataset


def _disc(height: int, width: int, radius: float) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    inside = (y - height / 2) ** 2 + (x - width / 2) ** 2 < radius**2
    return (inside * 255).to(torch.uint8)


def test_the_surroundings_continue_behind_the_object():
    mask = _disc(40, 60, 10)
    ramp = torch.linspace(0, 200, 60).expand(40, 60)
    scene = torch.stack([ramp, ramp / 2, torch.full((40, 60), 90.0)], dim=-1).to(torch.uint8)
    photo = torch.where(mask[..., None] > 0, torch.tensor([255, 0, 0], dtype=torch.uint8), scene)
    filled = inpaint_background(photo, mask)
    error = (filled.float() - scene.float()).abs()
    assert error.max() < 25
    far = _disc(40, 60, 14) == 0
    assert error[far].max() == 0


def test_mixed_pixels_at_the_border_are_not_continued():
    mask = _disc(40, 40, 8)
    photo = torch.full((40, 40, 3), 50, dtype=torch.uint8)
    photo[_disc(40, 40, 9.5) > 0] = 150
    assert inpaint_background(photo, mask).max() == 50


def test_a_mask_that_covers_everything_leaves_white():
    photo = torch.zeros(8, 9, 3, dtype=torch.uint8)
    assert (inpaint_background(photo, torch.full((8, 9), 255, dtype=torch.uint8)) == 255).all()


@pytest.fixture
def photographed():
    """Views whose colours outside of the masks are those of a gradient."""
    scene = AnalyticDataset(views=3, test_views=2, size=24).load()
    ramp = torch.arange(24, dtype=torch.uint8)[:, None, None].expand(24, 24, 3) * 8

    def before_a_wall(views):
        alpha = views.mask[..., None].float() / 255
        rgb = (alpha * views.rgb + (1 - alpha) * ramp).round().to(torch.uint8)
        return replace(views, rgb=rgb, mask=(views.mask > 127).to(torch.uint8) * 255)

    return replace(
        scene,
        train=before_a_wall(scene.train),
        test=before_a_wall(scene.test),
        photographed=True,
    )


def test_photographs_whose_masks_are_compared_keep_their_own_background(photographed):
    resolved = photographed.resolve_background({"sdf"}, masks_compared=True)
    assert resolved.background == resolved.conventions["background"] == "inpainted"
    assert photographed.resolve_background({"sdf"}).background == "random"
    cut_out = replace(photographed, photographed=False)
    assert cut_out.resolve_background({"sdf"}, masks_compared=True).background == "random"


def test_targets_are_the_photographs_and_the_object_stands_before_its_surroundings(photographed):
    scene = photographed.resolve_background({"sdf"}, masks_compared=True)
    batch = image_batch(scene.test, 0, scene.background)
    photo = scene.test.rgb[0].reshape(-1, 3).float() / 255
    assert torch.equal(batch.targets["target_rgb"], photo)
    assert "target_behind" not in batch.targets
    mask = batch.targets["target_mask"].reshape(1, 1, 24, 24)
    near = max_pool2d(mask, 5, stride=1, padding=2).reshape(-1) > 0
    assert torch.equal(batch.rays.background[~near], photo[~near])
    wall = scene.test.rgb[0, :, 0].float().repeat_interleave(24, 0) / 255
    # A ramp of 8/255 per row, interpolated over the object.
    assert (batch.rays.background - wall)[near].abs().mean() < 3 * 8 / 255

    drawn = UniformSampling()(scene.train, background=scene.background).draw(0, 200)
    assert drawn.rays.background.std(0).min() > 0.05
    np.testing.assert_array_less(drawn.targets["target_rgb"].numpy(), 1 + 1e-6)


def test_the_inpainted_background_is_no_target(photographed):
    scene = photographed.resolve_background({"sdf"}, masks_compared=True)
    assert scene.train.offers == photographed.train.offers
    assert scene.train[:2].behind.shape[0] == scene.train.some([0, 2]).behind.shape[0] == 2
