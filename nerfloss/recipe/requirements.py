"""Protocols by which a recipe reads the requirements that a loss declares."""

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

from nerfloss.quantities.signature import settings_of


@runtime_checkable
class Size(Protocol):
    """A size of a batch as a function of the values of a loss's settings."""

    @property
    def settings(self) -> tuple[str, ...]:
        """Names of the settings that decide the size."""
        ...

    def __call__(self, values: Mapping[str, Any], /) -> int:
        """Return the size for the values of all settings."""
        ...


@runtime_checkable
class Requirements(Protocol):
    """Requirements of a loss on its settings and on the batch."""

    @property
    def smallest_patch(self) -> Size:
        """Pixels per side of the smallest patch on which the loss is defined."""
        ...

    @property
    def fewest_rays(self) -> Size:
        """Fewest rays per batch for which the loss is defined."""
        ...

    @property
    def most_rays(self) -> Size:
        """Most rays of which the loss takes all, not a sample; 0: any number."""
        ...

    @property
    def smallest_image(self) -> Size:
        """Pixels per side of the smallest images on which the loss is defined."""
        ...

    @property
    def approximate_gradient(self) -> str:
        """Reason why the gradient of the loss is not exact; empty where it is."""
        ...

    @property
    def value_axes(self) -> str:
        """Name of the axes of its values, where these are not the pixels or samples it takes."""
        ...

    def faults(self, values: Mapping[str, Any], /) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield a message for each violated condition, with the names of its settings."""
        ...


@runtime_checkable
class Declaring(Protocol):
    """A loss, function or module, that declares requirements."""

    @property
    def requirements(self) -> Requirements:
        """Requirements of this loss."""
        ...


def requirements_of(fn: Callable) -> Requirements | None:
    """Return the requirements that a loss declares, also through partials; None without any."""
    loss = _without_partials(fn)
    return loss.requirements if isinstance(loss, Declaring) else None


def setting_values(fn: Callable) -> dict[str, Any]:
    """Return all settings of a loss: those that a partial binds, and the defaults of the others."""
    bound = fn.keywords if isinstance(fn, functools.partial) else {}
    return settings_of(fn) | dict(bound)


def setting_key(term: str, setting: str) -> str:
    """Return the key of a term's setting in the configuration of a run."""
    return f"loss.terms.{term}.fn.{setting}"


def _without_partials(fn: Callable) -> Callable:
    while isinstance(fn, functools.partial):
        fn = fn.func
    return fn
