"""Check every setting of a configuration against the part that takes it: its name and its value."""

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from hydra.utils import get_object

from nerfloss.assembly.config_groups import closest
from nerfloss.assembly.config_structure import MISSING, faults_of_structure, select
from nerfloss.assembly.setting_types import fault_of_value

# Settings that no part takes as its own: what they must be, and the least value of numbers.
_PLAIN: Mapping[str, tuple[Any, float | None]] = {
    "seed": (int, 0),
    "kernels.torch_threads": (int | None, 1),
    "trainer.max_steps": (int, 1),
    "trainer.max_seconds": (float | None, None),
    "trainer.checkpoint_every": (int, 1),
    "trainer.preview_every": (int | None, None),
    "viewer": (Literal["on", "off"], None),
    "viewer_port": (int, 0),
}
# A loss term and its function: the recipe checks the names of their settings.
_TERM = re.compile(r"loss\.terms\.[^.]+\.(fn\.)?")


def check_plain_settings(config: Mapping[str, Any]) -> None:
    """Raise ValueError where a setting of the run itself, as ``seed``, has no possible value."""
    faults = []
    for key, (annotation, least) in _PLAIN.items():
        value = select(config, key)
        if value is MISSING:
            continue
        fault = fault_of_value(value, annotation)
        if fault is None and None not in (value, least) and value < least:
            fault = f"must be at least {least:g}"
        if fault is not None:
            faults.append(f"{key}={value}: {fault}")
    _raise(faults)


def check_settings(config: Mapping[str, Any]) -> None:
    """Raise ValueError with every setting that its part does not have or take, by its key.

    Parts that cannot be imported are left to whatever makes them, and so are types that an
    annotation does not tell.
    """
    check_plain_settings(config)
    _raise(list(faults_of_structure(config)))
    # Settings that trainer.optimizer leaves null are those of the model.
    of_model, target = (
        select(config, key) for key in ("model.optimizer", "trainer.optimizer._target_")
    )
    faults = list(_faults(config, ""))
    if isinstance(of_model, Mapping) and target is not MISSING:
        faults += _faults({**of_model, "_target_": target}, "model.optimizer.")
    _raise(faults)


def is_setting(config: Mapping[str, Any], key: str) -> bool:
    """Return True for a setting that the run itself or the part that ``key`` lies in may have."""
    above, _, last = key.rpartition(".")
    part = select(config, above) if above else MISSING
    target = part.get("_target_") if isinstance(part, Mapping) else None
    return key in _PLAIN or last in _parameters(target)


def _faults(node: Any, prefix: str) -> Iterator[str]:
    """Yield the faults of a node and of all below it, whose keys begin with ``prefix``."""
    if isinstance(node, list):
        for index, inner in enumerate(node):
            yield from _faults(inner, f"{prefix}{index}.")
    if not isinstance(node, Mapping):
        return
    parameters = _parameters(node.get("_target_"))
    term = _TERM.fullmatch(prefix)
    if term and not term[1] and "_target_" in node:
        yield (
            f"{prefix.rstrip('.')}: is a function, not a term: write its name below 'fn', as "
            f"{prefix}fn._target_=... and {prefix}fn._partial_=true, beside the term's weight"
        )
        return
    if not term:
        yield from _unknown_names(node, parameters, prefix)
    for key, value in node.items():
        if key in parameters and (fault := fault_of_value(value, parameters[key].annotation)):
            yield f"{prefix}{key}={'null' if value is None else value}: {fault}"
        yield from _faults(value, f"{prefix}{key}.")


def _unknown_names(
    node: Mapping[str, Any], parameters: Mapping[str, inspect.Parameter], prefix: str
) -> Iterator[str]:
    """Yield a fault with all names that a part does not have; none where it takes any.

    Some come from files: the settings of a part stay where only its ``_target_`` is overridden.
    """
    kinds = {each.kind for each in parameters.values()}
    if not parameters or inspect.Parameter.VAR_KEYWORD in kinds:
        return
    known = [name for name, each in parameters.items() if each.kind is not each.VAR_POSITIONAL]
    unknown = [name for name in node if name not in known and not name.startswith("_")]
    if unknown:
        named = ", ".join(f"'{name}'{closest(name, known)}" for name in unknown)
        removal = " ".join(f"~{prefix}{name}" for name in unknown)
        yield (
            f"{prefix.rstrip('.')}: {node['_target_']} has no setting {named} "
            f"(settings: {', '.join(known)}; to remove what it does not have: {removal})"
        )


def _parameters(target: Any) -> Mapping[str, inspect.Parameter]:
    if not isinstance(target, str):
        return {}
    try:
        return inspect.signature(get_object(target)).parameters
    except Exception:  # whatever code runs when a module is imported
        return {}


def _raise(faults: list[str]) -> None:
    if len(faults) == 1:
        raise ValueError(faults[0])
    if faults:
        listed = "\n".join(f"  {fault}" for fault in faults)
        raise ValueError(f"settings that do not fit their parts:\n{listed}")
