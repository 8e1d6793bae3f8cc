import pytest
import torch
from small_scenes import small_scene

from nerfloss.data.pixel_samplers.batch import image_batch
from nerfloss.data.pixel_samplers.pixel_runs import PixelRuns
from nerfloss.data.pixel_samplers.uniform import UniformPixelSampler
from nerfloss.data.synthetic.camera_layouts import cameras_at, fibonacci_sphere
from nerfloss.data.views import Views


@pytest.fixture(scope="module")
def views():
    return small_scene("craters", views=4, test_views=1, size=20).train


def where(batch):
    """Return the image indices of the pixels of a batch."""
    column, row = (batch.rays.pixel - 0.5).long().unbind(-1)
    return batch.rays.view, row, column


def test_a_batch_depends_on_seed_step_and_size_only(views):
    one, two = UniformPixelSampler(views, seed=3), UniformPixelSampler(views, seed=3)
    one.draw(0, 50)
    same, again = one.draw(7, 50), two.draw(7, 50)
    assert torch.equal(same.rays.pixel, again.rays.pixel)
    assert torch.equal(same.targets["target_rgb"], again.targets["target_rgb"])
    assert not torch.equal(same.rays.pixel, two.draw(8, 50).rays.pixel)
    assert not torch.equal(
        same.rays.pixel, UniformPixelSampler(views, seed=4).draw(7, 50).rays.pixel
    )


def test_targets_are_the_pixels_of_the_images(views):
    batch = UniformPixelSampler(views, background="none").draw(0, 200)
    at = where(batch)
    torch.testing.assert_close(batch.targets["target_rgb"], views.rgb[at] / 255.0)
    torch.testing.assert_close(batch.targets["target_mask"], views.mask[at] / 255.0)
    assert torch.equal(batch.targets["target_depth"], views.depth[at])
    assert torch.equal(batch.targets["target_normal"], views.normal[at])
    assert torch.equal(batch.targets["target_label"], views.label[at].long())
    assert torch.equal(batch.targets["target_instance"], views.instance[at].long())
    assert set(batch.targets) == {f"target_{name}" for name in views.images}
    assert batch.rays.view.dtype == torch.int64


def test_only_needed_targets_are_gathered_and_those_of_health_metrics_always(views):
    whole, part = (
        UniformPixelSampler(views),
        UniformPixelSampler(views, needs={"target_depth", "rgb"}),
    )
    batch = part.draw(3, 50)
    assert set(batch.targets) == {"target_rgb", "target_mask", "target_depth"}
    same = whole.draw(3, 50)
    assert all(torch.equal(batch.targets[name], same.targets[name]) for name in batch.targets)
    assert torch.equal(batch.rays.pixel, same.rays.pixel)


def test_rays_start_at_their_camera_and_pass_through_their_pixel(views):
    rays = UniformPixelSampler(views).draw(0, 100).rays
    for view in range(4):
        mine = rays[rays.view == view]
        seen, _ = views.cameras.project(mine.origins + 2 * mine.directions, view)
        torch.testing.assert_close(seen, mine.pixel, atol=1e-3, rtol=0)


@pytest.mark.parametrize(("background", "value"), [("white", 1.0), ("black", 0.0)])
def test_colour_is_composited_on_the_background(views, background, value):
    batch = UniformPixelSampler(views, background=background).draw(0, 300)
    at = where(batch)
    alpha = views.mask[at][:, None] / 255.0
    expected = alpha * views.rgb[at] / 255.0 + (1 - alpha) * value
    torch.testing.assert_close(batch.targets["target_rgb"], expected)
    assert (batch.rays.background == value).all()


def test_a_random_background_differs_per_ray_and_fills_empty_masks(views):
    batch = UniformPixelSampler(views, background="random").draw(0, 300)
    empty = batch.targets["target_mask"] == 0
    assert torch.equal(batch.targets["target_rgb"][empty], batch.rays.background[empty])
    assert len(batch.rays.background.unique(dim=0)) == 300


def test_a_random_background_without_masks_is_refused(views):
    bare = Views(views.cameras, views.names, views.rgb)
    with pytest.raises(ValueError, match="'random' needs masks and found none; use white or none"):
        UniformPixelSampler(bare, background="random")


