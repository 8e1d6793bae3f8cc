"""Every balancer in a recipe: base weights, schedules, logged values, and every recipe."""

import math

import pytest
import torch
from hydra import compose, initialize_config_dir
from torch import nn

from nerfloss.assembly.config_files import conf_dir, read_yaml
from nerfloss.assembly.instantiation import build as build_node
from nerfloss.quantities.signature import settings_of
from nerfloss.recipe import LossRecipe, schedules
from nerfloss.testing.quantities import SIZES, fake

CONF = conf_dir()
BALANCERS = sorted(file.stem for file in (CONF / "loss" / "balancer").glob("*.yaml"))
RECIPES = sorted(file.stem for file in (CONF / "loss").glob("*.yaml"))
OF_GRADIENTS = {"gradnorm", "gradient_scale", "pcgrad"}
KEEP_WEIGHTS = {"none", "pcgrad"}


def balancer_of(name):
    return build_node(read_yaml(CONF / "loss" / "balancer" / f"{name}.yaml"))


def composed(*overrides):
    with initialize_config_dir(str(CONF.resolve()), version_base="1.3"):
        return compose(overrides=list(overrides)).loss


def photo(rgb, target_rgb):
    return (rgb - target_rgb).abs()


def eikonal(gradients):
    return (gradients.square().sum(-1) - 1).square()


def made(names, scale):
    """Made-up quantities, of which those that a model makes follow one parameter."""
    patches = {**SIZES, "height": 16, "width": 17}
    found = {name: fake(name, sizes=patches) for name in sorted(names)}
    return {
        name: value * scale
        if isinstance(value, torch.Tensor)
        and value.is_floating_point()
        and not name.startswith(("target_", "patch_target_", "view_"))
        and name not in ("pixel", "t_starts", "t_ends", "box")
        else value
        for name, value in found.items()
    }


def two_terms(balancer, weights=(1.0, 1.0), schedule=None):
    specs = {
        "rgb": {"fn": photo, "weight": weights[0]},
        "eikonal": {"fn": eikonal, "weight": weights[1], "schedule": schedule},
    }
    return LossRecipe(specs, balancer)


def trained(recipe, steps, begin=0):
    """The reports of some steps of descent on one parameter."""
    scale = nn.Parameter(torch.tensor(0.9))
    reports = []
    for step in range(begin, begin + steps):
        report = recipe(made(recipe.needs(step), scale) | {"step": step}, step)
        recipe.objective(report, step, [scale, *recipe.trainable_parameters()]).backward()
        assert scale.grad is not None
        assert scale.grad.isfinite()
        scale.grad = None
        reports.append(report.scalars())
    return reports


@pytest.mark.parametrize("name", BALANCERS)
def test_a_logged_weight_is_the_set_weight_times_the_logged_balance(name):
    recipe = two_terms(balancer_of(name), weights=(3.0, 0.2))
    for scalars in trained(recipe, 12):
        for term, weight in (("rgb", 3.0), ("eikonal", 0.2)):
            factor = scalars.get(f"balance/{term}", 1.0)
            assert scalars[f"weight/{term}"] == pytest.approx(weight * factor, rel=1e-5)
        parts = sum(scalars[f"weight/{t}"] * scalars[f"loss/{t}"] for t in ("rgb", "eikonal"))
        penalty = scalars.get("balancer/penalty", 0.0)
        assert scalars["loss/total"] == pytest.approx(parts + penalty, rel=1e-5)
        logged = {key for key in scalars if key.startswith("balance/")}
        assert (not logged) == (name in KEEP_WEIGHTS)


@pytest.mark.parametrize("name", BALANCERS)
def test_base_weights_multiply_the_factors(name):
    plain = trained(two_terms(balancer_of(name)), 12)
    heavy = trained(two_terms(balancer_of(name), weights=(1.0, 50.0)), 12)
    for one, other in zip(plain, heavy, strict=True):
        assert other["weight/eikonal"] == pytest.approx(50 * one["weight/eikonal"], rel=1e-3)
        assert other["weight/rgb"] == pytest.approx(one["weight/rgb"], rel=1e-3)


