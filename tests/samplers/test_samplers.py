"""Samplers place ordered intervals inside the box, dense at the surface."""

from dataclasses import replace
from types import MappingProxyType

import pytest
import torch

from nerfloss.geometry import Rays, intersect_box, intersect_sphere
from nerfloss.kernels.numba import march as numba_march
from nerfloss.quantities import derived
from nerfloss.samplers import march
from nerfloss.samplers.hierarchical import HierarchicalSampler
from nerfloss.samplers.inverse_cdf import invert_cdf
from nerfloss.samplers.occupancy import OccupancySampler
from nerfloss.samplers.uniform import UniformSampler

BOX = torch.tensor([[-1.0, -1, -1], [1, 1, 1]])


class Sphere:
    """Exact SDF of a sphere, or a density that is high inside it; counts evaluations."""

    box = BOX
    appearance = None
    heads = MappingProxyType({})

    def __init__(self, offers=("sdf",), radius=0.5, sharpness=64.0):
        self.offers, self.radius, self.points = frozenset(offers), radius, 0
        self.sharpness = torch.tensor(sharpness)

    def __call__(self, points, needs):
        self.points += len(points)
        sdf = points.norm(dim=-1) - self.radius
        values = {"sdf": sdf, "densities": 50.0 * (sdf < 0)}
        return {name: values[name] for name in needs}

    def constants(self):
        return {"sharpness": self.sharpness}


def rays_towards(targets):
    """Return rays from (0, 0, -3) through points."""
    origins = torch.tensor([0.0, 0, -3]).expand(len(targets), 3)
    directions = torch.nn.functional.normalize(targets - origins, dim=-1)
    index = torch.zeros(len(targets), dtype=torch.int64)
    return Rays(origins, directions, torch.zeros(len(targets), 2), index, torch.zeros_like(origins))


def some_rays(count=64, spread=0.9):
    generator = torch.Generator().manual_seed(1)
    xy = (torch.rand(count, 2, generator=generator) * 2 - 1) * spread
    return rays_towards(torch.cat([xy, torch.zeros(count, 1)], -1))


SAMPLERS = {
    "uniform": (UniformSampler(samples=16), ("sdf",)),
    "hierarchical": (HierarchicalSampler(coarse=16, fine=4, rounds=2), ("sdf",)),
    "occupancy_sdf": (OccupancySampler(resolution=32), ("sdf",)),
    "occupancy_density": (OccupancySampler(resolution=32), ("densities",)),
}


@pytest.fixture(params=SAMPLERS, ids=str)
def sampled(request):
    sampler, offers = SAMPLERS[request.param]
    rays = some_rays(spread=1.6)
    generator = torch.Generator().manual_seed(2)
    return rays, sampler(Sphere(offers), rays, generator)


def positions(samples):
    rays = samples.rays
    return derived.positions(rays.origins, rays.directions, samples.t_starts, samples.t_ends)


def test_intervals_are_ordered_and_do_not_overlap(sampled):
    _, samples = sampled
    assert (samples.t_ends >= samples.t_starts).all()
    assert (samples.t_starts[:, 1:] >= samples.t_ends[:, :-1] - 1e-5).all()


def test_intervals_lie_inside_the_box(sampled):
    _, samples = sampled
    inside = positions(samples)[samples.occupied]
    assert len(inside) > 0
    assert inside.abs().max() <= 1 + 0.07  # half a cell of the cache, where a ray enters


def test_rays_that_miss_the_box_have_no_samples(sampled):
    rays, samples = sampled
    enter, leave = intersect_box(rays, BOX)
    missed = enter == leave
    assert missed.any()
    assert not samples.occupied[missed].any()


@pytest.mark.parametrize("name", SAMPLERS)
def test_without_a_generator_sampling_is_regular_and_repeatable(name):
    sampler, offers = SAMPLERS[name]
    first, second = (sampler(Sphere(offers), some_rays()) for _ in range(2))
    assert torch.equal(first.t_starts, second.t_starts)


