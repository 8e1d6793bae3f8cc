"""Sampled surface points of analytic scenes: noise, normals and visibility."""

import math

import pytest
import torch
from small_scenes import small_scene

from nerfloss.data.pixel_samplers.patch import PatchSampling
from nerfloss.data.pixel_samplers.uniform import UniformPixelSampler
from nerfloss.data.sparse_points import SparsePoints
from nerfloss.data.synthetic.analytic_scenes import MODELS
from nerfloss.data.synthetic.camera_layouts import cameras_at, fibonacci_sphere
from nerfloss.data.synthetic.sample_surface_points import LEAST_COSINE, sample_surface_points
from nerfloss.data.synthetic.shapes import sdf_gradient

NAMES = {"target_points", "target_point_normals", "target_point_confidence"}


@pytest.fixture(scope="module")
def cameras():
    return cameras_at(2.7 * fibonacci_sphere(7), size=40, fov=38.0)


@pytest.fixture(scope="module")
def views():
    return small_scene("cage", views=6, test_views=1, size=24).train


@pytest.mark.parametrize("name", MODELS)
def test_without_noise_points_lie_on_the_surface_with_its_normals(name, cameras):
    sdf = MODELS[name]().sdf
    found = sample_surface_points(sdf, cameras, 500, noise=0.0, seed=0)
    assert len(found) == 500
    assert sdf(found.positions).abs().max() < 2e-3
    gradient = torch.nn.functional.normalize(sdf_gradient(sdf, found.positions), dim=-1)
    # Along creases the normal of either face is correct.
    assert (gradient * found.normals).sum(-1).quantile(0.02) > 0.999
    torch.testing.assert_close(found.normals.norm(dim=-1), torch.ones(500))


def test_noise_of_points_grows_with_falling_confidence(cameras):
    sdf = MODELS["sphere"]().sdf
    found = sample_surface_points(sdf, cameras, 20_000, noise=0.02, seed=0)
    off = sdf(found.positions)
    for low in (0.0, 0.25, 0.5, 0.75):
        mine = (found.confidence >= low) & (found.confidence < low + 0.25)
        # Along the normal: one axis of three. Standard deviations of a uniform mixture.
        weak, strong = 0.02 * (1 - low), 0.02 * (0.75 - low)
        expected = math.sqrt((weak**2 + weak * strong + strong**2) / 3)
        assert off[mine].std() == pytest.approx(expected, rel=0.06)
    assert off.abs().max() < 6 * 0.02
    assert found.confidence.min() >= 0
    assert found.confidence.max() <= 1


@pytest.mark.parametrize("name", ["craters", "cage"])
def test_a_point_is_visible_where_it_is_not_occluded(name, cameras):
    sdf = MODELS[name]().sdf
    found = sample_surface_points(sdf, cameras, 200, noise=0.0, seed=3)
    share = torch.linspace(0.0, 1.0, 2000)[:, None]
    for view in range(len(cameras)):
        eye = cameras.poses[view, :, 3]
        offset = found.positions - eye
        away = offset.norm(dim=-1, keepdim=True)
        facing = (offset / away * found.normals).sum(-1) < -LEAST_COSINE
        # Samples between the camera and the point.
        until = (away - 0.02) / away
        path = eye + (share * until.T)[..., None] * offset
        free = (sdf(path.reshape(-1, 3)).reshape(2000, -1) > 0).all(0)
        seen = found.visible[view]
        assert not (seen & ~free).any()
        assert not (seen & ~facing).any()
        # Rays that graze the surface may be classified either way.
        clear = (sdf(path[:1900].reshape(-1, 3)).reshape(1900, -1) > 5e-3).all(0)
        assert seen[facing & free & clear].float().mean() > 0.98


def test_every_point_is_visible_somewhere_and_sampling_is_deterministic(cameras):
    sdf = MODELS["toys"]().sdf
    one, two = (sample_surface_points(sdf, cameras, 300, noise=0.01, seed=5) for _ in range(2))
    assert one.visible.any(0).float().mean() > 0.99
    assert torch.equal(one.positions, two.positions)
    assert torch.equal(one.visible, two.visible)
    other = sample_surface_points(sdf, cameras, 300, noise=0.01, seed=6)
    assert not torch.equal(one.positions, other.positions)


def test_a_step_gets_points_visible_in_one_of_its_views(views):
    batches = UniformPixelSampler(views, needs=NAMES, points=400)
    for step in range(5):
        batch = batches.draw(step, 2)
        seen = views.points.visible[batch.rays.view].any(0)
        allowed = {tuple(point) for point in views.points.positions[seen].tolist()}
        drawn = [tuple(point) for point in batch.targets["target_points"].tolist()]
        assert len(drawn) == 400
        assert set(drawn) <= allowed
        assert len(allowed) < len(views.points)


def test_drawn_point_quantities_belong_together_and_are_deterministic(views):
    batches = PatchSampling(height=4, width=4, points=50)(views, needs=NAMES)
    first, again = (batches.draw(4, 32).targets for _ in range(2))
    place = {tuple(p): i for i, p in enumerate(views.points.positions.tolist())}
    index = torch.tensor([place[tuple(p)] for p in first["target_points"].tolist()])
    assert torch.equal(first["target_point_normals"], views.points.normals[index])
    assert torch.equal(first["target_point_confidence"], views.points.confidence[index])
    assert all(torch.equal(first[name], again[name]) for name in NAMES)
    other = batches.draw(5, 32).targets["target_points"]
    assert not torch.equal(other, first["target_points"])


def test_drawing_points_does_not_change_the_drawn_pixels(views):
    with_points = UniformPixelSampler(views, background="random", needs=NAMES).draw(2, 60)
    without = UniformPixelSampler(views, background="random").draw(2, 60)
    assert torch.equal(with_points.rays.pixel, without.rays.pixel)
    assert torch.equal(with_points.rays.background, without.rays.background)


def test_unneeded_points_are_not_drawn(views):
    targets = UniformPixelSampler(views, needs={"target_points"}).draw(0, 8).targets
    assert targets.keys() & NAMES == {"target_points"}
    assert not UniformPixelSampler(views, needs={"rgb"}).draw(0, 8).targets.keys() & NAMES


def test_all_points_are_drawn_if_visibility_is_unknown_or_empty():
    generator = torch.Generator().manual_seed(0)
    positions = torch.arange(12.0).reshape(4, 3)
    for seen in (None, torch.zeros(2, 4, dtype=torch.bool)):
        points = SparsePoints(positions, torch.ones(4), visible=seen)
        drawn = points.draw(torch.tensor([0, 1]), 200, generator, {"target_points"})
        assert len(drawn["target_points"].unique(dim=0)) == 4
    assert set(points.quantities) == {"target_points", "target_point_confidence"}


def test_a_slice_of_views_keeps_their_visibility(views):
    part = views[2:4]
    assert torch.equal(part.points.visible, views.points.visible[2:4])
    assert part.offers == views.offers
