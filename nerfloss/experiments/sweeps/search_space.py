"""Search space of a study: one dimension for every swept override."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep

LOG = "log"


@dataclass(frozen=True)
class Dimension:
    """Numbers from ``low`` to ``high``, both included, or one of the ``choices``.

    With ``step``: ``low`` plus multiples of it; with ``log``: uniform in the logarithm.
    """

    low: int | float | None = None
    high: int | float | None = None
    step: int | float | None = None
    log: bool = False
    choices: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return plain values, for comparison with a stored study."""
        return {**asdict(self), "choices": list(self.choices)}


def search_space(overrides: Sequence[Override]) -> dict[str, Dimension]:
    """Return the dimensions of the swept overrides by key. Raises ValueError."""
    return {
        each.get_key_element(): _dimension(each) for each in overrides if each.is_sweep_override()
    }


def _dimension(override: Override) -> Dimension:
    value, key = override.value(), override.get_key_element()
    if isinstance(value, IntervalSweep):
        assert value.start is not None
        assert value.end is not None
        return _numbers(key, value.start, value.end, None, value.tags)
    if isinstance(value, RangeSweep):
        numbers = list(value.range())
        if not numbers:
            raise ValueError(f"{key}: range({value.start}, {value.stop}, {value.step}) is empty")
        low, high = min(numbers), max(numbers)
        return _numbers(key, low, high, abs(value.step), value.tags)
    return Dimension(choices=tuple(override.sweep_string_iterator()))


def _numbers(
    key: str, low: int | float, high: int | float, step: int | float | None, tags: set[str]
) -> Dimension:
    unknown = sorted(tags - {LOG})
    if unknown:
        raise ValueError(f"{key}: unknown tag '{unknown[0]}': the only tag is '{LOG}'")
    if not low <= high or (LOG in tags and low <= 0):
        condition = "0 < low <= high" if LOG in tags else "low <= high"
        raise ValueError(f"{key}: an interval needs {condition}, got low={low}, high={high}")
    if LOG in tags and step is not None:
        raise ValueError(f"{key}: a range with equal steps has no tag '{LOG}': use an interval")
    return Dimension(low, high, step, LOG in tags)
