"""Significance of differences: better, worse, not significant, or too few runs to decide."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from nerfloss.experiments.statistics.paired import Paired
from nerfloss.experiments.statistics.seed_counts import min_pairs_for_sign_flips, pairs_to_detect

Label = Literal["better", "worse", "not significant", "too few runs"]
Test = Literal["paired t", "sign flips"]
Name = TypeVar("Name")
# With 2 pairs, p < 0.05 takes a mean of 13 standard errors, and normality cannot be checked.
MIN_PAIRS = 3


@dataclass(frozen=True)
class Significance:
    """The result of a test. ``p`` is corrected for the number of ``comparisons``.

    ``p`` and ``test`` are None for too few runs. ``reason`` names the test and, if the difference
    is not significant, the number of seeds that would detect it.
    """

    label: Label
    p: float | None
    test: Test | None
    comparisons: int
    reason: str


def significance(pair: Paired, better: str) -> Significance:
    """Return the significance of one variant against its baseline.

    ``better`` is the metric's direction, "higher" or "lower"; ValueError for another one.
    """
    return significances({"variant": pair}, better)["variant"]


def significances(pairs: Mapping[Name, Paired], better: str) -> dict[Name, Significance]:
    """Return the significance of several variants against one baseline, corrected by Holm.

    The sign-flip test decides where it has enough pairs to be able to (6 for one variant at 95 %,
    8 for five), because it assumes least; otherwise the paired t test.
    """
    if better not in ("higher", "lower"):
        raise ValueError(f"a metric is better 'higher' or 'lower', got {better!r}")
    tested = {name: pair for name, pair in pairs.items() if pair.n >= MIN_PAIRS}
    comparisons = max(len(tested), 1)
    results = {name: _deciding_test(pair, comparisons) for name, pair in tested.items()}
    adjusted = dict(zip(results, holm([p for _, p in results.values()]), strict=True))
    return {
        name: _decided(pair, better, results[name][0], adjusted[name], comparisons)
        if name in tested
        else _too_few(pair, comparisons)
        for name, pair in pairs.items()
    }


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values corrected for multiple comparisons.

    The k-th smallest of m is multiplied by ``m - k + 1``; the result is monotone and at most 1.

    Reference: Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal
    of Statistics 6, 1979.
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted


def _deciding_test(pair: Paired, comparisons: int) -> tuple[Test, float]:
    """Return the test that decides and its p value; a tested pair has both."""
    assert pair.p_t is not None
    assert pair.p_flip is not None
    if pair.n >= min_pairs_for_sign_flips(level=pair.level, comparisons=comparisons):
        return "sign flips", pair.p_flip
    return "paired t", pair.p_t


def _decided(pair: Paired, better: str, test: Test, p: float, comparisons: int) -> Significance:
    assert pair.mean is not None
    assert pair.std is not None
    corrected = f", corrected for {comparisons} variants" if comparisons > 1 else ""
    tested = f"{test} over {pair.n} pairs, p = {p:.2g}{corrected}"
    if p <= 1 - pair.level:
        label: Label = "better" if (pair.mean > 0) == (better == "higher") else "worse"
        return Significance(label, p, test, comparisons, tested)
    if not any(pair.differences):
        return Significance("not significant", p, test, comparisons, "all differences are 0")
    enough = pairs_to_detect(pair.mean, pair.std, level=pair.level, comparisons=comparisons)
    needed = f"about {enough}" if enough else "more than 1000"
    reason = f"{tested}; detecting a difference of this size takes {needed} pairs"
    return Significance("not significant", p, test, comparisons, reason)


def _too_few(pair: Paired, comparisons: int) -> Significance:
    flips = min_pairs_for_sign_flips(level=pair.level)
    found = "no matching pairs" if not pair.n else f"{pair.n} pair{'s' * (pair.n > 1)}"
    reason = f"{found}: a paired t test needs {MIN_PAIRS}, a sign-flip test {flips}"
    return Significance("too few runs", None, None, comparisons, reason)
