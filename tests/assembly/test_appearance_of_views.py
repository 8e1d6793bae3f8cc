"""Appearance of evaluated views: learned, averaged, neutral or fitted; stated with scores."""

import json
from dataclasses import replace

import pytest
import torch
from small_runs import assembled

from nerfloss.assembly.appearance_of_views import left_half, minimized
from nerfloss.assembly.eval_adapter import view_at

PLAIN = ("model=nerf", "loss=nerf", "eval.mesh=null", "eval.images=false")
KINDS = ("affine", "bilateral", "embedding")


def run_with(folder, *overrides):
    return assembled(folder, *PLAIN, *overrides, model="nerf")


def set_rows(run, row):
    with torch.no_grad():
        run.model.appearance.offsets.copy_(row / run.model.appearance.rates)


GAIN = torch.cat([0.6 * torch.eye(3), torch.zeros(3, 1)], 1) - torch.eye(3, 4)


@pytest.mark.parametrize(
    ("choice", "meaning"),
    [
        ("mean", "mean of the training images'"),
        ("identity", "none: the model's own colours"),
        ("fit_left_half", "fitted to the left half of each view, scored on the right half"),
    ],
)
def test_the_choice_is_logged_and_stands_with_every_score_of_images(
    tmp_path, caplog, choice, meaning
):
    run = run_with(tmp_path, "appearance=affine", f"eval.appearance={choice}")
    with caplog.at_level("INFO"):
        run.evaluate()
    conventions = json.loads((tmp_path / "metrics.json").read_text())["conventions"]
    assert {conventions[name]["appearance"] for name in ("psnr", "ssim", "mask_iou")} == {meaning}
    assert f"appearance of the test views: {meaning}" in caplog.text


def test_scores_of_a_run_without_appearance_state_none(tmp_path):
    run_with(tmp_path).evaluate()
    conventions = json.loads((tmp_path / "metrics.json").read_text())["conventions"]
    assert "appearance" not in conventions["psnr"]


@pytest.mark.parametrize("kind", ["affine", "bilateral"])
def test_test_views_have_the_mean_of_the_training_images_or_none(tmp_path, kind):
    run = run_with(tmp_path, f"appearance={kind}", "dataset.background=black")
    view, shape = view_at(run.scene, "test", 0), (len(run.scene.train), *[1] * 5)
    plain = run.subject().render_of(view)(view.batch.rays, {"rgb"})["rgb"]
    # Gains that differ and have the mean 0.6.
    spread = torch.linspace(0.5, 1.5, shape[0]).reshape(shape if kind == "bilateral" else shape[:3])
    set_rows(run, (torch.eye(3, 4) + GAIN) * spread - torch.eye(3, 4))
    found = run.subject().render_of(view)(view.batch.rays, {"rgb"})["rgb"]
    torch.testing.assert_close(found, 0.6 * plain)
    run.evaluator = replace(run.evaluator, appearance="identity")
    same = run.subject().render_of(view)(view.batch.rays, {"rgb"})["rgb"]
    torch.testing.assert_close(same, plain)


def test_training_views_have_their_own_appearance(tmp_path):
    run = run_with(tmp_path, "appearance=affine", "dataset.background=black", "eval.split=train")
    views = [view_at(run.scene, "train", index) for index in (0, 3)]
    plain = [run.subject().render_of(v)(v.batch.rays, {"rgb"})["rgb"] for v in views]
    row = torch.zeros(len(run.scene.train), 3, 4)
    row[3] = GAIN
    set_rows(run, row)
    found = [run.subject().render_of(v)(v.batch.rays, {"rgb"})["rgb"] for v in views]
    torch.testing.assert_close(found, [plain[0], 0.6 * plain[1]])


@pytest.mark.parametrize("kind", KINDS)
def test_a_fit_lowers_the_error_on_the_left_half_and_leaves_the_model_alone(tmp_path, kind):
    run = run_with(
        tmp_path, f"appearance={kind}", "trainer.max_steps=30", "eval.appearance=fit_left_half"
    )
    assert run.train()
    before = {k: v.clone() for k, v in run.model.field.named_parameters()}
    view = view_at(run.scene, "test", 0)
    rays, target = left_half(view)

    def error(render):
        return float((render(rays, {"rgb"})["rgb"].detach() - target).square().mean())

    fitted = error(run.subject().render_of(view))
    run.evaluator = replace(run.evaluator, appearance="mean")
    assert fitted < error(run.subject().render_of(view))
    assert all(torch.equal(before[k], v) for k, v in run.model.field.named_parameters())
    assert all(v.grad is None for v in run.model.field.parameters())


def test_a_fit_uses_the_left_half_only_and_only_pixels_that_count(tmp_path):
    run = run_with(tmp_path, "appearance=affine")
    view = view_at(run.scene, "test", 0)
    rays, _ = left_half(view)
    assert len(rays) == view.height * (view.width // 2)
    assert (rays.pixel[:, 0] < view.width // 2).all()
    counts = torch.zeros(view.height, view.width, dtype=torch.bool)
    counts[0] = True
    assert len(left_half(replace(view, counts=counts))[0]) == view.width // 2


def test_only_the_right_half_is_scored_after_a_fit(tmp_path):
    run = run_with(tmp_path, "appearance=affine", "eval.appearance=fit_left_half")
    images = {"rgb": torch.rand(4, 7, 3), "target_mask": torch.rand(4, 7)}
    scored = run.subject().scored(images)
    assert torch.equal(scored["rgb"], images["rgb"][:, 3:])
    assert torch.equal(scored["target_mask"], images["target_mask"][:, 3:])


def test_a_fit_without_appearance_is_refused_before_training(tmp_path):
    with pytest.raises(ValueError, match="has appearance=none: leave it at mean, or train with"):
        run_with(tmp_path, "eval.appearance=fit_left_half")


def test_an_unknown_choice_lists_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match=r"eval\.appearance=.*must be|none of mean, identity"):
        run_with(tmp_path, "appearance=affine", "eval.appearance=median")


def test_the_minimum_of_a_quadratic_is_found():
    wanted = torch.randn(3, 4)
    found = minimized(lambda x: (x - wanted).square().sum(), torch.zeros(3, 4))
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)


def test_a_checkpoint_is_evaluated_with_the_rows_that_it_holds(tmp_path):
    settings = ("appearance=affine", "dataset.exposure_gains=[0.7,1.3]", "trainer.max_steps=3")
    run = run_with(tmp_path / "run", *settings)
    assert run.train()
    again = run_with(tmp_path / "again", *settings)
    again.load(tmp_path / "run" / "checkpoints" / "last.pt")
    assert torch.equal(again.model.appearance.values(), run.model.appearance.values())
    assert again.evaluate().values["psnr"] == run.evaluate().values["psnr"]


def test_vertices_of_a_mesh_are_coloured_with_the_mean_embedding(tmp_path):
    run = run_with(tmp_path, "appearance=embedding")
    points = torch.rand(5, 3) - 0.5
    assert run.subject().colors(points, torch.ones(5, 3), -torch.ones(5, 3)).shape == (5, 3)
