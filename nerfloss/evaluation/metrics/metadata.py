"""Declaration of a metric's unit and better direction, made at the metric itself."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

from nerfloss.quantities.signature import settings_of

Better = Literal["higher", "lower"]
Function = TypeVar("Function", bound=Callable[..., Any])

SCENE_UNITS = "scene units"
SQUARED_SCENE_UNITS = "scene units, squared"
DEGREES = "degrees"
RATIO = ""  # without a unit


@runtime_checkable
class Metric(Protocol):
    """A metric: positional parameters are quantities by name, keyword-only ones are settings."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return one number: a float, or a tensor that holds one."""
        ...


@runtime_checkable
class DeclaredMetric(Protocol):
    """A metric that declares its ``unit`` and which direction is ``better``.

    Functions get the two members from the decorator `metric`; an nn.Module has them as members of
    its class.
    """

    unit: str | None
    better: Better | None


@runtime_checkable
class OptionalMetric(Protocol):
    """A metric that an evaluation leaves out where ``is_measured`` returns False."""

    def is_measured(self) -> bool: ...


@dataclass(frozen=True)
class MetricMetadata:
    """Unit (``""`` for a ratio) and better direction of a metric; None where not declared."""

    unit: str | None = None
    better: Better | None = None

    @property
    def conventions(self) -> dict[str, Any]:
        """Entries for the conventions of a score in metrics.json."""
        return {"units": self.unit, "better": self.better}


def metric(*, unit: str | None, better: Better | None) -> Callable[[Function], Function]:
    """Declare the unit of a metric's value, and whether "higher" or "lower" is better.

    Without a better direction (None) no comparison judges the metric.
    """
    if better not in ("higher", "lower", None):
        raise ValueError(f"a metric is better 'higher', 'lower' or None, got {better!r}")

    def declare(function: Function) -> Function:
        function.__dict__.update(unit=unit, better=better)
        return function

    return declare


def metadata_of(metric: Metric) -> MetricMetadata:
    """Return what a metric declares, through bound settings; nothing where it declares nothing."""
    function: Any = metric
    while isinstance(function, functools.partial):
        function = function.func
    if isinstance(function, DeclaredMetric):
        return MetricMetadata(function.unit, function.better)
    return MetricMetadata()


def measured(metrics: Mapping[str, Metric], key: str) -> dict[str, Metric]:
    """Return the metrics without the optional ones that cannot be measured here.

    Raises ValueError, with its ``key`` in the configuration, for what is no function.
    """
    for name, metric in metrics.items():
        if not callable(metric):
            raise ValueError(
                f"{key}.{name}={metric} is no function: to leave a metric out, write "
                f"'~{key}.{name}'"
            )
    return {
        name: metric
        for name, metric in metrics.items()
        if not isinstance(metric, OptionalMetric) or metric.is_measured()
    }


def settings_used(metric: Metric) -> dict[str, Any]:
    """Return the settings that a metric is called with: its defaults, or what a partial binds."""
    bound = metric.keywords if isinstance(metric, functools.partial) else {}
    return {**settings_of(metric), **bound}