@pytest.mark.parametrize("name", ["hierarchical", "occupancy_sdf"])
def test_samples_concentrate_at_the_surface(name):
    sampler, offers = SAMPLERS[name]
    rays = some_rays(spread=0.3)
    hit, _ = intersect_sphere(rays, 0.5)
    samples = sampler(Sphere(offers), rays, torch.Generator().manual_seed(0))
    middle = 0.5 * (samples.t_starts + samples.t_ends)
    nearest = (middle - hit[:, None]).abs().amin(-1)
    assert nearest.max() < 0.03


def test_occupancy_places_no_samples_on_rays_that_miss_a_density():
    sampler, offers = SAMPLERS["occupancy_density"]
    field = Sphere(offers)
    # All cells are occupied at first; the values of empty ones decay.
    for _ in range(60):
        sampler.grid.refresh_density(field, decay=0.9, generator=None)
    past = rays_towards(torch.tensor([[0.9, 0.0, 0.0], [0.0, 0.0, 0.0]]))
    sampler.grid.region.fill_(False)
    occupied = sampler(field, past).occupied
    sampler.grid.region.fill_(True)
    assert occupied.any(-1).tolist() == [False, True]


def test_occupancy_explores_with_short_intervals_where_the_cache_has_no_surface():
    sampler = OccupancySampler(resolution=16, samples=8, exploration_samples=3)
    far = Sphere(radius=-5.0)  # positive everywhere: no surface at all
    samples = sampler(far, rays_towards(torch.zeros(1, 3)), torch.Generator().manual_seed(0))
    assert samples.occupied.sum() == 3
    assert (samples.t_ends - samples.t_starts).max() <= 2.001 * 2 / 16
    assert samples.t_ends.max() - samples.t_starts.min() > 1


def test_images_sample_a_sharp_surface_more_closely_than_training():
    sampler = OccupancySampler(resolution=96, samples=8, eval_samples=8)
    rays = some_rays(spread=0.3)
    sharp = Sphere(sharpness=1000.0)
    apart = {}
    for name, generator in {"training": torch.Generator().manual_seed(0), "image": None}.items():
        samples = sampler(sharp, rays, generator)
        apart[name] = (samples.t_ends[:, -1] - samples.t_starts[:, 0]).mean()
    assert apart["image"] < 0.8 * apart["training"]


def test_samples_lie_the_same_in_a_scene_of_another_size():
    small, rays = Sphere(sharpness=1000.0), some_rays(spread=0.3)
    large = Sphere(radius=2.0, sharpness=250.0)
    large.box = 4 * BOX
    far = replace(rays, origins=4 * rays.origins)
    for generator in (lambda: torch.Generator().manual_seed(0), lambda: None):
        near = OccupancySampler(resolution=48)(small, rays, generator())
        distant = OccupancySampler(resolution=48)(large, far, generator())
        torch.testing.assert_close(4 * near.t_starts, distant.t_starts)


def test_an_overestimated_cached_distance_hides_no_surface():
    class Steep(Sphere):
        def __call__(self, points, needs):
            return {name: 3 * value for name, value in super().__call__(points, needs).items()}

    samples = OccupancySampler(resolution=48)(Steep(), some_rays(spread=0.3))
    hit, _ = intersect_sphere(some_rays(spread=0.3), 0.5)
    middle = 0.5 * (samples.t_starts + samples.t_ends)
    assert (middle - hit[:, None]).abs().amin(-1).max() < 0.03


def test_occupancy_refreshes_only_near_the_surface_between_full_updates():
    sampler, field = OccupancySampler(resolution=32, refresh_every=10), Sphere()
    sampler.refresh(field, 0)
    full, field.points = field.points, 0
    sampler.refresh(field, 50)
    assert full == 32**3
    assert 0 < field.points < full


