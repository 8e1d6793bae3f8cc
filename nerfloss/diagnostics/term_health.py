"""Health of a term: dead, vanishing or exploding gradients, by their recent norms."""

import math
from collections import deque
from statistics import median

OK, DEAD, VANISHING, EXPLODING, NON_FINITE = "ok", "dead", "vanishing", "exploding", "non-finite"
# Fewest earlier norms for a median.
MINIMUM = 3


class Health:
    """Classify one term by the norms of its gradient in successive measurements.

    ``dead``: the norm was 0 in this many measurements in a row. ``vanishing`` and ``exploding``: it
    is below, or above, this factor times the median of the last ``window`` norms that were neither
    0 nor infinite. A gradient that keeps a new size is healthy again after half of the window.
    """

    def __init__(
        self,
        *,
        dead: int = 3,
        vanishing: float | int = 1e-3,
        exploding: float | int = 100.0,
        window: int = 20,
    ) -> None:
        if dead < 1 or window < MINIMUM or not 0 <= vanishing < 1 < exploding:
            raise ValueError(
                f"diagnostics needs dead >= 1, window >= {MINIMUM} and 0 <= vanishing < 1 < "
                f"exploding, got {dead}, {window}, {vanishing} and {exploding}"
            )
        self.dead, self.vanishing, self.exploding = dead, vanishing, exploding
        self._norms: deque[float] = deque(maxlen=window)
        self._zeros = 0

    def classify(self, norm: float | int) -> str:
        """Return the health for a gradient of this norm, and store the norm."""
        if not math.isfinite(norm):
            return NON_FINITE
        self._zeros = self._zeros + 1 if norm == 0 else 0
        if norm == 0:
            return DEAD if self._zeros >= self.dead else OK
        usual = median(self._norms) if len(self._norms) >= MINIMUM else norm
        self._norms.append(norm)
        if norm < self.vanishing * usual:
            return VANISHING
        return EXPLODING if norm > self.exploding * usual else OK
