"""What is wrong with a term's settings, found when its recipe is built and not while it trains."""

import functools
import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from nerfloss.quantities.signature import settings_of, underlying

# What may stand where an annotation asks for a plain value; True is no number here.
_PLAIN = {float: (int, float), int: (int,), bool: (bool,), str: (str,)}


def faults_of_values(term: str, fn: Callable) -> Iterator[str]:
    """Say what is wrong with the settings of a plain function, by the full key of each.

    A setting's value must be of its annotated kind (numbers, words, a Literal's choices). Then the
    function ``_check_<name>`` beside the function, if there is one, is called with all settings:
    it raises ValueError for values that cannot work.
    """
    function = underlying(fn)
    if not isinstance(function, types.FunctionType):
        return  # a module has checked its settings when it was made
    bound = fn.keywords if isinstance(fn, functools.partial) else {}
    settings = settings_of(function) | dict(bound)
    if inspect.Parameter.empty in settings.values() or settings.keys() - settings_of(function):
        return  # one is missing or unknown, which is reported already
    kinds = {name: _kind(function, name) for name in settings}
    wrong = {name for name, value in settings.items() if not _is(value, kinds[name])}
    for name in sorted(wrong):
        yield f"{key_of(term, name)} is {settings[name]!r}, but has to be {_said(kinds[name])}"
    if not wrong:
        yield from _faults_found(term, fn, settings)


def _faults_found(term: str, fn: Callable, settings: Mapping[str, Any]) -> Iterator[str]:
    check = companion("check", fn)
    if check is None:
        return
    try:
        check()
    except ValueError as error:
        named = [name for name in settings if re.search(rf"\b{re.escape(name)}\b", str(error))]
        keys = ", ".join(key_of(term, name) for name in named or settings)
        yield f"{error} ({keys})"


def companion(prefix: str, fn: Callable) -> functools.partial | None:
    """The function ``_<prefix>_<name>`` beside a plain one, with those settings that it takes.

    The settings are those that ``fn`` is called with: its defaults, and what a partial binds. None
    where there is no such function.
    """
    function = underlying(fn)
    module = sys.modules.get(getattr(function, "__module__", ""))
    beside = getattr(module, f"_{prefix}_{getattr(function, '__name__', '')}", None)
    if beside is None:
        return None
    bound = fn.keywords if isinstance(fn, functools.partial) else {}
    settings = settings_of(function) | dict(bound)
    taken = {name: settings[name] for name in settings_of(beside) if name in settings}
    return functools.partial(beside, **taken)


def key_of(term: str, setting: str) -> str:
    """Where the setting lies in a run's configuration."""
    return f"loss.terms.{term}.fn.{setting}"


def _kind(function: Callable, setting: str) -> Any:
    return inspect.signature(function).parameters[setting].annotation


def _is(value: Any, kind: Any) -> bool:
    """Whether a value is of an annotated kind, as far as the kind is a plain one."""
    if kind in _PLAIN:
        return isinstance(value, _PLAIN[kind]) and (kind is bool or not isinstance(value, bool))
    if typing.get_origin(kind) is typing.Literal:
        return value in typing.get_args(kind)
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return any(_is(value, each) for each in typing.get_args(kind))
    return value is None if kind is types.NoneType else True


def _said(kind: Any) -> str:
    if typing.get_origin(kind) is typing.Literal:
        return f"one of {', '.join(map(repr, typing.get_args(kind)))}"
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return " or ".join(_said(each) for each in typing.get_args(kind))
    words = {float: "a number", int: "a whole number", bool: "true or false", str: "a word"}
    return words.get(kind, "null" if kind is types.NoneType else f"of type {kind}")
