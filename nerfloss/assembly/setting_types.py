"""Check the types of settings against the annotations of the parts that take them."""

import inspect
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from hydra.utils import get_object

_WORDS = {int: "an integer", float: "a number", bool: "true or false"}
_MISSING = object()
# Settings that no part takes as its own: what they must be, and the least value of numbers.
_PLAIN: Mapping[str, tuple[Any, float | None]] = {
    "seed": (int, 0),
    "trainer.max_steps": (int, 1),
    "trainer.max_seconds": (float | None, None),
    "trainer.checkpoint_every": (int, 1),
    "trainer.preview_every": (int | None, None),
    "viewer": (Literal["on", "off"], None),
    "viewer_port": (int, 0),
}


def check_plain_settings(config: Mapping[str, Any]) -> None:
    """Raise ValueError where a setting of the run itself, as ``seed``, has no possible value."""
    faults = []
    for key, (annotation, least) in _PLAIN.items():
        value = _select(config, key)
        if value is _MISSING:
            continue
        fault = _fault(value, annotation)
        if fault is None and least is not None and value < least:
            fault = f"must be at least {least:g}"
        if fault is not None:
            faults.append(f"{key}={value}: {fault}")
    _raise(faults)


def check_types(config: Mapping[str, Any]) -> None:
    """Raise ValueError with every setting whose type its part does not take, by its key.

    Numbers, true and false are checked, and one of several literal values; other types are the
    part's own to check. Parts that cannot be imported are left to whatever makes them.
    """
    check_plain_settings(config)
    _raise(list(_faults(config, "")))


def _faults(node: Any, prefix: str) -> Iterator[str]:
    if isinstance(node, list):
        for index, inner in enumerate(node):
            yield from _faults(inner, f"{prefix}{index}.")
    if not isinstance(node, Mapping):
        return
    annotations = _annotations(node.get("_target_"))
    for key, value in node.items():
        if key in annotations and (fault := _fault(value, annotations[key])) is not None:
            yield f"{prefix}{key}={value}: {fault}"
        yield from _faults(value, f"{prefix}{key}.")


def _annotations(target: Any) -> dict[str, Any]:
    if not isinstance(target, str):
        return {}
    try:
        parameters = inspect.signature(get_object(target)).parameters
    except Exception:  # whatever code runs when a module is imported
        return {}
    return {name: each.annotation for name, each in parameters.items()}


def _fault(value: Any, annotation: Any) -> str | None:
    """Return the requirement that a value violates; None if it fits or its type is not checked."""
    options = _options(annotation)
    if not options or any(_fits(value, option) for option in options):
        return None
    words = [_WORDS[option] for option in (bool, int, float) if option in options]
    literals = [str(choice) for o in options for choice in typing.get_args(o)]
    if float in options and int in options:
        words.remove(_WORDS[int])
    words += ["null"] if type(None) in options else []
    return f"must be {' or '.join([*words, *literals])}"


def _options(annotation: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the type itself; empty if any of them cannot be checked."""
    union = isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union
    options = typing.get_args(annotation) if union else (annotation,)
    known = (*_WORDS, type(None))
    checkable = all(o in known or typing.get_origin(o) is Literal for o in options)
    return options if checkable and set(options) != {type(None)} else ()


def _fits(value: Any, option: Any) -> bool:
    if option is type(None):
        return value is None
    if typing.get_origin(option) is Literal:
        return value in typing.get_args(option)
    if option is bool:
        return isinstance(value, bool)
    number = int if option is int else int | float
    return isinstance(value, number) and not isinstance(value, bool)


def _select(config: Mapping[str, Any], key: str) -> Any:
    node: Any = config
    for part in key.split("."):
        if not isinstance(node, Mapping) or part not in node:
            return _MISSING
        node = node[part]
    return node


def _raise(faults: list[str]) -> None:
    if len(faults) == 1:
        raise ValueError(faults[0])
    if faults:
        raise ValueError("settings of the wrong type:\n" + "\n".join(f"  {f}" for f in faults))
