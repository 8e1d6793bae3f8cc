"""Differences between two sets of runs that are matched, e.g. by their seed, and tests of them."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy.special import stdtr

from nerfloss.experiments.statistics import resampling as draws
from nerfloss.experiments.statistics.intervals import Interval, confidence_interval

Key = TypeVar("Key", bound=Hashable)
MOST_FLIPS = 2**14  # above, as many are drawn instead of all tried


@dataclass(frozen=True)
class Paired:
    """``differences`` are the arm's scores less the baseline's, one for each matched pair.

    ``p_t`` is of the paired t test, ``p_flip`` of the sign-flip test; both are two-sided and None
    for fewer than 2 pairs. ``unmatched`` scores had no partner and count for nothing.
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
    arm: Mapping[Key, float],
    *,
    level: float = 0.95,
    seed: int = 0,
) -> Paired:
    """Compare scores by key: the seed, or (scene, seed); what only one side has is left out.

    Two runs of one seed see the same batches, so much of what a seed does to both cancels in
    their difference; a test of unmatched means would count it as noise.
    """
    keys = [key for key in baseline if key in arm]
    differences = tuple(float(arm[key]) - float(baseline[key]) for key in keys)
    several = len(differences) > 1
    return Paired(
        differences=differences,
        mean=float(np.mean(differences)) if differences else None,
        std=float(np.std(differences, ddof=1)) if several else None,
        interval=confidence_interval(differences, level=level, seed=seed),
        p_t=t_test(differences) if several else None,
        p_flip=sign_flip_test(differences, seed=seed) if several else None,
        unmatched=len(baseline.keys() ^ arm.keys()),
        level=level,
    )


def t_test(differences: Sequence[float]) -> float:
    """Two-sided p of ``mean / (s / sqrt(n))`` under the t distribution with n - 1 degrees.

    Takes differences to be normal. 1 where all are 0; 0 where all are equal to another number.
    Raises ValueError for fewer than 2.
    """
    numbers = _several(differences)
    mean, error = numbers.mean(), numbers.std(ddof=1) / math.sqrt(len(numbers))
    if error == 0:
        return 1.0 if mean == 0 else 0.0
    return float(2 * stdtr(len(numbers) - 1, -abs(mean) / error))


def sign_flip_test(differences: Sequence[float], *, seed: int = 0) -> float:
    """Two-sided p: the share of all choices of signs whose mean is as far from 0 as this one.

    Takes differences to be as likely negative as positive where nothing is the matter, and no
    more. It cannot fall below ``2 / 2^n``. Above 14 pairs as many signs are drawn at random.
    Raises ValueError for fewer than 2.

    Reference: Fisher, The design of experiments, 1935, section 21.
    """
    numbers = _several(differences)
    n = len(numbers)
    exact = 2**n <= MOST_FLIPS
    tried = draws.signs(n, None if exact else MOST_FLIPS, seed)
    means = np.abs(tried @ numbers) / n
    # Equal sums that were added in another order differ in their last digits.
    reached = int((means >= abs(numbers.mean()) * (1 - 1e-9)).sum())
    return reached / len(tried) if exact else (reached + 1) / (len(tried) + 1)


def _several(differences: Sequence[float]) -> np.ndarray:
    numbers = np.asarray(differences, dtype=np.float64)
    if len(numbers) < 2:
        raise ValueError(f"a paired test needs at least 2 pairs, got {len(numbers)}")
    return numbers
