"""Heads are composited like colours, trained with every model, and cost nothing if absent."""

import pytest
import torch
from jaxtyping import Float
from small_runs import assembled, composed
from torch import Tensor
from torch.nn.functional import cross_entropy

from nerfloss.assembly.build import assemble, build_model
from nerfloss.fields.heads import Head, build_heads
from nerfloss.recipe import RecipeError

TERM = "{{fn: {{_target_: test_heads.{}, _partial_: true}}}}"
LABELS = f"+loss.terms.labels={TERM.format('object_or_not')}"
SPREAD = f"+loss.terms.spread={TERM.format('spread_out')}"
BOTH = "+model/head=[semantic,features]"
LOSS = {"nerf": ["loss=nerf"], "neus": [], "volsdf": ["loss=volsdf"]}


def object_or_not(
    logits: Float[Tensor, "rays classes"], target_mask: Float[Tensor, "rays"]
) -> Float[Tensor, "rays"]:
    """Return the cross entropy for class 1 on the object, 0 elsewhere."""
    return cross_entropy(logits, (target_mask > 0.5).long(), reduction="none")


def spread_out(features: Float[Tensor, "rays channels"]) -> Float[Tensor, "rays"]:
    return -features.square().sum(-1).clamp_max(1.0)


def quantities(run, *needs):
    batch = run.batches.draw(0, 64)
    generator = torch.Generator().manual_seed(0)
    given = {**batch.targets, "step": 0, "progress": 0.0}
    return run.model(batch.rays, set(needs), given=given, generator=generator)


@pytest.mark.parametrize("model", LOSS)
def test_two_steps_train_both_heads_of_every_model(tmp_path, model):
    run = assembled(tmp_path, f"model={model}", BOTH, LABELS, SPREAD, *LOSS[model], model=model)
    heads = run.model.field.heads
    before = {name: p.detach().clone() for name, p in heads.named_parameters()}
    assert {name.split(".")[0] for name in before} == {"logits", "features"}
    assert run.train()
    assert run.trainer.step == 2
    assert all(not torch.equal(p, before[name]) for name, p in heads.named_parameters())


def test_head_outputs_are_composited_along_rays(tmp_path):
    run = assembled(tmp_path, "+model/head=semantic", "sampler=uniform", "sampler.samples=24")
    run.model.renderer.color_threshold = 0.0
    values = quantities(run, "logits", "weights", "positions")
    field = run.model.field
    points = values["positions"].reshape(-1, 3)
    logits = field.heads["logits"](field(points, {"embeddings"})["embeddings"])
    weights = values["weights"]
    expected = torch.stack(
        [
            sum(weights[ray, i] * logits[ray * 24 + i] for i in range(24))
            for ray in range(len(weights))
        ]
    )
    assert values["logits"].shape == (64, 8)
    assert weights.max() > 0.01
    torch.testing.assert_close(values["logits"], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("moves", [False, True])
def test_a_head_moves_the_surface_only_with_moves_surface(tmp_path, moves):
    run = assembled(
        tmp_path, "+model/head=semantic", f"model.field.heads.logits.moves_surface={moves}"
    )
    values = quantities(run, "logits")
    field = run.model.field
    values["logits"].square().sum().backward()
    assert (field.log_sharpness.grad is not None) == moves
    assert field.heads["logits"].network.layers[0].weight.grad.abs().max() > 0
    # The embeddings are always trained: all outputs of the network but the distance.
    assert field.network.layers[-1].bias.grad[1:].abs().max() > 0


def test_without_heads_there_are_no_parameters_of_heads(tmp_path):
    run = assembled(tmp_path)
    assert "heads" not in run.model.field.parameter_groups()
    assert not [name for name in run.model.field.state_dict() if "head" in name]
    assert not {"logits", "features"} & run.model.offers()


def test_a_head_that_no_term_needs_is_not_computed(tmp_path):
    run = assembled(tmp_path, "+model/head=semantic")
    values = quantities(run, "rgb")
    assert values["rgb"].isfinite().all()
    assert "logits" not in set(values)


def test_error_for_a_missing_head_names_the_override_that_adds_it(tmp_path):
    with pytest.raises(RecipeError) as caught:
        assemble(composed(LABELS, SPREAD), tmp_path)
    assert str(caught.value).splitlines()[1:] == [
        "  labels: needs 'logits', which only models with a semantic head provide "
        "(+model/head=semantic)",
        "  spread: needs 'features', which only models with a feature head provide "
        "(+model/head=features)",
    ]


def test_a_head_is_saved_and_its_learning_rate_can_be_set(tmp_path):
    settings = ["+model/head=semantic", LABELS, "+model.optimizer.learning_rates.heads=0.05"]
    run = assembled(tmp_path / "run", *settings, "trainer.optimizer.warmup_steps=0")
    before = run.model.field.heads["logits"].network.layers[-1].bias.detach().clone()
    assert run.train()
    after = run.model.field.heads["logits"].network.layers[-1].bias.detach()
    # Adam's steps are at most as long as the rate, here five times the other groups'.
    assert 0.05 < (after - before).abs().max() <= 0.1 + 1e-6
    again = assembled(tmp_path / "again", *settings)
    again.load(tmp_path / "run" / "checkpoints" / "last.pt")
    assert torch.equal(again.model.field.heads["logits"].network.layers[-1].bias, after)


def test_a_user_defined_head_offers_a_quantity():
    head = "{_target_: nerfloss.fields.heads.Head, _partial_: true, channels: 3}"
    cfg = composed(f"+model.field.heads={{material: {head}}}")
    assert "material" in build_model(cfg, torch.device("cpu")).offers()


def test_a_head_with_the_name_of_another_quantity_is_refused():
    with pytest.raises(ValueError, match=r"heads\.rgb: 'rgb' is composited colour.*logits or feat"):
        build_heads(15, {"rgb": lambda embedding: Head(embedding, channels=3)})


def test_a_head_without_channels_is_refused():
    with pytest.raises(ValueError, match="channels >= 1, got 0"):
        Head(15, channels=0)
