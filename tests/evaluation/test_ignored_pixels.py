"""Pixels that do not count have no error; image files have the whole names of their views."""

import pytest
import torch

from nerfloss.evaluation.image_grid import image_name
from nerfloss.evaluation.image_rendering import as_observed_where_ignored
from nerfloss.evaluation.metrics.image import psnr


def test_ignored_pixels_have_no_error_and_the_others_keep_theirs():
    counts = torch.ones(4, 5, dtype=torch.bool)
    counts[0] = False
    target = torch.rand(4, 5, 3)
    rendered = {"rgb": target + 0.1 * (~counts)[..., None], "depth": torch.rand(4, 5)}
    changed = as_observed_where_ignored(rendered, {"target_rgb": target}, counts)
    assert psnr(changed["rgb"], target) == float("inf")
    assert torch.equal(changed["depth"], rendered["depth"]), "it has no target"
    worse = {"rgb": target + 0.1}
    left = as_observed_where_ignored(worse, {"target_rgb": target}, counts)["rgb"]
    torch.testing.assert_close((left - target)[1:], torch.full((3, 5, 3), 0.1))


@pytest.mark.parametrize(
    ("one", "other"), [("render.0001", "render.0002"), ("cam0/000", "cam1/000")]
)
def test_views_write_different_images(one, other):
    assert image_name(one) != image_name(other)
    assert "/" not in image_name(one)