@pytest.mark.parametrize("name", BALANCERS)
def test_terms_start_and_stop_with_their_schedules(name):
    recipe = two_terms(balancer_of(name), schedule=schedules.window(3, 6))
    reports = trained(recipe, 9)
    acting = ["weight/eikonal" in scalars for scalars in reports]
    assert acting == [False] * 3 + [True] * 3 + [False] * 3


@pytest.mark.parametrize("name", BALANCERS)
def test_a_step_without_terms_is_a_total_of_0(name):
    waits = {"fn": photo, "schedule": schedules.after(10)}
    report = LossRecipe({"rgb": waits}, balancer_of(name))({}, 0)
    assert report.scalars() == {"loss/total": 0}


@pytest.mark.parametrize("name", BALANCERS)
def test_the_order_of_the_terms_does_not_matter(name):
    specs = {"a": {"fn": photo, "weight": 2.0}, "b": {"fn": eikonal}, "c": {"fn": photo}}
    forwards = trained(LossRecipe(specs, balancer_of(name)), 12)[-1]
    backwards = trained(LossRecipe(dict(reversed(specs.items())), balancer_of(name)), 12)[-1]
    assert forwards == pytest.approx(backwards, rel=1e-5)


@pytest.mark.parametrize("name", BALANCERS)
def test_its_state_is_saved_by_name_and_fits_a_recipe_in_another_order(name):
    specs = {"a": {"fn": photo, "weight": 2.0}, "b": {"fn": eikonal}}
    first = LossRecipe(specs, balancer_of(name))
    trained(first, 11)
    state = first.state_dict()
    second = LossRecipe(dict(reversed(specs.items())), balancer_of(name))
    second.load_state_dict(state)
    went_on, resumed = trained(first, 3, begin=11), trained(second, 3, begin=11)
    for one, other in zip(went_on, resumed, strict=True):
        assert one == pytest.approx(other, rel=1e-5)


@pytest.mark.parametrize("name", BALANCERS)
def test_evaluation_changes_no_state(name):
    recipe = two_terms(balancer_of(name))
    trained(recipe, 2)
    before = {key: value.clone() for key, value in recipe.state_dict().items()}
    recipe.eval()
    with torch.no_grad():
        recipe(made(recipe.needs(2), torch.tensor(3.0)) | {"step": 2}, 2)
    after = recipe.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.usefixtures("random_networks")
@pytest.mark.parametrize("name", RECIPES)
def test_two_steps_of_a_recipe_with_every_balancer(name):
    terms = build_node(composed(f"+loss={name}")).terms
    keys = ("fn", "weight", "schedule", "where", "inputs")
    specs = {term: {key: getattr(found, key) for key in keys} for term, found in terms.items()}
    for balancer in BALANCERS:
        recipe = LossRecipe(specs, balancer_of(balancer))
        for scalars in trained(recipe, 2):
            assert all(math.isfinite(value) for value in scalars.values()), balancer


@pytest.mark.parametrize("name", BALANCERS)
def test_a_yaml_cites_its_source_and_lists_every_setting(name):
    path = CONF / "loss" / "balancer" / f"{name}.yaml"
    assert path.read_text().startswith("# ")
    own = vars(type(balancer_of(name))).get("__init__")
    settings = {} if own is None else settings_of(own)
    given = read_yaml(path)
    del given["_target_"]
    assert given == settings


def test_an_invalid_setting_is_refused_when_the_recipe_is_built():
    overrides = ["+loss=neus", "loss/balancer=dwa", "loss.balancer.temperature=-1.0"]
    with pytest.raises(ValueError, match=r"loss\.balancer\.temperature has to be .*got -1"):
        build_node(composed(*overrides))


def test_an_unknown_reference_is_refused_when_the_recipe_is_built():
    overrides = ["+loss=neus", "loss/balancer=gradient_scale", "loss.balancer.reference=colour"]
    with pytest.raises(ValueError, match=r"'colour', which is no term .*rgb, eikonal"):
        build_node(composed(*overrides))
