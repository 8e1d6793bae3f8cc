"""The patch sampler: targets, positions, restriction and determinism."""

import pytest
import torch
from small_scenes import small_scene

from nerfloss.data.pixel_samplers.patch import PatchSampling
from nerfloss.data.views import Views
from nerfloss.quantities import patches as patch_rules
from nerfloss.quantities.resolve import Quantities, rules_in


@pytest.fixture(scope="module")
def views():
    return small_scene("craters", views=4, test_views=1, size=20).train


def corners(batch):
    """Return view, top row and left column of each patch."""
    height, width = batch.targets["patch_shape"]
    first = slice(None, None, height * width)
    column, row = (batch.rays.pixel[first] - 0.5).long().unbind(-1)
    return list(zip(*(x.tolist() for x in (batch.rays.view[first], row, column)), strict=True))


def as_patches(batch):
    given = {**batch.targets, "origins": batch.rays.origins, "directions": batch.rays.directions}
    return Quantities(given, rules_in(patch_rules))


def test_a_patch_is_a_crop_of_an_image(views):
    batch = PatchSampling(height=5, width=7)(views, background="none").draw(0, 300)
    found = as_patches(batch)
    assert found["patch_target_rgb"].shape == (8, 5, 7, 3)
    assert found["patch_target_depth"].shape == (8, 5, 7, 1)
    for index, (view, row, column) in enumerate(corners(batch)):
        piece = (view, slice(row, row + 5), slice(column, column + 7))
        torch.testing.assert_close(found["patch_target_rgb"][index], views.rgb[piece] / 255.0)
        torch.testing.assert_close(
            found["patch_target_mask"][index, ..., 0], views.mask[piece] / 255
        )
        assert torch.equal(found["patch_target_depth"][index, ..., 0], views.depth[piece])
        assert torch.equal(found["patch_target_normal"][index], views.normal[piece])


