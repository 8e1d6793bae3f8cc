"""Numbers of seeds that a test needs: to reach significance at all, and to detect an effect."""

import math

import numpy as np
from scipy import stats

MAX_PAIRS = 1000


def min_pairs_for_sign_flips(*, level: float = 0.95, comparisons: int = 1) -> int:
    """Return the fewest pairs with which a sign-flip test can be significant.

    The smallest n with ``2 / 2^n <= (1 - level) / comparisons``: 6 at 95 % for one comparison.
    """
    return math.ceil(math.log2(2 * comparisons / (1 - level)) - 1e-9)


def pairs_to_detect(
    mean: float, std: float, *, level: float = 0.95, comparisons: int = 1, power: float = 0.8
) -> int | None:
    """Return the number of pairs with which a paired t test detects a difference.

    ``mean`` and ``std`` describe the differences; ``power`` is the probability of detection at
    ``level``, corrected for the smallest of several p values (Holm). None for more than 1000
    pairs. The far tail of the two-sided test is neglected.
    """
    if std == 0 or mean == 0:
        return 3 if mean != 0 else None
    n = np.arange(2, MAX_PAIRS + 1)
    critical = stats.t.isf(0.5 * (1 - level) / comparisons, n - 1)
    detected = stats.nct.sf(critical, n - 1, np.sqrt(n) * abs(mean) / std) >= power
    return int(n[detected.argmax()]) if detected.any() else None
