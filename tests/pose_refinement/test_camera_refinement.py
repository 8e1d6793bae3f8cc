"""Refined cameras as a part of a run: their gradients, their state, and what is refused."""

from dataclasses import replace

import pytest
import torch
from omegaconf import OmegaConf
from small_runs import assembled, composed

from nerfloss.assembly.build import rebuild
from nerfloss.pose_refinement.camera_deltas import position_basis
from nerfloss.pose_refinement.view_fit import ViewFit, with_twist

REFINE = (
    "cameras=refine",
    "cameras.delay=0",
    "cameras.focal=per_view",
    "cameras.distortion=per_view",
)
NOISE = "dataset.pose_noise.degrees=1.0"


def loss_of(run, rays, samples):
    """The squared error of fixed samples along the corrected rays."""
    batch = run.batches.draw(0, 64)
    quantities = run.model.render(
        replace(samples, rays=rays), {"rgb"}, given={"step": 0, "progress": 1.0}
    )
    return (quantities["rgb"] - batch.targets["target_rgb"].to(rays.origins)).square().mean()


def doubled(rays):
    floats = ("origins", "directions", "pixel", "background")
    return replace(rays, **{name: getattr(rays, name).double() for name in floats})


@pytest.mark.parametrize(
    ("model", "loss"), [("nerf", "nerf"), ("neus", "neus_eikonal"), ("volsdf", "volsdf")]
)
def test_the_gradient_of_the_loss_to_the_corrections_is_that_of_differences(tmp_path, model, loss):
    # Every sample is coloured: a threshold on weights is a jump.
    settings = ("model.renderer.color_threshold=0", "cameras.gradient_clip=null", NOISE, *REFINE)
    run = assembled(tmp_path, f"model={model}", f"loss={loss}", *settings, model=model)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in run.model.field.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))
    batch, cameras = run.batches.draw(0, 64), run.model.cameras
    samples = run.model.sampler(run.model.field, batch.rays, None)

    def parameters():
        return cameras.raw_twists, cameras.lenses.log_focal, cameras.lenses.radial

    def gradient():
        cameras.zero_grad()
        rays = cameras.training_rays(doubled(batch.rays) if is_double else batch.rays, 0)
        loss_of(run, rays, samples).backward()
        return [parameter.grad.clone() for parameter in parameters()]

    is_double = False
    compiled = gradient()
    is_double = True
    run.model.field.double()
    cameras.double()
    samples = replace(samples, t_starts=samples.t_starts.double(), t_ends=samples.t_ends.double())
    exact = gradient()
    for single, double in zip(compiled, exact, strict=True):
        assert torch.allclose(single.double(), double, rtol=1e-2, atol=1e-3 * double.abs().max())

    generator, step = torch.Generator().manual_seed(1), 1e-9
    along = [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in parameters()]

    def value(shift):
        with torch.no_grad():
            for parameter, way in zip(parameters(), along, strict=True):
                parameter.copy_(shift * way)
            return float(loss_of(run, cameras.training_rays(doubled(batch.rays), 0), samples))

    slope = sum(float((g * way).sum()) for g, way in zip(exact, along, strict=True))
    assert (value(step) - value(-step)) / (2 * step) == pytest.approx(slope, rel=1e-4)


def test_refinement_begins_after_its_delay_and_leaves_the_first_steps_as_they_are(tmp_path):
    common = ("model=nerf", "loss=nerf", NOISE, "trainer.max_steps=4")
    fixed = assembled(tmp_path / "a", *common, model="nerf")
    settings = (
        "cameras=refine",
        "cameras.delay=2",
        "cameras.tolerance=0",
        "cameras.warmup_steps=0",
    )
    levels = "model.field.grid.steps_per_level=0"
    refined = assembled(tmp_path / "b", *common, *settings, levels, model="nerf")
    for run in (fixed, refined):
        run.initialize()
        for _ in range(2):
            run.trainer.train_step()
            run.trainer.step += 1
    first, second = (dict(run.model.field.named_parameters()) for run in (fixed, refined))
    assert all(torch.equal(first[name], second[name]) for name in first)
    cameras = refined.model.cameras
    assert not cameras.raw_twists.any()
    refined.trainer.train_step()
    assert cameras.raw_twists.abs().sum() > 0