def test_empty_cells_of_a_density_are_refreshed_in_turn():
    sampler, field = OccupancySampler(resolution=16, refresh_every=10), Sphere(("densities",))
    for step in range(0, 400, 10):
        sampler.refresh(field, step)
    dense = int((sampler.grid.values > sampler.density_threshold).sum())
    field.points = 0
    sampler.refresh(field, 400)
    assert dense < field.points < 16**3 / 2
    field.radius = 0.9
    found = []
    for step in range(410, 460, 10):
        sampler.refresh(field, step)
        found.append(int((sampler.grid.values > sampler.density_threshold).sum()))
    assert dense < found[0] < found[-1]
    centers = _cell_centers(16)
    assert found[-1] == int((centers.norm(dim=-1) < 0.9).sum())


def test_a_refreshed_cache_reproduces_a_linear_field():
    class Plane(Sphere):
        def __call__(self, points, needs):
            return dict.fromkeys(needs, points[:, 0] + 2 * points[:, 1])

    sampler = OccupancySampler(resolution=16)
    sampler.refresh(Plane(), 0)
    points = torch.rand(100, 3) - 0.5
    expected = points[:, 0] + 2 * points[:, 1]
    torch.testing.assert_close(sampler.grid.sdf_at(points, BOX), expected, atol=1e-5, rtol=0)


def test_inverse_cdf_draws_from_its_histogram():
    edges = torch.linspace(0, 4, 5).expand(1, -1)
    mass = torch.tensor([[0.0, 3.0, 1.0, 0.0]])
    drawn = invert_cdf(edges, mass, 4000, torch.Generator().manual_seed(0))
    counts = torch.histc(drawn, bins=4, min=0, max=4)
    torch.testing.assert_close(counts / 4000, torch.tensor([0, 0.75, 0.25, 0]), atol=2e-3, rtol=0)


def test_the_hierarchical_sampler_names_the_remedy_for_a_field_without_sdf():
    with pytest.raises(ValueError, match="sampler=uniform or sampler=occupancy"):
        HierarchicalSampler()(Sphere(("densities",)), some_rays())


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: UniformSampler(samples=1), "at least 2, got 1"),
        (lambda: HierarchicalSampler(fine=0), "fine=0"),
        (lambda: OccupancySampler(uniform_fraction=0.0), "uniform_fraction, "),
        (lambda: OccupancySampler(resolution=2), "at least 8, got 2"),
    ],
)
def test_invalid_settings_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize("resolution", [9, 32, 75])
@pytest.mark.parametrize("offers", ["sdf", "densities"])
def test_compiled_march_equals_the_reference(offers, resolution):
    sampler, field = OccupancySampler(resolution=resolution, samples=8), Sphere((offers,))
    sampler.refresh(field, 0)
    if offers == "densities":
        exact = field(_cell_centers(resolution), {"densities"})["densities"]
        sampler.grid.values.copy_(exact.view_as(sampler.grid.values))
    rays = some_rays(1000, spread=1.3)
    box, plan = field.box, sampler._march(field, training=True)
    shifts = torch.rand(2, len(rays), generator=torch.Generator().manual_seed(3))
    inputs = (rays, shifts, sampler.grid, box, plan, 8)
    starts, ends = march._place_with(numba_march, *inputs)
    starts_too, ends_too = march._place(*inputs)
    has_length = ends_too > starts_too + 1e-5
    same = ((starts - starts_too).abs() < 1e-3) & ((ends - ends_too).abs() < 1e-3)
    same = torch.where(has_length, same, ends - starts < 1e-4)
    # Rounding may make a step at the very edge of the band a candidate or not.
    assert same.all(-1).float().mean() > 0.97


def _cell_centers(resolution):
    axis = (torch.arange(resolution) + 0.5) / resolution * 2 - 1
    z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
    return torch.stack([x, y, z], -1).reshape(-1, 3)
