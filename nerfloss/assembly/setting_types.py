"""What the annotation of a parameter asks of the value of a setting."""

import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

_WORDS = {int: "an integer", float: "a number", bool: "true or false"}


def fault_of_value(value: Any, annotation: Any) -> str | None:
    """Return the requirement that a value violates; None if it fits or its type is not checked.

    Checked are numbers, true and false, one of several literal values, and that parts, mappings and
    lists are no single values.
    """
    if isinstance(value, int | float | str | None):
        if _all_fit(annotation, _is_part) and not (value is None and _allows_null(annotation)):
            return "must be a part or a mapping with settings of its own"
        if _all_fit(annotation, _is_list) and value is not None:
            return "must be a list"
    if isinstance(value, float) and math.isnan(value):
        return "must be a number"
    options = _options(annotation)
    if not options or any(_fits(value, option) for option in options):
        return None
    words = [_WORDS[option] for option in (bool, int, float) if option in options]
    literals = [str(choice) for o in options for choice in typing.get_args(o)]
    if float in options and int in options:
        words.remove(_WORDS[int])
    words += ["null"] if type(None) in options else []
    return f"must be {' or '.join([*words, *literals])}"


def _all_fit(annotation: Any, is_kind: Callable[[Any], bool]) -> bool:
    """Return True if every member of a union but null is of the kind."""
    members = [each for each in _members(annotation) if each is not type(None)]
    return bool(members) and all(is_kind(typing.get_origin(each) or each) for each in members)


def _is_part(kind: Any) -> bool:
    """Return True for callables, mappings, modules and our own classes: what no word stands for."""
    if not inspect.isclass(kind):
        return False
    # By name: a setting is refused before torch is loaded.
    own = kind.__module__.startswith(("nerfloss.", "torch.nn."))
    return own or kind in (Callable, Mapping, dict)


def _is_list(kind: Any) -> bool:
    return kind in (Sequence, list, tuple)


def _allows_null(annotation: Any) -> bool:
    return type(None) in _members(annotation)


def _members(annotation: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the type itself."""
    union = isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union
    return typing.get_args(annotation) if union else (annotation,)


def _options(annotation: Any) -> tuple[Any, ...]:
    """Return the members of a union; empty if any of them cannot be checked."""
    options = _members(annotation)
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
