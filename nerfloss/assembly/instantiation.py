"""Instantiate the parts of a configuration."""

import inspect
import re
from collections.abc import Mapping
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate
from omegaconf import OmegaConf

from nerfloss.quantities.signature import settings_of
from nerfloss.recipe import RecipeError
from nerfloss.recipe.parsing import faults_of_keys, unknown_settings


def build(node: Any, **more: Any) -> Any:
    """Instantiate a node of the configuration, with plain dicts and lists as arguments.

    Raises the ValueError of a part as it is, and Hydra's InstantiationException for other errors.
    """
    try:
        # Without _convert_ a dict of dataclasses comes back as a DictConfig, its methods stripped.
        return instantiate(node, _convert_="all", **more)
    except InstantiationException as error:
        # Our own messages say what to do; Hydra's wrapping would bury them.
        cause = _error_of_term(node, error) or error.__cause__
        if isinstance(cause, ValueError):
            raise cause from None
        raise


def check_terms(terms: Mapping[str, Any]) -> None:
    """Check the keys and the names of the settings of a recipe's terms; builds none of them.

    Raises RecipeError with every fault.
    """
    faults = [f"  {name}: {fault}" for name in terms for fault in faults_of_keys(name, terms)]
    faults += filter(None, (_unknown_settings(name, terms[name].get("fn") or {}) for name in terms))
    if faults:
        raise RecipeError("the loss recipe cannot be built:\n" + "\n".join(faults))


def _error_of_term(node: Any, error: InstantiationException) -> RecipeError | None:
    """Return the error of a term that is a module, with the keys of the settings at fault."""
    cause, key = error.__cause__, str(error).rpartition("full_key: ")[2].strip()
    place = re.fullmatch(r"loss\.terms\.([^.]+)\.fn\b.*", key)
    if place is None or not isinstance(cause, ValueError | TypeError):
        return None
    settings = OmegaConf.select(node, f"terms.{place[1]}.fn") or {}
    if unknown := _unknown_settings(place[1], settings):
        return RecipeError(f"the loss recipe cannot be built:\n{unknown}")
    target = get_object(settings["_target_"]) if "_target_" in settings else None
    early = isinstance(cause, TypeError) and not settings.get("_partial_")
    if early and inspect.isfunction(target):
        return RecipeError(
            f"the loss recipe cannot be built:\n  {place[1]}: {settings['_target_']} was called "
            f"for a loss: {cause}. If it is the loss, say so with {key}._partial_=true"
        )
    named = [name for name in settings if re.search(rf"\b{re.escape(name)}\b", str(cause))]
    keys = ", ".join(f"{key}.{name}" for name in named) or key
    return RecipeError(f"the loss recipe cannot be built:\n  {place[1]}: {cause} ({keys})")


def _unknown_settings(term: str, fn: Mapping[str, Any]) -> str:
    """Return a line for each setting that the function or the class of a term does not have."""
    if "_target_" not in fn:
        return ""
    target = get_object(fn["_target_"])
    given = [name for name in fn if not name.startswith("_")]
    known = settings_of(target.__init__ if inspect.isclass(target) else target)
    faults = unknown_settings(term, given, known)
    return "\n".join(f"  {term}: {fault}" for fault in faults)
