"""Signatures as contracts: the quantities that a function takes, and its settings."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, Protocol, cast, runtime_checkable


@runtime_checkable
class _Module(Protocol):
    """A torch module, or a class of modules: its signature is that of ``forward``."""

    def forward(self, *args: Any) -> Any: ...


def underlying(function: Callable) -> Callable:
    """Return the function inside of partials; for a module its ``forward``."""
    # partial turns parameters after a bound one keyword-only, so its own signature is of no use.
    while isinstance(function, functools.partial):
        function = function.func
    if _is_module(function if isinstance(function, type) else type(function)):
        return cast(_Module, function).forward
    return function


def plain(function: Callable) -> Callable:
    """Return a partial as one of functools, which adds no cost per call; others as they are."""
    if isinstance(function, functools.partial):
        # Hydra's subclass of partial checks its target at every call, which takes 350 us.
        return functools.partial(function.func, *function.args, **function.keywords)
    return function


def inputs_of(function: Callable) -> tuple[str, ...]:
    """Return the names of the quantities a function takes: its positional parameters, in order."""
    return tuple(
        parameter.name
        for parameter in _parameters(function)
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    )


def settings_of(function: Callable) -> dict[str, Any]:
    """Return the settings of a function and their defaults: its keyword-only parameters."""
    return {
        parameter.name: parameter.default
        for parameter in _parameters(function)
        if parameter.kind is parameter.KEYWORD_ONLY
    }


# A check against a Protocol takes 5 us.
@functools.lru_cache(maxsize=512)
def _is_module(kind: type) -> bool:
    return issubclass(kind, _Module)


def _parameters(function: Callable) -> tuple[inspect.Parameter, ...]:
    """Return the parameters of the underlying function, without the ``self`` of a method."""
    inner = underlying(function)
    if inspect.ismethod(inner) and inspect.isfunction(inner.__func__):
        return _cached_signature(inner.__func__)[1:]
    return _cached_signature(inner) if inspect.isfunction(inner) else _signature(inner)


def _signature(function: Callable) -> tuple[inspect.Parameter, ...]:
    return tuple(inspect.signature(function).parameters.values())


# Used at every step, and inspection takes 80 us. Only for functions: a cached bound method would
# keep its module alive.
_cached_signature = functools.lru_cache(maxsize=512)(_signature)
