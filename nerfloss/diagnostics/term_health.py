"""The health of a term: whether its gradient still does something, beside what it used to do."""

import math
from collections import deque
from statistics import median

OK, DEAD, VANISHING, EXPLODING, NON_FINITE = "ok", "dead", "vanishing", "exploding", "non-finite"
# Fewer earlier looks make no median to speak of.
ENOUGH = 3


class Health:
    """Judges one term by the lengths of its gradient, look after look.

    ``dead``: 0 in that many looks on end. ``vanishing`` and ``exploding``: below, or above, so many
    times the median of the last ``window`` lengths that were neither 0 nor infinite. So a gradient
    that stays at its new size is healthy again once half of the window has it.
    """

    def __init__(
        self,
        *,
        dead: int = 3,
        vanishing: float | int = 1e-3,
        exploding: float | int = 100.0,
        window: int = 20,
    ) -> None:
        if dead < 1 or window < ENOUGH or not 0 <= vanishing < 1 < exploding:
            raise ValueError(
                f"diagnostics needs dead >= 1, window >= {ENOUGH} and 0 <= vanishing < 1 < "
                f"exploding, got {dead}, {window}, {vanishing} and {exploding}"
            )
        self.dead, self.vanishing, self.exploding = dead, vanishing, exploding
        self._lengths: deque[float] = deque(maxlen=window)
        self._zeros = 0

    def judge(self, length: float | int) -> str:
        """The verdict on a gradient of this length, which is then remembered."""
        if not math.isfinite(length):
            return NON_FINITE
        self._zeros = self._zeros + 1 if length == 0 else 0
        if length == 0:
            return DEAD if self._zeros >= self.dead else OK
        usual = median(self._lengths) if len(self._lengths) >= ENOUGH else length
        self._lengths.append(length)
        if length < self.vanishing * usual:
            return VANISHING
        return EXPLODING if length > self.exploding * usual else OK