def test_every_pixel_is_drawn_equally_often(views):
    batch = UniformPixelSampler(views).draw(0, 160_000)
    view, row, column = where(batch)
    counts = torch.bincount((view * 20 + row) * 20 + column, minlength=1600)
    # 100 draws each: a Poisson count exceeds five standard deviations once in a million.
    assert counts.min() > 50
    assert counts.max() < 150


@pytest.mark.parametrize("reach", [0, 1, 3])
def test_near_mask_limits_the_distance_in_rows_and_columns(views, reach):
    drawn = torch.zeros(4, 20, 20, dtype=torch.bool)
    batches = UniformPixelSampler(views, near_mask=reach)
    drawn[where(batches.draw(0, 60_000))] = True
    expected = torch.zeros_like(drawn)
    for view, row, column in (views.mask > 0).nonzero().tolist():
        rows = slice(max(row - reach, 0), row + reach + 1)
        expected[view, rows, max(column - reach, 0) : column + reach + 1] = True
    assert torch.equal(drawn, expected)
    assert batches.positions == expected.sum()


def test_without_masks_near_mask_has_no_effect(views):
    bare = Views(views.cameras, views.names, views.rgb)
    assert UniformPixelSampler(bare, near_mask=2).positions == 1600


def test_restricted_batches_draw_from_the_region_unless_near_mask_is_null(views):
    seen = torch.zeros_like(views.mask)
    seen[1:, 5:9, 3:7] = 255
    composited = views.without_masks("white")
    near = UniformPixelSampler(composited, near_mask=4)
    near.restrict_to(torch.zeros_like(seen))
    assert near.positions == 4 * 20 * 20
    near.restrict_to(seen)
    assert near.positions == 3 * 4 * 4
    assert (seen[where(near.draw(0, 300))] == 255).all()
    everything = UniformPixelSampler(composited, near_mask=None)
    everything.restrict_to(seen)
    assert everything.positions == 4 * 20 * 20


def test_runs_of_pixels_are_far_smaller_than_images():
    masks = torch.zeros(3, 270, 480, dtype=torch.uint8)
    masks[:, 60:200, 100:400] = 255
    runs = PixelRuns.near_masks(masks, 8)
    assert runs.starts.nbytes + runs.bounds.nbytes < 0.1 * masks.nbytes


def test_a_thousand_full_hd_views_fit_into_nine_gigabytes():
    cameras = cameras_at(fibonacci_sphere(2), size=18, fov=40.0)
    masks = torch.full((2, 18, 18), 255, dtype=torch.uint8)
    views = Views(cameras, ("a", "b"), masks[..., None].repeat(1, 1, 1, 3), masks)
    held = sum(image.nbytes for image in views.images.values())
    batches = UniformPixelSampler(views, near_mask=4)
    pool = batches._runs.starts.nbytes + batches._runs.bounds.nbytes
    assert held == 4 * 2 * 18 * 18
    # Images grow with the number of pixels, pixel runs with the number of rows.
    assert held / (2 * 18 * 18) * 1000 * 1920 * 1080 < 9e9
    assert pool <= 16 * (2 * 18 + 1)


def test_a_whole_image_comes_in_row_major_order(views):
    batch = image_batch(views, 2, "white")
    assert len(batch.rays) == 400
    assert (batch.rays.view == 2).all()
    depth = batch.targets["target_depth"].reshape(20, 20)
    assert torch.equal(depth, views.depth[2])
    assert batch.rays.pixel[1].tolist() == [1.5, 0.5]


def test_test_images_of_a_random_background_are_white(views):
    assert (image_batch(views, 0, "random").rays.background == 1).all()


@pytest.mark.parametrize("background", ["white", "black"])
def test_views_without_masks_equal_masked_views_on_the_background(views, background):
    masked = UniformPixelSampler(views, background=background).draw(0, 400).targets
    plain = UniformPixelSampler(views.without_masks(background), background=background).draw(0, 400)
    assert "target_mask" not in plain.targets
    assert "target_depth" in plain.targets
    # Rounded to 8 bit.
    difference = (plain.targets["target_rgb"] - masked["target_rgb"]).abs()
    assert difference.max() <= 0.5 / 255 + 1e-6


def test_views_without_masks_and_background_are_the_images_as_stored(views):
    assert torch.equal(views.without_masks("none").rgb, views.rgb)
    assert views.without_masks("none").mask is None
