"""Conditions on the settings of a loss, with error messages that name the values."""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Condition:
    """A condition on one or more settings, e.g. ``sigma > 0``.

    Args:
        settings: names of the settings that it depends on.
        text: the condition in words, for the error message: ``<loss> needs <text>, got ...``.
        holds: returns True for valid values, which it takes in the order of ``settings``.
    """

    settings: tuple[str, ...]
    text: str
    holds: Callable[..., bool]

    def fault(self, loss: str, values: Mapping[str, Any]) -> str | None:
        """Return an error message, naming the loss and the values, or None where it holds."""
        own = {name: values[name] for name in self.settings}
        if self.holds(*own.values()):
            return None
        got = ", ".join(f"{name}={value}" for name, value in own.items())
        return f"{loss} needs {self.text}, got {got}"


def condition(text: str, holds: Callable[..., bool]) -> Condition:
    """Return a condition on the settings that the parameters of ``holds`` name.

    ``condition("lower <= upper", lambda lower, upper: lower <= upper)``
    """
    return Condition(tuple(inspect.signature(holds).parameters), text, holds)


def positive(setting: str) -> Condition:
    """Return the condition that a number is above 0; NaN is not."""
    return Condition((setting,), f"{setting} > 0", lambda value: value > 0)


def not_negative(setting: str) -> Condition:
    """Return the condition that a number is 0 or more; NaN is not."""
    return Condition((setting,), f"{setting} >= 0", lambda value: value >= 0)


def finite(setting: str) -> Condition:
    """Return the condition that a number is neither infinite nor NaN."""
    return Condition((setting,), f"a finite {setting}", math.isfinite)


def count(setting: str) -> Condition:
    """Return the condition that a value is an integer of at least 1; True is none."""
    return Condition((setting,), f"an integer {setting} >= 1", lambda n: _integer(n) and n >= 1)


def odd(setting: str) -> Condition:
    """Return the condition that an integer is odd, so that a window has a centre pixel."""
    return Condition((setting,), f"an odd {setting}", lambda size: size % 2 == 1)


def clamp_margin(setting: str) -> Condition:
    """Return the condition that ``[eps, 1 - eps]`` is an interval inside (0, 1)."""
    text = f"0 < {setting} < 0.5 to clamp to [{setting}, 1 - {setting}]"
    return Condition((setting,), text, lambda eps: 0 < eps < 0.5)


def check_settings(loss: str, values: Mapping[str, Any], *conditions: Condition) -> None:
    """Raise ValueError at the first condition that does not hold.

    A loss that is a module calls it in ``__init__``; for a function the recipe checks what
    ``requires`` declares.
    """
    for each in conditions:
        fault = each.fault(loss, values)
        if fault is not None:
            raise ValueError(fault)


def _integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
