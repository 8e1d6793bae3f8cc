"""Every setting of every term can be typed on the command line, without a + and without YAML."""

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from nerfloss.assembly.config_files import conf_dir, named, read_yaml
from nerfloss.assembly.hydra_resolvers import register_resolvers
from nerfloss.assembly.instantiation import build, check_terms
from nerfloss.cli.reference.term_files import term_files
from nerfloss.recipe import RecipeError

TERMS = term_files(conf_dir())


def composed(*overrides):
    register_resolvers()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return compose("train", list(overrides)).loss


def test_every_setting_of_every_term_can_be_typed():
    added = [f"+loss/term@loss.terms.of_{name}={name}" for name in TERMS]
    typed = [
        f"loss.terms.of_{name}.fn.{setting}=17"
        for name, term in TERMS.items()
        for setting in term.settings
    ]
    assert len(typed) > 80
    terms = composed(*added, *typed).terms
    for name, term in TERMS.items():
        assert {terms[f"of_{name}"].fn[setting] for setting in term.settings} <= {17}, name


def test_a_setting_that_no_yaml_states_reaches_the_function():
    recipe = build(composed("loss=geo_neus", "loss.terms.patches.fn.rays=64"))
    assert recipe.terms["patches"].fn.keywords["rays"] == 64


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["loss=geo_neus", "loss.terms.patches.fn.ray=64"],
            r"patches: has no setting 'ray' \(settings: patch, best, rays\); did you mean 'rays'\?",
        ),
        (
            ["+loss/term@loss.terms.nce=info_nce", "loss.terms.nce.fn.temperatur=1"],
            r"nce: has no setting 'temperatur' \(settings: .*; did you mean 'temperature'\?",
        ),
        (
            ["loss.terms.eikonall.fn.eps=1"],
            r"eikonall: sets 'fn' but has no function .*; did you mean 'eikonal'\?",
        ),
        (
            ["loss.terms.eikonall.weight=1"],
            r"eikonall: sets 'weight' but has no 'fn'.*; did you mean 'eikonal'\?",
        ),
        (
            ["loss.terms.eikonal.wheight=1"],
            r"eikonal: has the unknown key 'wheight'; did you mean 'weight'\?",
        ),
    ],
)
def test_a_misspelt_setting_is_refused_by_name(overrides, message):
    loss = composed(*overrides)
    with pytest.raises(RecipeError, match=message):
        build(loss)
    with pytest.raises(RecipeError, match=message):
        check_terms(loss.terms)


def weights_of_defaults(content, of_recipes):
    """The weights that the files in a defaults list state, by the term's name in the recipe."""
    weights = {}
    for entry in content.get("defaults", []):
        if not isinstance(entry, dict):
            continue
        ((key, choice),) = entry.items()
        group, _, package = key.removeprefix("override ").removeprefix("/").partition("@")
        if group == "loss" and isinstance(choice, str):
            weights = {**of_recipes[choice], **weights}
        elif group.removeprefix("loss/") == "term":
            weights[package.rpartition(".")[2]] = TERMS[choice].weight
    return weights


def own_weights(terms):
    stated = {name: (term or {}).get("weight") for name, term in (terms or {}).items()}
    return {name: weight for name, weight in stated.items() if weight is not None}


def test_a_weight_is_stated_only_where_it_differs_from_its_default():
    of_recipes, repeated = {}, []
    for name, path in named(conf_dir() / "loss").items():
        content = read_yaml(path)
        defaults, own = weights_of_defaults(content, of_recipes), own_weights(content.get("terms"))
        repeated += [f"{name}: {term}" for term in own if own[term] == defaults.get(term)]
        of_recipes[name] = defaults | own
    for path in sorted((conf_dir() / "experiment").rglob("*.yaml")):
        content = read_yaml(path)
        own = own_weights((content.get("loss") or {}).get("terms"))
        defaults = weights_of_defaults(content, of_recipes)
        repeated += [f"{path.stem}: {term}" for term in own if own[term] == defaults.get(term)]
    assert repeated == []


def test_a_composed_configuration_has_no_other_open_nodes():
    loss = composed()
    assert not OmegaConf.is_struct(loss.terms.rgb.fn)
    assert OmegaConf.is_struct(loss.balancer)