def test_refined_cameras_have_the_rays_that_are_trained(tmp_path):
    run = assembled(tmp_path, "model=nerf", "loss=nerf", NOISE, *REFINE, model="nerf")
    run.train()
    cameras, views = run.model.cameras, run.scene.train
    batch = run.batches.draw(7, 64)
    corrected = cameras.training_rays(batch.rays, 10)
    made = cameras.refined(views.cameras).rays(
        batch.rays.view, batch.rays.pixel, batch.rays.background
    )
    assert torch.allclose(corrected.origins, made.origins, atol=1e-6)
    assert torch.allclose(corrected.directions, made.directions, atol=1e-6)
    assert not torch.equal(corrected.directions, batch.rays.directions)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["loss=photos_masked", *REFINE], True),
        (["loss=photos_masked", "loss.terms.patches.weight=0", *REFINE], False),
        (["loss=neus_mask", *REFINE], False),
        (["loss=photos_masked"], False),
    ],
)
def test_terms_that_project_with_the_stated_cameras_are_named(tmp_path, caplog, settings, said):
    patch = ["loss.terms.patches.fn.patch=5"] if "loss=photos_masked" in settings else []
    with caplog.at_level("INFO"):
        assembled(tmp_path, *settings, *patch)
    assert ("(patches) use the cameras as the data states them" in caplog.text) == said


def test_a_linear_twist_adds_to_the_own_twists_of_all_views_and_learns_from_all(tmp_path):
    run = assembled(tmp_path, "model=nerf", "loss=nerf", NOISE, *REFINE, model="nerf")
    cameras, basis = run.model.cameras, position_basis(run.model.cameras.centers)
    linear = 0.01 * torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        cameras.linear_twists.copy_(linear)
        found = cameras.twists
        cameras.linear_twists.zero_()
        cameras.raw_twists.copy_(basis @ linear)
    assert torch.allclose(found, cameras.twists, atol=1e-7)
    assert found.any()
    cameras.twists.square().sum().backward()
    shared = cameras.linear_twists.grad
    assert shared.any()
    assert torch.allclose(shared, basis.T @ cameras.raw_twists.grad, atol=1e-6)


def test_a_state_sizes_a_model_that_has_seen_no_scene(tmp_path):
    overrides = ("model=nerf", "loss=nerf", *REFINE)
    run = assembled(tmp_path, *overrides, model="nerf")
    run.train()
    config = OmegaConf.to_yaml(composed(*overrides, model="nerf"))
    model, _ = rebuild(config, torch.device("cpu"))
    assert len(model.cameras.raw_twists) == 0
    model.load_state_dict(run.model.state_dict())
    assert torch.equal(model.cameras.twists, run.model.cameras.twists)


def test_both_scores_of_test_views_and_errors_of_cameras_are_stored(tmp_path):
    settings = ("eval.mesh=null", "eval.images=false", "cameras.view_fit.steps=3")
    run = assembled(tmp_path, "model=nerf", "loss=nerf", NOISE, *REFINE, *settings, model="nerf")
    run.train()
    scores = run.evaluate().scores
    assert scores["psnr"].value != scores["psnr_refined"].value
    assert scores["psnr_refined"].conventions["cameras"] == "fitted"
    for name in ("camera_rotation_error", "camera_position_error"):
        assert scores[name].value != scores[f"{name}_given"].value


def test_a_fitted_view_is_kept_only_where_it_fits_better(tmp_path):
    run = assembled(tmp_path, "model=nerf", "loss=nerf", model="nerf")
    batch = run.batches.draw(0, 32)
    pixels = torch.arange(32)
    fit = ViewFit(steps=5, rays=16, learning_rate=1e-2)
    goal = with_twist(batch.rays, torch.tensor([0.0, 0.0, 0.0, 0.02, 0.0, 0.0]))

    def render(placed, rays):  # noqa: ARG001
        return rays.origins

    found = fit(render, batch.rays, goal.origins, pixels)
    assert found.abs().sum() > 0
    assert (with_twist(batch.rays, found).origins - goal.origins).abs().max() < 0.02
    assert not fit(render, batch.rays, batch.rays.origins, pixels).any()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("cameras.learning_rate=0.0", "learning_rate > 0"),
        ("cameras.delay=-1", "delay, warmup_steps and tolerance of at least 0"),
        ("cameras.gradient_clip=0", "gradient_clip must be above 0 or null"),
        ("cameras.view_fit.steps=0", "view_fit needs steps >= 1"),
        ("cameras.distortion=own", "cameras.distortion=own: must be fixed or per_camera or"),
        ("cameras.focal=own", "cameras.focal=own: must be fixed or per_camera or per_view"),
        ("dataset.pose_noise.degrees=-1", "pose_noise needs degrees and distance of at least 0"),
        ("+dataset.pose_noise.angle=1", "pose_noise has no setting angle"),
    ],
)
def test_impossible_settings_are_refused(tmp_path, setting, message):
    with pytest.raises(ValueError, match=message):
        assembled(tmp_path, "cameras=refine", setting)


def test_a_single_training_view_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"at least two training views.*cameras=fixed"):
        assembled(tmp_path, "cameras=refine", "dataset.views=1")
