"""Load a loss recipe by its name, for any trainer."""

from collections.abc import Sequence

from nerfloss.assembly.composition import compose_config
from nerfloss.assembly.config_groups import config_groups
from nerfloss.assembly.instantiation import build
from nerfloss.recipe import LossRecipe


def load_recipe(
    name: str, overrides: Sequence[str] = (), *, searchpath: Sequence[str] = ()
) -> LossRecipe:
    """Return the recipe ``name`` of conf/loss, with ``overrides`` relative to it.

    Overrides are those of the command line without their leading ``loss.``:
    ``"terms.eikonal.weight=0.05"`` sets a weight, ``"+term@terms.tv=depth_tv"`` adds a term,
    ``"~terms.mask"`` drops one, ``"balancer=gradnorm"`` chooses a balancer. ``searchpath`` lists
    folders or packages with configurations of your own, as ``pkg://mylab.conf``.

    Hydra need not be initialised; if it is, its state is left as it was.

    Raises Hydra's errors for overrides that fit no configuration, and RecipeError for terms that
    cannot be built.
    """
    words = [f"loss={name}", *(_from_the_root(override) for override in overrides)]
    return build(compose_config("train", words, searchpath=searchpath).loss)


def _from_the_root(override: str) -> str:
    """Return an override of a recipe as one of the whole configuration."""
    mark = override[: len(override) - len(override.lstrip("+~"))]
    key, equals, value = override[len(mark) :].partition("=")
    group, at, package = key.partition("@")
    if at:
        return f"{mark}loss/{group}@loss.{package}{equals}{value}"
    if f"loss/{key}" in config_groups():
        return f"{mark}loss/{key}{equals}{value}"
    return f"{mark}loss.{key}{equals}{value}"
