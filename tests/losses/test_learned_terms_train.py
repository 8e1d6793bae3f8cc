"""Terms with networks, memories and thresholds train a field from composed configs."""

import csv

import pytest
from small_runs import TINY_PATCHES, assembled

from nerfloss.recipe import RecipeError
from nerfloss.testing.weights import made_up_linear, made_up_weights
from nerfloss.training import checkpoint

# 18 pixels a side: SqueezeNet's last layers have one left.
PATCHES = [*TINY_PATCHES, "batch.height=18", "batch.width=18", "trainer.pace.rays=324"]
PATCHES += ["trainer.pace.max_rays=648"]
HEADS = ["+model/head=semantic", "dataset.scene=toys"]
TELLS_APART = ["+model/head=features", "dataset.scene=toys"]


def added(*terms):
    return [f"+loss/term@loss.terms.{name}={name}" for name in terms]


def networks(folder, *terms):
    """Overrides that give these terms a small network with made-up weights."""
    settings = {"backbone": "squeeze", "weights": made_up_weights("squeeze", folder)}
    linear = {"linear": made_up_linear("squeeze", folder)}
    return [
        f"loss.terms.{term}.fn.{key}={value}"
        for term in terms
        for key, value in (settings | linear if term == "lpips" else settings).items()
    ]


def trained(folder, *overrides, model="nerf"):
    loss = "neus_eikonal" if model == "neus" else "nerf"
    run = assembled(folder, f"model={model}", f"loss={loss}", *overrides, model=model)
    assert run.train()
    return run


def last_row(folder):
    with open(folder / "history.csv") as file:
        return list(csv.DictReader(file))[-1]


def takes_part(folder, run, *terms):
    report, _ = run.trainer._train_step()
    row = last_row(folder)
    return all(
        report.values[name].isfinite() and report.values[name].requires_grad and row[f"loss/{name}"]
        for name in terms
    )


def test_terms_of_a_trained_network_take_part_and_leave_nothing_in_the_checkpoint(
    tmp_path, weights_folder
):
    terms = ("perceptual", "style", "lpips")
    run = trained(tmp_path, *added(*terms), *networks(weights_folder, *terms), *PATCHES)
    assert takes_part(tmp_path, run, *terms)
    saved = checkpoint.load(tmp_path / "checkpoints" / "last.pt")
    assert saved["recipe"] == {}


@pytest.mark.parametrize("model", ["nerf", "neus"])
def test_terms_with_a_discriminator_take_part_and_log_its_loss(tmp_path, model):
    terms = ("adversarial", "feature_matching")
    run = trained(tmp_path, *added(*terms), *TINY_PATCHES, model=model)
    assert takes_part(tmp_path, run, *terms)
    for term in terms:
        for name in ("discriminator", "real_score", "fake_score"):
            assert last_row(tmp_path)[f"loss/{term}/{name}"]


def test_semantic_terms_take_part(tmp_path):
    terms = ("cross_entropy", "focal", "binary_cross_entropy")
    assert takes_part(tmp_path, trained(tmp_path, *added(*terms), *HEADS), *terms)


def test_contrastive_terms_take_part_and_remember(tmp_path):
    terms = ("triplet", "info_nce")
    assert takes_part(tmp_path, trained(tmp_path, *added(*terms), *TELLS_APART), *terms)
    assert float(last_row(tmp_path)["loss/info_nce/instances"]) > 1


def test_terms_with_a_learned_threshold_and_a_learned_attention_take_part(tmp_path):
    terms = ("spatial_bce", "learnable_chamfer")
    run = trained(tmp_path, *added(*terms), model="neus")
    assert takes_part(tmp_path, run, *terms)
    assert last_row(tmp_path)["loss/spatial_bce/threshold"]
    assert last_row(tmp_path)["loss/learnable_chamfer/attention"]


@pytest.mark.parametrize("recipe", ["adversarial", "perceptual"])
def test_the_recipes_take_two_steps(tmp_path, weights_folder, recipe):
    settings = networks(weights_folder, "perceptual") if recipe == "perceptual" else []
    run = assembled(tmp_path, "model=nerf", f"loss={recipe}", *settings, *PATCHES, model="nerf")
    assert run.train()
    assert takes_part(tmp_path, run, "rgb", recipe)


def test_missing_weights_stop_a_run_before_it_begins_and_say_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("nerfloss.backbones.weights.hub_folder", lambda: tmp_path)
    expected = r"perceptual: the network's weights were not found.*vgg16-397923af\.pth.*fn\.weights"
    with pytest.raises(RecipeError, match=rf"(?s){expected}"):
        assembled(tmp_path, "loss=perceptual", *PATCHES)


def test_a_wrong_setting_of_a_module_is_named_with_its_key(tmp_path):
    with pytest.raises(RecipeError, match=r"loss\.terms\.adversarial\.fn\.mode"):
        assembled(tmp_path, "loss=adversarial", "loss.terms.adversarial.fn.mode=lsgan", *PATCHES)
