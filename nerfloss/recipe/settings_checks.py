"""Checks of the settings of a recipe's terms: their types, and the conditions of their losses."""

import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from nerfloss.quantities.signature import settings_of, underlying
from nerfloss.recipe.requirements import requirements_of, setting_key, setting_values

# Types accepted for an annotation. bool is a subclass of int, but not accepted as a number.
ACCEPTED = {float: (int, float), int: (int,), bool: (bool,), str: (str,)}
TYPE_NAMES = {
    float: "a number",
    int: "an integer",
    bool: "true or false",
    str: "a string",
    types.NoneType: "null",
}


def faults_of_values(term: str, fn: Callable) -> Iterator[str]:
    """Yield a message, with the configuration key, for each invalid setting of a loss function.

    Types are checked against the annotations (numbers, strings, booleans, the choices of a
    Literal); where all are right, the conditions that the loss declares are checked. Modules check
    their settings when they are constructed.
    """
    function = underlying(fn)
    if not isinstance(function, types.FunctionType):
        return
    values, annotations = setting_values(fn), _annotations(function)
    if inspect.Parameter.empty in values.values() or values.keys() - annotations.keys():
        return  # missing and unknown settings have messages of their own
    wrong = [name for name in sorted(values) if not _has_type(values[name], annotations[name])]
    for name in wrong:
        expected = _describe(annotations[name])
        yield f"{setting_key(term, name)} is {values[name]!r}, but has to be {expected}"
    if not wrong:
        yield from _violated_conditions(term, fn, values)


def _violated_conditions(term: str, fn: Callable, values: Mapping[str, Any]) -> Iterator[str]:
    requirements = requirements_of(fn)
    if requirements is None:
        return
    for fault, settings in requirements.faults(values):
        yield f"{fault} ({', '.join(setting_key(term, name) for name in settings)})"


def _annotations(function: Callable) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters
    return {name: parameters[name].annotation for name in settings_of(function)}


def _has_type(value: Any, annotation: Any) -> bool:
    """Return False where a value contradicts an annotation; True for types that are not checked."""
    if annotation in ACCEPTED:
        boolean = isinstance(value, bool)
        return isinstance(value, ACCEPTED[annotation]) and boolean == (annotation is bool)
    if typing.get_origin(annotation) is typing.Literal:
        return value in typing.get_args(annotation)
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return any(_has_type(value, each) for each in typing.get_args(annotation))
    return value is None if annotation is types.NoneType else True


def _describe(annotation: Any) -> str:
    if typing.get_origin(annotation) is typing.Literal:
        return f"one of {', '.join(map(repr, typing.get_args(annotation)))}"
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return " or ".join(_describe(each) for each in typing.get_args(annotation))
    return TYPE_NAMES.get(annotation, f"of type {annotation}")