def test_rays_of_a_patch_pass_through_its_pixels(views):
    batch = PatchSampling(height=4, width=6)(views).draw(1, 100)
    found = as_patches(batch)
    points = found["patch_origins"] + 2 * found["patch_directions"]
    for index, (view, row, column) in enumerate(corners(batch)):
        pixel, _ = views.cameras.project(points[index].reshape(-1, 3), view)
        for place, (x, y) in enumerate(pixel.tolist()):
            assert x == pytest.approx(column + place % 6 + 0.5, abs=1e-3)
            assert y == pytest.approx(row + place // 6 + 0.5, abs=1e-3)


def test_patches_lie_inside_their_images_and_reach_every_corner(views):
    batch = PatchSampling(height=17, width=18)(views).draw(0, 300 * 17 * 18)
    places = set(corners(batch))
    assert places == {(v, r, c) for v in range(4) for r in range(4) for c in range(3)}


@pytest.mark.parametrize("reach", [0, 2])
def test_near_mask_limits_the_distance_of_patch_centers(views, reach):
    batches = PatchSampling(height=6, width=5, near_mask=reach)(views)
    near = torch.zeros_like(views.mask, dtype=torch.bool)
    for view, row, column in (views.mask > 0).nonzero().tolist():
        rows = slice(max(row - reach, 0), row + reach + 1)
        near[view, rows, max(column - reach, 0) : column + reach + 1] = True
    expected = {
        (view, row, column)
        for view in range(4)
        for row in range(15)
        for column in range(16)
        if near[view, row + 3, column + 2]
    }
    assert set(corners(batches.draw(0, 9000 * 30))) == expected
    assert batches.positions == len(expected)


def test_restricted_patches_have_their_center_in_the_region(views):
    seen = torch.zeros_like(views.mask)
    seen[1:, 5:9, 6:10] = 255
    batches = PatchSampling(height=5, width=5, near_mask=4)(views.without_masks("white"))
    assert batches.positions == 4 * 16 * 16
    batches.restrict_to(seen)
    assert batches.positions == 3 * 4 * 4
    middles = [(v, r + 2, c + 2) for v, r, c in corners(batches.draw(0, 2500))]
    assert all(seen[middle] == 255 for middle in middles)
    beside_every_middle = torch.zeros_like(seen)
    beside_every_middle[:, 0, 0] = 255
    batches.restrict_to(beside_every_middle)
    assert batches.positions == 3 * 4 * 4
    everywhere = PatchSampling(height=5, width=5, near_mask=None)(views.without_masks("white"))
    everywhere.restrict_to(seen)
    assert everywhere.positions == 4 * 16 * 16


@pytest.mark.parametrize(("rays", "drawn"), [(64, 64), (127, 64), (128, 128), (1, 64)])
def test_rays_are_rounded_down_to_whole_patches_and_one_at_least(views, rays, drawn):
    batch = PatchSampling(height=8, width=8)(views).draw(0, rays)
    assert len(batch.rays) == len(batch.targets["target_rgb"]) == drawn
    assert batch.targets["patch_shape"] == (8, 8)


def test_a_batch_depends_on_seed_step_and_size_only(views):
    one, two = (PatchSampling(height=4, width=4)(views, seed=3) for _ in range(2))
    one.draw(0, 64)
    same, again = one.draw(7, 64), two.draw(7, 64)
    assert torch.equal(same.rays.pixel, again.rays.pixel)
    assert torch.equal(same.targets["target_rgb"], again.targets["target_rgb"])
    assert not torch.equal(same.rays.pixel, two.draw(8, 64).rays.pixel)
    other = PatchSampling(height=4, width=4)(views, seed=4).draw(7, 64)
    assert not torch.equal(same.rays.pixel, other.rays.pixel)


def test_a_random_background_has_one_colour_per_patch(views):
    batch = PatchSampling(height=6, width=6)(views, background="random").draw(0, 36 * 20)
    behind = batch.rays.background.reshape(20, 36, 3)
    assert (behind == behind[:, :1]).all()
    assert len(behind[:, 0].unique(dim=0)) == 20
    empty = batch.targets["target_mask"] == 0
    assert torch.equal(batch.targets["target_rgb"][empty], batch.rays.background[empty])


def test_a_patch_as_large_as_the_image_is_the_image(views):
    batch = PatchSampling(height=20, width=20, near_mask=None)(views, background="none").draw(
        0, 400
    )
    view = int(batch.rays.view[0])
    assert torch.equal(as_patches(batch)["patch_target_depth"][0, ..., 0], views.depth[view])


def test_a_patch_larger_than_the_images_is_refused(views):
    with pytest.raises(ValueError, match=r"batch\.height=21 x batch\.width=4 .* 20 x 20; lower"):
        PatchSampling(height=21, width=4)(views)


def test_masks_without_a_patch_nearby_are_an_error(views):
    mask = torch.zeros_like(views.mask)
    mask[:, :2, :2] = 255
    cornered = Views(views.cameras, views.names, views.rgb, mask)
    with pytest.raises(ValueError, match=r"no patch of batch\.height=8 .* batch\.near_mask=null"):
        PatchSampling(height=8, width=8, near_mask=0)(cornered)
    assert PatchSampling(height=8, width=8, near_mask=3)(cornered).positions == 4


def test_a_random_background_without_masks_is_refused(views):
    with pytest.raises(ValueError, match="'random' needs masks"):
        PatchSampling()(Views(views.cameras, views.names, views.rgb), background="random")


@pytest.mark.parametrize("name", ["height", "width", "points", "neighbours"])
def test_a_setting_below_one_is_refused_before_any_image_is_read(name):
    with pytest.raises(ValueError, match=rf"batch\.{name} must be at least 1, got 0"):
        PatchSampling(**{name: 0})


def test_a_partial_patch_is_refused():
    with pytest.raises(ValueError, match="70 rays do not make whole patches of 8 x 8"):
        patch_rules.patch_depth(torch.zeros(70), (8, 8))


def test_every_patch_quantity_names_its_source():
    for name, rule in rules_in(patch_rules).items():
        assert rule.inputs == (name.removeprefix("patch_"), "patch_shape")
