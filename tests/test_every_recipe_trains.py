"""Every recipe of conf/loss trains, and is refused by what cannot feed it. None is left out."""

import functools
import math
import re

import pytest
import torch
from fitting_runs import PLAIN, RECIPES, fed_by, needed
from random_weights import supply_weights
from small_runs import assembled, composed, history
from small_scenes import small_scene, write_neus

from nerfloss.assembly.build import build_model, offered
from nerfloss.assembly.instantiation import build
from nerfloss.quantities.remedies import REMEDIES
from nerfloss.quantities.vocabulary import VOCABULARY
from nerfloss.recipe import RecipeError


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_trains(train, name):
    models, settings = fed_by(name)
    run = train(name if name in models else min(models), f"loss={name}", *settings)
    assert all(math.isfinite(float(row["loss/total"])) for row in history(run.folder))
    assert run.trainer.recipe.terms.keys() == RECIPES[name].terms.keys()


@functools.cache
def offers(model, *settings, dataset="analytic"):
    """What a run of a model provides, as it is known before an image is read."""
    cfg = composed(f"model={model}", *settings, model=model, dataset=dataset)
    found = offered(build(cfg.dataset).offers, build(cfg.batch), build(cfg.trainer.batch_size))
    return build_model(cfg, torch.device("cpu")).offers(found)


@pytest.fixture(scope="module")
def recipe(weights_folder):
    @functools.cache
    def built(name):
        loss = composed(f"loss={name}").loss
        for term in loss.terms.values():
            supply_weights(term.fn, weights_folder)
        return build(loss)

    return built


@pytest.mark.parametrize("model", PLAIN)
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_fits_the_models_that_offer_its_quantities_and_no_others(recipe, name, model):
    models, settings = fed_by(name)
    if model in models:
        recipe(name).check(offers(model, *settings))
        return
    with pytest.raises(RecipeError, match=r"which only SDF fields provide \(model=neus, model="):
        recipe(name).check(offers(model, *settings))


@pytest.mark.parametrize("name", [name for name in RECIPES if "batch=patch" in fed_by(name)[1]])
def test_a_recipe_on_patches_is_refused_by_scattered_pixels(recipe, name):
    with pytest.raises(RecipeError, match=r"which only batches of patches provide \(batch=patch\)"):
        recipe(name).check(offers(min(fed_by(name)[0])))


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Overrides for data of which nothing is known but colours."""
    scene = small_scene(views=2, test_views=1, size=12)
    folder = write_neus(tmp_path_factory.mktemp("photographs"), scene, masks=False)
    return "dataset=neus", f"dataset.path={folder}"


def observed(name):
    """What a recipe needs of its data that photographs alone do not give."""
    sources = (VOCABULARY[need].source for term in needed(name) for need in term.needs)
    return {source.partition(" (")[0] for source in sources if source.startswith("datasets with")}


@pytest.mark.parametrize("name", [name for name in RECIPES if observed(name)])
def test_a_recipe_is_refused_by_data_that_lacks_what_it_needs(recipe, photographs, name):
    models, settings = fed_by(name)
    given = offers(min(models), *settings, *photographs, dataset="neus")
    with pytest.raises(RecipeError) as caught:
        recipe(name).check(given)
    refused = re.findall(r"which only (datasets with .+) provide", str(caught.value))
    assert set(refused) == observed(name)


WITHOUT_MASKS = re.findall(r"loss=\w+(?: \w+=\w+)*", REMEDIES["datasets with masks"])


def test_missing_masks_are_answered_with_recipes_without():
    assert len(WITHOUT_MASKS) == 2


@pytest.mark.parametrize("remedy", WITHOUT_MASKS)
def test_the_recipes_that_the_remedy_for_masks_names_take_photographs_alone(photographs, remedy):
    model = dict(word.split("=") for word in remedy.split()).get("model", "neus")
    cfg = composed(*remedy.split(), *photographs, model=model, dataset="neus")
    given = offered(build(cfg.dataset).offers, build(cfg.batch), build(cfg.trainer.batch_size))
    build(cfg.loss).check(build_model(cfg, torch.device("cpu")).offers(given))


def test_missing_weights_stop_a_run_before_it_begins_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr("nerfloss.losses.pretrained.weight_files.cache_folder", lambda: tmp_path)
    expected = r"perceptual: the weights vgg16-397923af\.pth are missing.*fn\.weights"
    with pytest.raises(RecipeError, match=rf"(?s){expected}"):
        assembled(tmp_path, "loss=perceptual", *fed_by("perceptual")[1])


def test_a_wrong_setting_of_a_module_is_named_with_its_key(tmp_path):
    wrong = "loss.terms.adversarial.fn.mode=lsgan"
    with pytest.raises(RecipeError, match=r"loss\.terms\.adversarial\.fn\.mode"):
        assembled(tmp_path, "loss=adversarial", wrong, *fed_by("adversarial")[1])
