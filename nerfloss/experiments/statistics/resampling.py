"""Random draws that many tests share: which values a resample takes, which signs are flipped.

They depend on the number of values alone, so thousands of comparisons over ten seeds each draw
once.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Float

MOST_KEPT = 64  # values; draws of more are large, and comparisons of so many are few


def resamples(n: int, count: int, seed: int) -> Float[np.ndarray, "count n"]:
    """The share that each of ``n`` values has in each resample: times the values, its mean."""
    return (_resamples if n <= MOST_KEPT else _resamples.__wrapped__)(n, count, seed)


def signs(n: int, count: int | None, seed: int) -> Float[np.ndarray, "choices n"]:
    """Choices of n signs: ``count`` at random, or all ``2^n`` where it is None."""
    return (_signs if n <= MOST_KEPT else _signs.__wrapped__)(n, count, seed)


@lru_cache(maxsize=8)
def _resamples(n: int, count: int, seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).integers(n, size=(count, n))
    drawn += n * np.arange(count)[:, None]
    return np.bincount(drawn.ravel(), minlength=count * n).reshape(count, n) / n


@lru_cache(maxsize=8)
def _signs(n: int, count: int | None, seed: int) -> np.ndarray:
    if count is None:
        bits = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    else:
        bits = np.random.default_rng(seed).integers(2, size=(count, n))
    return 1.0 - 2.0 * bits
