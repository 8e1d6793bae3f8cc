"""How many seeds it takes: for a test to be able to say anything, and to see an effect."""

import math

from scipy.special import nctdtr

from nerfloss.experiments.statistics.intervals import critical_t

MOST = 1000


def fewest_for_sign_flips(*, level: float = 0.95, arms: int = 1) -> int:
    """Pairs from which on a sign-flip test can be significant: ``2 / 2^n <= (1 - level) / arms``.

    6 at a level of 95 % for one arm: three seeds cannot bring p below 0.25.
    """
    return math.ceil(math.log2(2 * arms / (1 - level)) - 1e-9)


def seeds_to_see(
    mean: float, std: float, *, level: float = 0.95, arms: int = 1, power: float = 0.8
) -> int | None:
    """Pairs with which a paired t test finds a difference of this mean and deviation.

    In ``power`` of all cases, at ``level``, for the smallest of ``arms`` p values (Holm). None
    where that takes more than 1000. Powers beyond the far side of 0 are left out.
    """
    if std == 0 or mean == 0:
        return 3 if mean != 0 else None
    strict = 1 - (1 - level) / arms
    effect = abs(mean) / std

    def seen(n: int) -> bool:
        return 1 - float(nctdtr(n - 1, math.sqrt(n) * effect, critical_t(n, strict))) >= power

    if not seen(MOST):
        return None
    low, high = 2, MOST
    if seen(low):
        return low
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if seen(middle) else (middle, high)
    return high
