"""Initial geometry from masks, from a density warm-up and from a sphere."""

import logging
import math
from dataclasses import replace

import pytest
import torch
from slow_params import slow_but
from small_runs import assembled, composed

from nerfloss.assembly.instantiation import build
from nerfloss.data.visual_hull import fit_box, hull_distance, visual_hull
from nerfloss.initialization.density_warmup import DensityWarmup
from nerfloss.initialization.initialization import Initialization, restrict_pixels

UNIT = [[-1, -1, -1], [1, 1, 1]]
QUICK = DensityWarmup(
    steps=100, samples=1024, rays=128, learning_rate=0.1, network_learning_rate=1e-2
)


def initialized(run, views=None, **settings):
    """Return the model of a run after its initialization."""
    initialization = Initialization(**{"warmup": QUICK, **settings})
    background = run.scene.background
    views = run.scene.train if views is None else views
    initialization(run.model, views, background=background, seed=0)
    return run.model


def small(folder, *overrides, **settings):
    """Return a run on a scene that the warm-up can reconstruct."""
    sizes = ["dataset.views=24", "dataset.size=40", "dataset.supersampling=2"]
    if settings.get("model") != "nerf":  # a shape takes a table that can hold it
        sizes.append("model.field.network.grid.log2_hashmap_size=14")
    return assembled(folder, *sizes, *overrides, **settings)


def test_box_contains_the_object_and_the_sampler_is_restricted_to_its_hull(tmp_path):
    run = assembled(tmp_path, "dataset.scene=rings")
    model = initialized(run, source="sphere")
    box = model.field.box
    surface = torch.as_tensor(run.scene.mesh.vertices, dtype=torch.float32)
    assert (surface > box[0]).all()
    assert (surface < box[1]).all()
    assert (box[1] - box[0]).prod() < 8
    hull = visual_hull(run.scene.train, box, model.sampler.grid.resolution).permute(2, 1, 0)
    region = model.sampler.grid.region
    assert (region >= hull).all()
    assert not region.all()


@pytest.mark.parametrize("degrees", [0.5, 2.0])
def test_with_refined_cameras_the_box_has_room_for_typical_errors_only(tmp_path, degrees):
    scene = ("dataset.scene=rings", "dataset.size=64", "dataset.views=24")
    noise = f"dataset.pose_noise.degrees={degrees}"
    run = assembled(tmp_path, *scene, noise, "cameras=refine")
    model, views = initialized(run, source="sphere"), run.scene.train
    box = model.field.box
    surface = torch.as_tensor(run.scene.mesh.vertices, dtype=torch.float32)
    assert (surface > box[0]).all()
    assert (surface < box[1]).all()
    focal = float(views.cameras.intrinsics[0, 0, 0])
    margin = math.ceil(focal * math.tan(math.radians(model.cameras.tolerance)))
    widest = fit_box(views, dilate=1 + margin)
    assert (box[1] - box[0]).prod() < 0.95 * (widest[1] - widest[0]).prod()
    # Samples are placed with all of the margin: where a silhouette may be, not where it is.
    hull = visual_hull(views, box, model.sampler.grid.resolution, dilate=margin)
    assert (model.sampler.grid.region >= hull.permute(2, 1, 0)).all()


def test_sphere_without_masks_leaves_the_model_unchanged(tmp_path):
    run = assembled(tmp_path, "dataset.masks=false")
    points = torch.rand(100, 3)
    before = run.model.field.implicit(points)
    model = initialized(run, source="sphere")
    assert torch.equal(model.field.implicit(points), before)
    assert model.field.box.tolist() == UNIT
    assert model.sampler.grid.region.all()


def test_a_density_field_without_masks_is_left_unchanged(tmp_path):
    run = assembled(tmp_path, "model=nerf", "loss=nerf", "dataset.masks=false", model="nerf")
    model = initialized(run, source="auto")
    assert model.field.box.tolist() == UNIT
    assert model.sampler.grid.region.all()


@pytest.mark.parametrize("scene", slow_but(("blobs",), ("blobs", "rings")))
def test_without_masks_the_initial_surface_is_near_the_true_one(tmp_path, scene):
    run = small(tmp_path, f"dataset.scene={scene}", "dataset.masks=false")
    model = initialized(run)
    box = model.field.box
    surface = torch.as_tensor(run.scene.mesh.vertices, dtype=torch.float32)
    assert (surface > box[0]).all()
    assert (surface < box[1]).all()
    assert (box[1] - box[0]).prod() < 7
    assert model.field.implicit(surface).abs().mean() < 0.05
    grid = model.sampler.grid
    assert grid.in_region(surface, box).all()
    assert not grid.region.all()


@pytest.mark.slow
def test_warmup_finds_concavities_that_the_hull_covers(tmp_path):
    found, thorough = {}, DensityWarmup(steps=200, samples=2048, rays=512)
    for source in ("visual_hull", "density_warmup"):
        run = small(tmp_path / source, "dataset.scene=craters")
        field = initialized(run, source=source, warmup=thorough).field
        points = torch.as_tensor(run.scene.mesh.vertices, dtype=torch.float32)
        found[source] = field.implicit(points).abs().mean()
    assert found["density_warmup"] < 0.7 * found["visual_hull"]


