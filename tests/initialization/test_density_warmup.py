"""The density warm-up is deterministic and reports how much of the images it explains."""

from dataclasses import replace

import pytest
import torch
from small_scenes import small_scene

from nerfloss.initialization.density_warmup import DensityWarmup

QUICK = DensityWarmup(
    steps=40,
    samples=512,
    rays=128,
    occupancy_resolution=16,
    max_resolution=32,
    network_learning_rate=1e-2,
)


@pytest.fixture(scope="module")
def views():
    scene = small_scene("blobs", views=16, test_views=1, size=32)
    return scene.train.without_masks("white")


def warmed_up(warmup, views, seed=0, background="white"):
    return warmup(views, background=background, seed=seed, device="cpu")


def parameters(found):
    return torch.cat([p.detach().reshape(-1) for p in found.field.parameters()])


def test_result_depends_on_the_seed_only(views):
    torch.manual_seed(1)
    first = warmed_up(QUICK, views)
    torch.manual_seed(2)
    second = warmed_up(QUICK, views)
    assert torch.equal(parameters(first), parameters(second))
    assert first.explained_variance == second.explained_variance
    assert not torch.equal(parameters(first), parameters(warmed_up(QUICK, views, seed=1)))


def test_global_random_generator_is_left_unchanged(views):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    warmed_up(replace(QUICK, steps=2), views)
    assert torch.equal(torch.rand(3), expected)


def test_images_of_an_object_are_explained(views):
    assert warmed_up(QUICK, views).explained_variance > 0.7


def test_noise_is_not_explained(views):
    noise = torch.randint(0, 256, views.rgb.shape, dtype=torch.uint8)
    assert warmed_up(QUICK, replace(views, rgb=noise)).explained_variance < 0.2


def test_blank_images_are_not_explained(views):
    blank = torch.full_like(views.rgb, 255)
    assert warmed_up(QUICK, replace(views, rgb=blank)).explained_variance < 0.5
