"""Make objects of a configuration: the only call of Hydra's instantiate."""

import re
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from nerfloss.recipe import RecipeError


def build(node: Any, **more: Any) -> Any:
    """Instantiate a node of the configuration, with plain dicts and lists inside."""
    try:
        # Without _convert_ a dict of dataclasses comes back as a DictConfig, its methods stripped.
        return instantiate(node, _convert_="all", **more)
    except InstantiationException as error:
        # What we raise ourselves says what to do; Hydra's wrapping would bury it.
        cause = _of_a_term(node, error) or error.__cause__
        if isinstance(cause, ValueError):
            raise cause from None
        raise


def _of_a_term(node: Any, error: InstantiationException) -> RecipeError | None:
    """What a loss term with state refused when it was made, with the keys of what it refused."""
    cause, key = error.__cause__, str(error).rpartition("full_key: ")[2].strip()
    place = re.fullmatch(r"loss\.terms\.([^.]+)\.fn\b.*", key)
    if place is None or not isinstance(cause, ValueError | TypeError):
        return None
    settings = OmegaConf.select(node, f"terms.{place[1]}.fn") or {}
    named = [name for name in settings if re.search(rf"\b{re.escape(name)}\b", str(cause))]
    keys = ", ".join(f"{key}.{name}" for name in named) or key
    return RecipeError(f"the loss recipe cannot be built:\n  {place[1]}: {cause} ({keys})")
