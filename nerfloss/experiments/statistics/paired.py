"""Paired differences between two sets of runs, e.g. matched by seed, and tests of them."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy import stats

from nerfloss.experiments.statistics.intervals import Interval, confidence_interval

Key = TypeVar("Key", bound=Hashable)
# Up to 13 pairs all 2^n choices of signs are tried; for more, this number is drawn at random.
MAX_SIGN_FLIPS = 2**13


@dataclass(frozen=True)
class Paired:
    """Differences of matched scores: variant minus baseline.

    ``p_t`` is the p value of the paired t test, ``p_flip`` that of the sign-flip test; both are
    two-sided and None for fewer than 2 pairs. ``unmatched`` counts scores without a partner.
    """

    differences: tuple[float, ...]
    mean: float | None
    std: float | None
    interval: Interval | None
    p_t: float | None
    p_flip: float | None
    unmatched: int
    level: float

    @property
    def n(self) -> int:
        """The number of pairs."""
        return len(self.differences)


def paired(
    baseline: Mapping[Key, float],
    variant: Mapping[Key, float],
    *,
    level: float = 0.95,
    seed: int = 0,
) -> Paired:
    """Compare scores with equal keys: the seed, or (scene, seed).

    Two runs with the same seed see the same batches, so the part of the noise that the seed
    determines cancels in their difference; an unpaired test would count it.
    """
    keys = [key for key in baseline if key in variant]
    differences = tuple(float(variant[key]) - float(baseline[key]) for key in keys)
    several = len(differences) > 1
    return Paired(
        differences=differences,
        mean=float(np.mean(differences)) if differences else None,
        std=float(np.std(differences, ddof=1)) if several else None,
        interval=confidence_interval(differences, level=level, seed=seed),
        p_t=t_test(differences) if several else None,
        p_flip=sign_flip_test(differences, seed=seed) if several else None,
        unmatched=len(baseline.keys() ^ variant.keys()),
        level=level,
    )


def t_test(differences: Sequence[float]) -> float:
    """Return the two-sided p value of the paired t test.

    Assumes normally distributed differences. Equal differences give 1 if they are 0, else 0.
    Raises ValueError for fewer than 2.
    """
    numbers = _at_least_two(differences)
    # The variance of values that are equal up to rounding is rounding error.
    if np.ptp(numbers) <= 1e-12 * np.abs(numbers).max():
        return 0.0 if numbers.any() else 1.0
    result = stats.ttest_1samp(numbers, 0.0)
    return float(result.pvalue)  # pyright: ignore[reportAttributeAccessIssue] (missing in stubs)


def sign_flip_test(differences: Sequence[float], *, seed: int = 0) -> float:
    """Return the two-sided p value of the permutation test that flips signs.

    Assumes only that a difference and its negative are equally likely without an effect. The
    smallest possible value is ``2 / 2^n``. Raises ValueError for fewer than 2.

    Reference: Fisher, The design of experiments, 1935, section 21.
    """
    numbers = _at_least_two(differences)
    found = stats.permutation_test(
        (numbers,),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=MAX_SIGN_FLIPS,
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)


def _at_least_two(differences: Sequence[float]) -> np.ndarray:
    numbers = np.asarray(differences, dtype=np.float64)
    if len(numbers) < 2:
        raise ValueError(f"a paired test needs at least 2 pairs, got {len(numbers)}")
    return numbers
