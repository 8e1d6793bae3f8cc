"""In training, colours are seen from directions with noise; rays and images are as they were."""

import math
from types import MappingProxyType

import pytest
import torch
from small_runs import assembled
from torch.nn.functional import normalize

from nerfloss.geometry import Rays, Samples
from nerfloss.maths.compositing import density_alphas
from nerfloss.maths.per_ray_random import PartGenerator
from nerfloss.renderers.direction_noise import with_noise
from nerfloss.renderers.volume import VolumeRenderer

COUNT = 2000


class Seen(torch.nn.Module):
    """A colour network that keeps the directions that it gets."""

    def forward(self, directions, embeddings):
        self.directions = directions
        return embeddings


class Field:
    """Density 1 everywhere."""

    heads = MappingProxyType({})
    offers = frozenset({"densities", "embeddings"})
    box = torch.tensor([[-1.0, -1, -1], [1, 1, 1]])

    def __init__(self):
        self.appearance = Seen()

    def __call__(self, points, needs):
        values = {"densities": torch.ones(len(points)), "embeddings": points * 0 + 0.5}
        return {name: values[name] for name in needs}

    def constants(self):
        return {}


def directions(count=COUNT):
    return normalize(torch.randn(count, 3, generator=torch.Generator().manual_seed(1)), dim=-1)


def samples():
    """Rays with one sample each, from distance 1 to 2."""
    ahead = directions()
    index, ends = torch.zeros(COUNT, dtype=torch.int64), torch.ones(COUNT, 1)
    rays = Rays(0 * ahead, ahead, torch.zeros(COUNT, 2), index, 0 * ahead)
    return Samples(rays, ends, 2 * ends)


def rendered(noise, generator):
    renderer, field = VolumeRenderer({"alphas": density_alphas}, direction_noise=noise), Field()
    needs = ("rgb", "directions")
    values = renderer(field, samples(), set(needs), generator=generator)
    return {name: values[name] for name in needs} | {"seen": field.appearance}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("noise", [0.02, 0.1])
def test_colours_are_seen_from_directions_with_noise_of_the_stated_deviation(noise):
    found = rendered(noise, seeded())
    seen, ahead = found["seen"].directions, directions()
    assert torch.equal(found["directions"], ahead)
    torch.testing.assert_close(seen.norm(dim=-1), torch.ones(COUNT))
    # About two axes: the mean squared angle is twice the variance.
    angle = torch.acos((seen * ahead).sum(-1).clamp(-1, 1))
    assert angle.square().mean().item() == pytest.approx(2 * noise**2, rel=0.05)
    assert (seen - ahead).mean(0).abs().max() < 0.1 * noise


def test_images_have_none():
    assert torch.equal(rendered(0.1, None)["seen"].directions, directions())
    with torch.no_grad():
        assert torch.equal(rendered(0.1, seeded())["seen"].directions, directions())


def test_without_noise_no_random_number_is_drawn():
    generator = seeded()
    before = generator.get_state()
    assert torch.equal(rendered(0, generator)["seen"].directions, directions())
    assert torch.equal(generator.get_state(), before)


def test_the_same_seed_has_the_same_noise():
    first, again, other = (rendered(0.1, seeded(n))["seen"].directions for n in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_processes_draw_the_noise_of_one():
    whole = with_noise(directions(), 0.1, seeded())
    for begin, end in ((0, 700), (700, COUNT)):
        part = PartGenerator.of(seeded(), begin, end, COUNT)
        assert torch.equal(with_noise(directions()[begin:end], 0.1, part), whole[begin:end])


def test_cameras_that_are_refined_get_their_gradient():
    ahead = directions(8).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda each: with_noise(each, 0.1, seeded()), ahead)


def test_a_background_is_seen_with_the_same_noise():
    def background_rgb(viewing_directions):
        return viewing_directions

    field = Field()
    rules = {"alphas": density_alphas, "background_rgb": background_rgb}
    renderer = VolumeRenderer(rules, direction_noise=0.1)
    values = renderer(field, samples(), {"background_rgb", "rgb"}, generator=seeded())
    values["rgb"]
    assert torch.equal(values["background_rgb"], field.appearance.directions)


@pytest.mark.parametrize("noise", [-0.1, 1.5, math.inf, math.nan])
def test_what_is_no_such_angle_is_refused(noise):
    with pytest.raises(ValueError, match=r"model\.renderer\.direction_noise must be from 0 to 1"):
        VolumeRenderer({"alphas": density_alphas}, direction_noise=noise)


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_run_trains_with_it(tmp_path, noise):
    run = assembled(tmp_path, f"model.renderer.direction_noise={noise}")
    run.initialize()
    quantities = run.trainer.train_step().quantities
    same = torch.equal(quantities["viewing_directions"], quantities["directions"])
    assert same == (noise == 0)
