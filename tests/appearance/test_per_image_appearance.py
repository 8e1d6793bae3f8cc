"""Appearance per image: neutral at first, learned, saved, and asked for by name."""

import pytest
import torch
from small_runs import assembled, composed

from nerfloss.appearance.affine import AffineExposure
from nerfloss.appearance.bilateral import BilateralGrid
from nerfloss.appearance.embedding import ImageEmbedding
from nerfloss.appearance.exposure_rules import corrected_foreground, corrected_scene
from nerfloss.assembly.build import build_model
from nerfloss.recipe import RecipeError

CPU = torch.device("cpu")
EXPOSURES = ("affine", "bilateral")
KINDS = (*EXPOSURES, "embedding")
SIZES = torch.tensor([[24, 24], [30, 20], [24, 24]])


def rendered(run, needs=("rgb",)):
    batch = run.batches.draw(0, 64)
    generator = torch.Generator().manual_seed(0)
    given = {**batch.targets, **vars(run.trainer.schedule)}
    found = run.model(batch.rays, set(needs), given=given, generator=generator)
    return [found[name].detach() for name in needs]


@pytest.mark.parametrize("model", ["nerf", "neus"])
@pytest.mark.parametrize("kind", EXPOSURES)
def test_an_untrained_exposure_leaves_the_rendered_colours_as_they_are(tmp_path, kind, model):
    loss = f"loss={'nerf' if model == 'nerf' else 'neus_mask'}"
    plain = assembled(tmp_path / "plain", f"model={model}", loss, model=model)
    run = assembled(tmp_path / kind, f"model={model}", loss, f"appearance={kind}", model=model)
    torch.testing.assert_close(rendered(run), rendered(plain))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", ["nerf", "neus", "volsdf"])
def test_training_moves_every_images_row_that_its_rays_reach(tmp_path, kind, model):
    run = assembled(
        tmp_path,
        *(f"model={model}", f"loss={'nerf' if model == 'nerf' else 'neus_mask'}"),
        *(f"appearance={kind}", "trainer.max_steps=4"),
        model=model,
    )
    assert run.train()
    offsets = run.model.appearance.offsets
    assert len(offsets) == len(run.scene.train)
    assert offsets.isfinite().all()
    assert offsets.flatten(1).any(1).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_is_rebuilt_from_its_configuration_takes_the_rows_of_a_checkpoint(
    tmp_path, kind
):
    run = assembled(tmp_path, "model=nerf", "loss=nerf", f"appearance={kind}", model="nerf")
    assert run.train()
    config = composed("model=nerf", "loss=nerf", f"appearance={kind}", model="nerf")
    model = build_model(config, CPU)
    model.load_state_dict(run.model.state_dict())
    assert torch.equal(model.appearance.values(), run.model.appearance.values())
    assert torch.equal(model.appearance.sizes, run.model.appearance.sizes)


def test_rows_of_another_number_of_images_are_refused_with_both_numbers():
    saved, other = AffineExposure(), AffineExposure()
    saved.set_images(SIZES)
    other.set_images(SIZES[:2])
    with pytest.raises(ValueError, match="3 training images, the scene has 2: use the data"):
        other.load_state_dict(saved.state_dict())


@pytest.mark.parametrize(
    ("term", "remedy"),
    [
        ("exposure_identity", r"\(appearance=affine, appearance=bilateral\)"),
        ("bilateral_grid_tv", r"\(appearance=bilateral\)"),
    ],
)
@pytest.mark.parametrize("kind", ["none", "embedding"])
def test_a_term_on_corrections_that_the_model_does_not_have_names_the_option(
    tmp_path, term, remedy, kind
):
    added = f"+loss/term@loss.terms.{term}={term}"
    with pytest.raises(RecipeError, match=remedy):
        assembled(tmp_path, added, f"appearance={kind}")


def test_total_variation_is_refused_without_grids(tmp_path):
    added = "+loss/term@loss.terms.tv=bilateral_grid_tv"
    with pytest.raises(RecipeError, match=r"bilateral grids per image .*appearance=bilateral"):
        assembled(tmp_path, added, "appearance=affine")


def test_without_appearance_the_model_has_the_same_parameters_and_no_further_state(tmp_path):
    run = assembled(tmp_path)
    assert run.model.appearance is None
    assert set(run.model.state_dict()) == {"field", "sampler"}
    assert "image_appearance" not in run.model.parameter_groups()
    assert not {"exposure", "image_embedding"} & run.model.offers()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("appearance.learning_rate=0.0", "appearance.learning_rate must be positive, got 0.0"),
        ("appearance.rows=0", "columns, rows and luminances >= 1"),
    ],
)
def test_impossible_settings_are_refused_by_their_keys(setting, message):
    with pytest.raises(ValueError, match=message):
        build_model(composed("appearance=bilateral", setting), CPU)


def test_the_rate_of_the_rows_is_the_appearances_own_unless_the_trainer_sets_it(tmp_path):
    def rate(*overrides):
        run = assembled(tmp_path, "appearance=affine", "appearance.learning_rate=0.02", *overrides)
        own = run.model.appearance.offsets
        return next(m.rate for m in run.trainer.optimizer._moments if m.parameter is own)

    assert rate() == 0.02
    assert rate("+trainer.optimizer.learning_rates.image_appearance=0.5") == 0.5


def test_a_colour_behind_a_masked_object_is_not_exposed():
    nothing, behind = torch.zeros(4, 3), torch.rand(4, 3)
    dark = torch.zeros(4, 3, 4)
    assert torch.equal(corrected_foreground(nothing, torch.zeros(4), behind, dark), behind)
    assert torch.equal(corrected_scene(behind, dark), nothing)


def test_a_corrected_colour_saturates_at_one():
    bright = 3 * torch.eye(3, 4).expand(4, 3, 4)
    full, color = torch.ones(4), torch.full((4, 3), 0.5)
    assert torch.equal(corrected_scene(color, bright), torch.ones(4, 3))
    assert torch.equal(corrected_foreground(color, full, color, bright), torch.ones(4, 3))


def test_a_grid_is_sliced_at_pixels_in_units_of_their_own_image():
    grid = BilateralGrid(columns=3, rows=3, luminances=2)
    grid.set_images(SIZES)
    with torch.no_grad():
        # A gain that grows from 1 at the left edge to 3 at the right one.
        grid.offsets[..., 0, 0] = torch.tensor([0.0, 1.0, 2.0])
    rule = grid.rules(background_model=False)["exposure"]
    pixel = torch.tensor([[12.0, 3.0], [15.0, 3.0], [0.0, 0.0]])
    view, color = torch.tensor([0, 1, 2]), torch.rand(3, 3)
    found = rule(grid.values(), grid.image_sizes(), view, pixel, color)
    torch.testing.assert_close(found[:, 0, 0], torch.tensor([2.0, 2.0, 1.0]))


def test_the_mean_of_embeddings_is_that_of_their_rows():
    embedding = ImageEmbedding(channels=3)
    embedding.set_images(SIZES)
    with torch.no_grad():
        embedding.offsets.copy_(torch.arange(9.0).reshape(3, 3))
    torch.testing.assert_close(embedding.mean(), torch.tensor([3.0, 4.0, 5.0]))
