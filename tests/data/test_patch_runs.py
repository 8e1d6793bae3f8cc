"""Runs with patch batches: training, batch size adaptation, resuming, evaluation."""

import pytest
import torch
from small_runs import TINY_PATCHES, assembled, composed

from nerfloss.assembly.build import assemble
from nerfloss.recipe import RecipeError
from nerfloss.training.budget import Budget

SMOOTH = (
    "+loss.terms.smooth={weight: 0.1, fn: {_target_: nerfloss.losses.photometric.l1, "
    "_partial_: true}, inputs: {prediction: patch_depth, target: patch_target_depth}}"
)
COLOURS = (
    "+loss.terms.colours={fn: {_target_: nerfloss.losses.photometric.l1, _partial_: true}, "
    "inputs: {prediction: patch_rgb, target: patch_target_rgb}}"
)
ALL = [SMOOTH, COLOURS, *TINY_PATCHES]


def parameters(run):
    return {name: p.detach().clone() for name, p in run.model.field.named_parameters()}


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(("model", "loss"), [("neus", "neus_eikonal"), ("nerf", "nerf")])
def test_two_steps_with_patch_terms_and_an_evaluation(tmp_path, model, loss):
    run = assembled(tmp_path, f"model={model}", f"loss={loss}", *ALL, model=model)
    before = parameters(run)
    assert run.train()
    assert not same(before, parameters(run))
    assert run.trainer.rays_seen % 144 == 0
    assert run.evaluate().values["psnr"] > 0
    step = run.trainer.train_step()
    report, quantities = step.report, step.quantities
    # Both are means over the same pixels.
    smooth = (quantities["depth"] - quantities["target_depth"]).abs().mean()
    torch.testing.assert_close(report.values["smooth"], smooth)
    assert quantities["patch_rgb"].shape[1:] == (12, 12, 3)


def test_the_number_of_rays_adapts_in_whole_patches(tmp_path):
    more = [
        "trainer.max_steps=60",
        "trainer.batch_size.samples=4096",
        "trainer.batch_size.max_rays=4096",
    ]
    run = assembled(tmp_path, *ALL, *more, "trainer.batch_size.rays=144")
    assert run.train()
    quantities = run.trainer.train_step().quantities
    rays = len(quantities["origins"])
    assert rays % 144 == 0
    per_ray = float(quantities["occupied"].sum()) / rays
    # The number of patches that fit into the budget, and at least one.
    assert rays + 144 == pytest.approx(4096 / per_ray, abs=2.2 * 144)


def test_three_steps_and_three_resumed_equal_six(tmp_path):
    points = (
        "+loss.terms.cloud={fn: {_target_: nerfloss.losses.photometric.l1, _partial_: true}, "
        "inputs: {prediction: target_points, target: target_point_normals}}"
    )
    settings = [*ALL, points]
    whole = assembled(tmp_path / "whole", *settings, "trainer.max_steps=6")
    assert whole.train()
    first = assembled(tmp_path / "parts", *settings, "trainer.max_steps=6")
    first.trainer.clock.budget = _Cut(6, None, "wall")
    assert first.train()
    second = assembled(tmp_path / "parts", *settings, "trainer.max_steps=6")
    second.load(tmp_path / "parts" / "checkpoints" / "last.pt")
    assert second.trainer.step == 3
    assert second.train()
    assert same(parameters(second), parameters(whole))
    assert not same(parameters(first), parameters(whole))
    assert second.trainer.rays == whole.trainer.rays


def test_without_masks_patches_are_drawn_in_the_sampled_region(tmp_path):
    quick = [
        "initialization=density_warmup",
        "initialization.min_explained_variance=-1",
        "initialization.warmup.steps=5",
        "initialization.warmup.rays=64",
    ]
    run = assembled(tmp_path, "dataset.masks=false", *ALL, *quick)
    assert run.train()
    assert run.batches.positions <= 6 * 13 * 13


def test_a_patch_term_is_refused_with_single_pixel_batches(tmp_path):
    expected = r"needs 'patch_rgb', which only batches of patches provide \(batch=patch\)"
    with pytest.raises(RecipeError, match=expected):
        assemble(composed(COLOURS, "dataset.mesh=/nowhere/at/all.ply"), tmp_path)


def test_fewer_rays_than_one_patch_are_refused_before_any_image_is_read(tmp_path):
    cfg = composed("batch=patch", "dataset.mesh=/nowhere/at/all.ply")
    with pytest.raises(
        ValueError, match=r"trainer\.batch_size\.rays=64 is below the 256 rays of one batch"
    ):
        assemble(cfg, tmp_path)
    cfg = composed("batch=patch", "trainer.batch_size.rays=512", "dataset.mesh=/nowhere/at/all.ply")
    with pytest.raises(ValueError, match=r"trainer\.batch_size\.max_rays=128"):
        assemble(cfg, tmp_path)


class _Cut(Budget):
    """A budget with the same schedules that ends after three steps."""

    def spent(self, step, seconds):
        return step >= 3 or super().spent(step, seconds)
