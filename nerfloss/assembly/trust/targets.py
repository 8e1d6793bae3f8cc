"""The callables that a stored configuration may name in ``_target_``.

These are the parts that conf/ names, the functions and classes of the packages in `OPEN`, the
optimizers of torch, and what the packages that the user trusts define.
"""

import inspect
import re
from collections.abc import Iterator, Sequence
from functools import cache, partial
from typing import Any

from hydra.utils import get_object

from nerfloss.assembly.config_files import conf_dir, read_yaml
from nerfloss.assembly.trust.packages import PHOTOGRAPHS

# Modules of nothing but functions of numbers and tensors, and of parts that hold them.
OPEN = (
    "nerfloss.losses",
    "nerfloss.maths",
    "nerfloss.quantities.derived",
    "nerfloss.recipe.schedules",
    "nerfloss.recipe.balancers",
    "nerfloss.evaluation.metrics",
    "torch.optim",
)
# Named by conf/ or within OPEN, but writes or downloads files where its settings say.
_WRITERS = (PHOTOGRAPHS, "nerfloss.losses.pretrained")
_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


def fault_of_target(target: Any, trusted: Sequence[str]) -> str | None:
    """Return the reason why a stored configuration may not name ``target``; None if it may.

    Nothing is imported but modules of nerfloss, torch and the packages that are ``trusted``.
    """
    if not isinstance(target, str) or "${" in target:
        return "not the name of a function or a class"
    if not _NAME.fullmatch(target) or "__" in target:
        return "not the dotted name of a function or a class"
    if target in _shipped():
        return None
    if _within(target, _WRITERS) and not _within(target, trusted):
        return "writes files where its settings say"
    if not _within(target, (*OPEN, *trusted)):
        package = target.partition(".")[0]
        if package == "nerfloss":
            return "a part of nerfloss that no configuration needs"
        return f"the package {package} is not trusted"
    return _fault_of_object(target, trusted)


def _fault_of_object(target: str, trusted: Sequence[str]) -> str | None:
    """Return a fault where a name leads out of the modules that may be named, as ``a.b.os.f``."""
    try:
        found = get_object(target)
    except Exception as error:  # whatever code runs when a module is imported
        return f"cannot be imported: {type(error).__name__}: {_first_line(error)}"
    while isinstance(found, partial):
        found = found.func
    if not callable(found):
        return "neither a function nor a class"
    home = _module_of(found)
    if _within(home, trusted) or (home == "torch.optim" or home.startswith("torch.optim.")):
        return None
    plain = inspect.isfunction(found) or inspect.isclass(found)
    if plain and _within(home, OPEN) and not _within(home, _WRITERS):
        return None
    if plain and f"{home}.{found.__qualname__}" in _shipped():
        return None
    return f"is defined in {home or 'no module'}, which is not trusted"


def _module_of(found: Any) -> str:
    """Return the module that defines a callable; of an object that is called, its class's."""
    described = found if inspect.isroutine(found) or inspect.isclass(found) else type(found)
    try:
        return described.__module__ or ""
    except AttributeError:  # a method of a built-in type
        return ""


def _within(name: str, roots: Sequence[str]) -> bool:
    return any(name == root or name.startswith(f"{root}.") for root in roots)


@cache
def _shipped() -> frozenset[str]:
    """Return the targets in conf/ of parts of nerfloss that write no files."""
    found = {
        target
        for path in conf_dir().rglob("*.yaml")
        if "hydra" not in path.relative_to(conf_dir()).parts
        for target in _targets(read_yaml(path))
    }
    return frozenset(target for target in found if not _within(target, _WRITERS))


def _targets(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(named := node.get("_target_"), str) and named.startswith("nerfloss."):
            yield named
        for inner in node.values():
            yield from _targets(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _targets(inner)


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), "")