@pytest.mark.slow
def test_without_masks_only_pixels_that_see_the_sampled_region_are_drawn(tmp_path):
    run = small(tmp_path, "dataset.scene=rings", "dataset.masks=false", "batch.near_mask=4")
    model, batches = initialized(run), run.batches
    pixels = batches.positions
    restrict_pixels(batches, model)
    assert 0.1 * pixels < batches.positions < 0.9 * pixels
    rays, grid, box = batches.draw(0, 500).rays, model.sampler.grid, model.field.box
    distance = hull_distance(grid.region.permute(2, 1, 0), box)
    nearest = torch.full((len(rays),), torch.inf)
    for t in torch.linspace(1.5, 3.9, 200):
        unit = (rays.origins + t * rays.directions - box[0]) / (box[1] - box[0])
        held = unit.clamp(0, 0.999)
        x, y, z = (held * grid.resolution).long().unbind(-1)
        outside = ((unit - held) * (box[1] - box[0])).norm(dim=-1)
        nearest = nearest.minimum(distance[x, y, z] + outside)
    # Two pixels wide, at most.
    assert nearest.max() < 0.12


def test_with_masks_or_a_sphere_all_pixels_are_drawn(tmp_path):
    for settings in (["dataset.masks=true"], ["dataset.masks=false", "initialization=sphere"]):
        run = assembled(tmp_path, *settings)
        pixels = run.batches.positions
        restrict_pixels(run.batches, initialized(run, source="sphere"))
        assert run.batches.positions == pixels


@pytest.mark.slow
def test_a_density_field_can_be_initialized_by_a_warmup(tmp_path):
    settings = ["model=nerf", "loss=nerf", "dataset.masks=false", "dataset.scene=rings"]
    run = small(tmp_path, *settings, model="nerf")
    model = initialized(run, source="density_warmup")
    assert (model.field.box[1] - model.field.box[0]).prod() < 7
    assert not model.sampler.grid.region.all()


def test_initialization_is_deterministic(tmp_path):
    settings = ["dataset.masks=false", "dataset.scene=blobs"]
    runs = (assembled(tmp_path / name, *settings) for name in ("one", "two"))
    warmup = replace(QUICK, steps=10)
    ones, twos = (
        initialized(run, warmup=warmup, min_explained_variance=-1.0).field.state_dict()
        for run in runs
    )
    tensors = [name for name, value in ones.items() if isinstance(value, torch.Tensor)]
    assert all(torch.equal(ones[name], twos[name]) for name in tensors)


def test_a_failed_warmup_falls_back_to_the_sphere_with_a_warning(tmp_path, caplog):
    run = small(tmp_path, "dataset.masks=false")
    noise = torch.randint(0, 256, run.scene.train.rgb.shape, dtype=torch.uint8)
    with caplog.at_level(logging.WARNING):
        model = initialized(run, replace(run.scene.train, rgb=noise))
    assert "the density warm-up failed" in caplog.text
    assert model.field.box.tolist() == UNIT
    assert model.sampler.grid.region.all()
    points = torch.tensor([[0.5, 0, 0], [0, 0, -0.5]])
    assert model.field.implicit(points).abs().max() < 0.1


def photographed(run):
    """Return the training views of a run as masked photographs with a background of their own."""
    views = run.scene.train
    wall = torch.randint(0, 256, views.rgb.shape, dtype=torch.uint8)
    photo = torch.where(views.mask[..., None] > 127, views.rgb, wall)
    return replace(views, rgb=photo, mask=(views.mask > 127).to(torch.uint8) * 255)


def initialized_from_photographs(run, **settings):
    views = photographed(run).with_inpainted_background()
    initialization = Initialization(**{"warmup": QUICK, **settings})
    initialization(run.model, views, background="inpainted", seed=0)
    return run.model


def test_masked_photographs_begin_from_a_warmup_inside_of_their_hull(tmp_path, caplog):
    run = small(tmp_path, "dataset.scene=rings")
    with caplog.at_level(logging.INFO):
        model = initialized_from_photographs(run)
    assert "initialized from the density warm-up" in caplog.text
    grid, box = model.sampler.grid, model.field.box
    hull = visual_hull(run.scene.train, box, grid.resolution, dilate=6).permute(2, 1, 0)
    assert (hull | ~grid.region).all()
    assert not grid.region.all()


def test_where_the_warmup_of_masked_photographs_fails_the_hull_is_used(tmp_path, caplog):
    run = small(tmp_path)
    with caplog.at_level(logging.INFO):
        initialized_from_photographs(run, min_explained_variance=1.0)
    assert "the density warm-up failed" in caplog.text
    assert "using the visual hull" in caplog.text
    assert "initialized from the visual hull" in caplog.text


def test_visual_hull_without_masks_is_refused(tmp_path):
    run = assembled(tmp_path, "dataset.masks=false")
    with pytest.raises(ValueError, match="visual_hull needs masks and found none"):
        initialized(run, source="visual_hull")


def test_an_unknown_source_is_refused():
    with pytest.raises(ValueError, match="'cube' is none of auto, visual_hull, density_warmup"):
        Initialization(source="cube")


@pytest.mark.parametrize("name", ["auto", "visual_hull", "density_warmup", "sphere"])
def test_configured_settings_equal_the_defaults_of_the_code(name):
    assert build(composed(f"initialization={name}").initialization) == Initialization(source=name)
