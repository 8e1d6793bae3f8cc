"""A scout learns the same whoever asks, and knows when it has learned nothing."""

from dataclasses import replace

import pytest
import torch

from nerfloss.initialization.density_warmup import DensityWarmup
from nerfloss.testing.scenes import small_scene

QUICK = DensityWarmup(steps=40, samples=512, rays=128, resolution=16, finest=32, network_rate=1e-2)


@pytest.fixture(scope="module")
def views():
    scene = small_scene("blobs", views=16, test_views=1, size=32)
    return scene.train.without_masks("white")


def scouted(scout, views, seed=0, background="white"):
    return scout(views, background=background, seed=seed, device="cpu")


def parameters(found):
    return torch.cat([p.detach().reshape(-1) for p in found.field.parameters()])


def test_the_same_seed_finds_the_same_whatever_was_drawn_before(views):
    torch.manual_seed(1)
    first = scouted(QUICK, views)
    torch.manual_seed(2)
    second = scouted(QUICK, views)
    assert torch.equal(parameters(first), parameters(second))
    assert first.explained == second.explained
    assert not torch.equal(parameters(first), parameters(scouted(QUICK, views, seed=1)))


def test_what_others_draw_is_not_moved(views):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    scouted(replace(QUICK, steps=2), views)
    assert torch.equal(torch.rand(3), expected)


def test_a_scout_explains_images_of_a_thing(views):
    assert scouted(QUICK, views).explained > 0.7


def test_a_scout_explains_nothing_of_noise(views):
    noise = torch.randint(0, 256, views.rgb.shape, dtype=torch.uint8)
    assert scouted(QUICK, replace(views, rgb=noise)).explained < 0.2


def test_images_of_nothing_are_not_explained(views):
    blank = torch.full_like(views.rgb, 255)
    assert scouted(QUICK, replace(views, rgb=blank)).explained < 0.5
