"""Schedules of our lab."""

from collections.abc import Callable


def pulses(every: int, length: int) -> Callable[[float], float]:
    """Return a schedule that is 1 in the first ``length`` of ``every`` steps, else 0."""
    if not 0 < length <= every:
        raise ValueError(f"pulses needs 0 < length <= every, got length={length}, every={every}")
    return lambda step: float(step % every < length)
