"""Checks of a balancer's settings; each error names the key, the value and the valid range."""

from typing import TypeGuard


def require_between(low: float | int, high: float | int, **settings: object) -> None:
    """Raise ValueError unless every setting is a number from ``low`` to ``high``, inclusive."""
    for name, value in settings.items():
        if not (_is_number(value) and low <= value <= high):
            raise ValueError(
                f"loss.balancer.{name} has to be a number from {low:g} to {high:g}, got {value!r}"
            )


def require_above(low: float | int, **settings: object) -> None:
    """Raise ValueError unless every setting is a finite number above ``low``."""
    for name, value in settings.items():
        if not (_is_number(value) and low < value < float("inf")):
            raise ValueError(
                f"loss.balancer.{name} has to be a finite number above {low:g}, got {value!r}"
            )


def require_whole(low: int, **settings: object) -> None:
    """Raise ValueError unless every setting is a whole number, ``low`` or more."""
    for name, value in settings.items():
        if not (_is_number(value) and isinstance(value, int) and value >= low):
            raise ValueError(
                f"loss.balancer.{name} has to be a whole number from {low}, got {value!r}"
            )


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
