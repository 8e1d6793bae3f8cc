"""Declaration of a metric's unit, better direction and range, made at the metric itself."""

import functools
import math
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
# Ranges: the least and the greatest value; None is no bound.
FRACTION = (0.0, 1.0)
CORRELATION = (-1.0, 1.0)
ANGLE = (0.0, 180.0)
NOT_NEGATIVE = (0.0, None)
UNBOUNDED = (None, None)
ROUNDING = 1e-5  # of a mean over an image in float32, relative


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
class RangedMetric(Protocol):
    """A metric that declares the least and the greatest value that it can have.

    None is no bound.
    """

    range: tuple[float | None, float | None]


@runtime_checkable
class OptionalMetric(Protocol):
    """A metric that an evaluation leaves out where ``is_measured`` returns False."""

    def is_measured(self) -> bool: ...


@dataclass(frozen=True)
class MetricMetadata:
    """Unit (``""`` for a ratio), better direction and range; None where not declared."""

    unit: str | None = None
    better: Better | None = None
    range: tuple[float | None, float | None] | None = None

    @property
    def conventions(self) -> dict[str, Any]:
        """Entries for the conventions of a score in metrics.json."""
        declared = {} if self.range is None else {"range": list(self.range)}
        return {"units": self.unit, "better": self.better, **declared}

    def fault_of(self, value: float) -> str | None:
        """Return how a value contradicts the range; None if it does not, or is not finite.

        Values beyond a bound by the rounding of float32 are no fault.
        """
        low, high = self.range or (None, None)
        if not math.isfinite(value):
            return None
        below = low is not None and value < low - ROUNDING * max(1.0, abs(low))
        above = high is not None and value > high + ROUNDING * max(1.0, abs(high))
        if not (below or above):
            return None
        shown = f"{'-inf' if low is None else low} to {'inf' if high is None else high}"
        return f"the value {value:.6g} is outside of the declared range {shown}"


def metric(
    *,
    unit: str | None,
    better: Better | None,
    range: tuple[float | None, float | None] | None = None,
) -> Callable[[Function], Function]:
    """Declare the unit of a metric's value, and whether "higher" or "lower" is better.

    Without a better direction (None) no comparison judges the metric. ``range`` is the least and
    the greatest value, None for no bound: an evaluation gives no score to a value outside of it.
    Raises ValueError for another direction, and for a range without values.
    """
    if better not in ("higher", "lower", None):
        raise ValueError(f"a metric is better 'higher', 'lower' or None, got {better!r}")
    low, high = range or (None, None)
    if low is not None and high is not None and not low < high:
        raise ValueError(f"the range of a metric begins below its end, got {range}")

    def declare(function: Function) -> Function:
        function.__dict__.update(unit=unit, better=better)
        if range is not None:
            function.__dict__["range"] = range
        return function

    return declare


def metadata_of(metric: Metric) -> MetricMetadata:
    """Return what a metric declares, through bound settings; nothing where it declares nothing."""
    function: Any = metric
    while isinstance(function, functools.partial):
        function = function.func
    if isinstance(function, DeclaredMetric):
        bounds = function.range if isinstance(function, RangedMetric) else None
        return MetricMetadata(function.unit, function.better, bounds)
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
