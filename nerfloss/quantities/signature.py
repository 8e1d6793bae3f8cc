"""The signature is the contract: which quantities a function asks for, and its settings."""

import functools
import inspect
from collections.abc import Callable
from typing import Any


def underlying(function: Callable) -> Callable:
    """The function whose signature speaks: without partials, and a module's ``forward``."""
    # partial turns parameters after a bound one keyword-only, so it must be looked through.
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "forward", function)


def plain(function: Callable) -> Callable:
    """The same function with its settings, without what a framework's own partial does per call."""
    if isinstance(function, functools.partial):
        # Hydra's kind of partial checks its target anew at every call: 350 us, measured.
        return functools.partial(function.func, *function.args, **function.keywords)
    return function


def inputs_of(function: Callable) -> tuple[str, ...]:
    """Names of the quantities that a function takes: its positional parameters, in order."""
    return tuple(
        parameter.name
        for parameter in _parameters(function)
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    )


def settings_of(function: Callable) -> dict[str, Any]:
    """Settings of a function and their defaults: its keyword-only parameters."""
    return {
        parameter.name: parameter.default
        for parameter in _parameters(function)
        if parameter.kind is parameter.KEYWORD_ONLY
    }


def _parameters(function: Callable) -> tuple[inspect.Parameter, ...]:
    """Parameters of the underlying function, without the object of a method."""
    speaks = underlying(function)
    if inspect.ismethod(speaks) and inspect.isfunction(speaks.__func__):
        return _written(speaks.__func__)[1:]
    return _written(speaks) if inspect.isfunction(speaks) else _read(speaks)


def _read(function: Callable) -> tuple[inspect.Parameter, ...]:
    return tuple(inspect.signature(function).parameters.values())


# Asked at every step, and 80 us each time; kept for functions, which do not hold models alive.
_written = functools.lru_cache(maxsize=512)(_read)
