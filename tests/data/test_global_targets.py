"""Targets over all views: images, projection matrices and neighbouring views."""

from dataclasses import replace

import pytest
import torch
from PIL import Image
from small_runs import TINY_PATCHES, assembled, composed
from small_scenes import small_scene, write_neus

from nerfloss.assembly.build import assemble
from nerfloss.data.global_targets import nearest_views, projections, with_global_targets
from nerfloss.data.pixel_samplers.patch import PatchSampling
from nerfloss.data.pixel_samplers.uniform import UniformPixelSampler
from nerfloss.data.synthetic.camera_layouts import cameras_at, fibonacci_sphere
from nerfloss.data.views import Views
from nerfloss.recipe import RecipeError

NAMES = {"view_images", "view_masks", "view_projections", "view_neighbours"}


@pytest.fixture(scope="module")
def views():
    return small_scene("boxes", views=7, test_views=1, size=16).train


def test_projection_matrices_agree_with_the_cameras(views):
    points = torch.rand(50, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    homogeneous = torch.cat([points, torch.ones(50, 1)], -1)
    for view, matrix in enumerate(projections(views.cameras)):
        pixel, depth = views.cameras.project(points, view)
        seen = homogeneous @ matrix.T
        torch.testing.assert_close(seen[:, :2] / seen[:, 2:], pixel, atol=1e-3, rtol=1e-5)
        torch.testing.assert_close(seen[:, 2], depth)


def test_neighbours_are_sorted_by_viewing_angle():
    cameras = cameras_at(2.5 * fibonacci_sphere(9), size=8, fov=40.0)
    found = nearest_views(cameras, 4)
    for view in range(9):
        towards = cameras.poses[:, :, 3] / 2.5
        angles = [float(torch.acos((towards[view] * t).sum().clamp(-1, 1))) for t in towards]
        others = sorted((angle, other) for other, angle in enumerate(angles) if other != view)
        listed = [angles[other] for other in found[view].tolist()]
        assert listed == pytest.approx([angle for angle, _ in others[:4]], abs=1e-4)
        assert view not in found[view]


def test_neighbours_do_not_depend_on_the_camera_distance():
    positions = 2.5 * fibonacci_sphere(9)
    near, far = (cameras_at(s * positions, size=8, fov=40.0) for s in (1, 3))
    assert torch.equal(nearest_views(near, 3), nearest_views(far, 3))


def test_the_number_of_neighbours_is_limited_by_the_number_of_views(views):
    assert nearest_views(views.cameras, 99).shape == (7, 6)
    assert all(len(set(row)) == 6 for row in nearest_views(views.cameras, 99).tolist())


def test_a_single_view_has_no_neighbours(views):
    with pytest.raises(ValueError, match="needs at least 2 views to train on and found 1"):
        UniformPixelSampler(views[:1], needs={"view_neighbours"})
    UniformPixelSampler(views[:1], needs={"view_images"})


def of_sizes(views, *sizes):
    """The views, of which the first have other sizes than 16 x 16."""
    every = torch.tensor([*sizes, *[(16, 16)] * (len(views) - len(sizes))])
    return replace(views, cameras=replace(views.cameras, sizes=every))


@pytest.mark.parametrize(
    ("sizes", "level", "share"),
    [([(16, 12), (12, 16)], "INFO", "61%"), ([(16, 4)], "WARNING", "28%")],
)
def test_what_images_of_several_sizes_do_not_have_in_common_is_said(
    views, caplog, sizes, level, share
):
    with caplog.at_level("INFO"):
        UniformPixelSampler(of_sizes(views, *sizes), needs={"view_images"})
    (record,) = (each for each in caplog.records if "of several sizes" in each.message)
    assert record.levelname == level
    assert f"see {share} of their pixels" in record.message
    assert record.message.endswith("the smallest is train_000")


def test_a_crop_is_said_only_where_a_term_compares_views(views, caplog):
    with caplog.at_level("INFO"):
        UniformPixelSampler(of_sizes(views, (16, 4)), needs={"target_rgb"})
        UniformPixelSampler(views, needs={"view_images"})
        UniformPixelSampler(of_sizes(views, (16, 16)), needs={"view_images"})
    assert "of several sizes" not in caplog.text


@pytest.mark.parametrize("kind", [UniformPixelSampler, PatchSampling(height=4, width=4)])
def test_every_step_gets_the_same_objects_and_only_those_needed(views, kind):
    batches = kind(views, needs=NAMES)
    first, second = (batches.draw(step, 16).targets for step in (0, 1))
    assert all(first[name] is second[name] for name in NAMES)
    assert first["view_images"] is views.rgb
    assert first["view_masks"] is views.mask
    assert not kind(views, needs={"target_rgb"}).draw(0, 16).targets.keys() & NAMES
    assert not kind(views).draw(0, 16).targets.keys() & NAMES


def test_view_masks_are_offered_only_with_masks(views):
    assert with_global_targets(frozenset({"target_rgb"})) == {"target_rgb", *NAMES} - {"view_masks"}
    assert with_global_targets(views.offers) == views.offers | NAMES
    bare = Views(views.cameras, views.names, views.rgb)
    assert "view_masks" not in UniformPixelSampler(bare, needs=NAMES).draw(0, 4).targets


@pytest.mark.parametrize("name", ["points", "neighbours"])
def test_a_setting_below_one_is_refused(views, name):
    with pytest.raises(ValueError, match=rf"batch\.{name} must be at least 1, got 0"):
        UniformPixelSampler(views, **{name: 0})


def constant(prediction, target):
    """A loss term that accepts any input and is 1 everywhere."""
    assert len(target)
    return prediction * 0 + 1


def term(quantity):
    return (
        f"+loss.terms.constant_{quantity}="
        "{fn: {_target_: test_global_targets.constant, _partial_: true}"
        f", inputs: {{prediction: opacity, target: {quantity}}}}}"
    )


OBSERVED = ["target_label", "target_instance", "target_points", "target_point_normals"]
OBSERVED += ["target_point_confidence", "target_depth", "target_normal"]


@pytest.mark.parametrize("batch", [[], TINY_PATCHES], ids=["uniform", "patch"])
def test_a_run_provides_every_observed_quantity_to_a_term(tmp_path, batch):
    names = [*OBSERVED, *sorted(NAMES)]
    settings = ["dataset.scene=toys", "batch.neighbours=3", "batch.points=40"]
    run = assembled(tmp_path, *settings, *batch, *(term(name) for name in names))
    assert run.train()
    quantities = run.trainer.train_step().quantities
    assert quantities["view_images"] is run.scene.train.rgb
    assert quantities["view_neighbours"].shape == (6, 3)
    assert quantities["target_points"].shape == (40, 3)
    assert quantities["target_label"].dtype == torch.int64
    assert run.evaluate().values["psnr"] > 0


@pytest.mark.parametrize(
    ("quantity", "without", "message"),
    [
        ("target_points", "dataset.points=0", "datasets with observed surface points provide"),
        ("view_masks", "dataset.masks=false", "datasets with masks provide"),
    ],
)
def test_a_quantity_missing_from_the_dataset_is_refused(tmp_path, quantity, without, message):
    with pytest.raises(RecipeError, match=rf"needs '{quantity}', which only {message}"):
        assemble(composed(term(quantity), without), tmp_path)


def test_the_smallest_of_several_sizes_is_refused_before_the_first_step(tmp_path):
    folder = write_neus(tmp_path, small_scene(views=4, test_views=1, size=24))
    for file in ("image/001.png", "mask/001.png"):
        with Image.open(folder / file) as image:
            image.crop((0, 0, 24, 16)).save(folder / file)
    settings = ["dataset=neus", f"dataset.path={folder}", "loss=photos_masked"]
    for patch in ("15", "17"):
        cfg = composed(*settings, f"loss.terms.patches.fn.patch={patch}", dataset="neus")
        if patch == "15":
            assert assemble(cfg, tmp_path / "run").train()
            continue
        with pytest.raises(RecipeError, match="patch=17, but all training views have 24 x 16"):
            assemble(cfg, tmp_path / "run")
