"""Summary of the scores of several runs: mean, standard deviation, confidence interval."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from nerfloss.experiments.statistics.intervals import Interval, confidence_interval


@dataclass(frozen=True)
class Summary:
    """``std`` is the sample's (n - 1); it and the ``interval`` of the mean are None for one run."""

    n: int
    mean: float
    std: float | None
    interval: Interval | None
    level: float

    @property
    def text(self) -> str:
        """The summary as text: ``31 ± 1.4 (95 %: 18.3 to 43.7)``, or ``31 (one run)``."""
        if self.std is None or self.interval is None:
            return f"{self.mean:.5g} (one run)"
        low, high = format_interval(self.interval)
        return f"{self.mean:.5g} ± {self.std:.2g} ({100 * self.level:g} %: {low} to {high})"


def summary(values: Sequence[float], *, level: float = 0.95, seed: int = 0) -> Summary:
    """Return mean, sample standard deviation and confidence interval of the mean.

    Raises ValueError if there is no value, or one that is not finite.
    """
    if not values:
        raise ValueError("a summary needs at least one value, got none: did any run finish?")
    if not all(math.isfinite(value) for value in values):
        raise ValueError(f"a summary needs finite values, got {list(values)}: leave others out")
    return Summary(
        n=len(values),
        mean=statistics.fmean(values),
        std=statistics.stdev(values) if len(values) > 1 else None,
        interval=confidence_interval(values, level=level, seed=seed),
        level=level,
    )


def format_interval(interval: Interval) -> tuple[str, str]:
    """Return both ends as text, with as many digits as distinguish them."""
    width = interval.high - interval.low
    if width == 0:
        return f"{interval.low:.5g}", f"{interval.high:.5g}"
    digits = 2 - math.floor(math.log10(width))
    digits = min(max(digits, 0), 12)
    return f"{interval.low:.{digits}f}", f"{interval.high:.{digits}f}"
