"""Whether a difference is real, in words: better, worse, inside the noise, or too few runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from nerfloss.experiments.statistics.paired import Paired
from nerfloss.experiments.statistics.seed_counts import fewest_for_sign_flips, seeds_to_see

Word = Literal["better", "worse", "inside the noise", "too few runs to say"]
Name = TypeVar("Name")
# With 2, p < 0.05 takes a mean of 13 standard errors, and nobody could see what breaks the test.
FEWEST_PAIRS = 3


@dataclass(frozen=True)
class Verdict:
    """``p`` is corrected for the number of ``arms``; it and ``test`` are None for too few runs.

    ``reason`` says what was tested and, where nothing was found, how many seeds it would take.
    """

    word: Word
    p: float | None
    test: Literal["paired t", "sign flips"] | None
    arms: int
    reason: str


def verdict(pair: Paired, better: str) -> Verdict:
    """The verdict on one arm against its baseline; ``better`` is the metric's direction.

    Raises ValueError for a direction that is neither "higher" nor "lower".
    """
    return verdicts({"arm": pair}, better)["arm"]


def verdicts(pairs: Mapping[Name, Paired], better: str) -> dict[Name, Verdict]:
    """Verdicts on several arms against one baseline, p values corrected by Holm's method.

    Sign flips decide as soon as there are enough pairs for them to be able to (6 for one arm at
    95 %, 8 for five), because they assume least. Below that a paired t test does: it takes
    differences to be normal, which so few cannot contradict.
    """
    if better not in ("higher", "lower"):
        raise ValueError(f"a metric is better 'higher' or 'lower', got {better!r}")
    tested = {name: pair for name, pair in pairs.items() if pair.n >= FEWEST_PAIRS}
    arms = max(len(tested), 1)
    found = {name: _decisive(pair, arms) for name, pair in tested.items()}
    adjusted = dict(zip(found, holm([p for _, p in found.values()]), strict=True))
    return {
        name: _judged(pair, better, found[name][0], adjusted[name], arms)
        if name in tested
        else _too_few(pair, arms)
        for name, pair in pairs.items()
    }


def holm(p_values: Sequence[float]) -> list[float]:
    """P values corrected for there being several: the chance of one false alarm keeps the level.

    The k-th smallest of m is multiplied by ``m - k + 1``, and none falls below one before it.

    Reference: Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal
    of Statistics 6, 1979.
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted


def _decisive(pair: Paired, arms: int) -> tuple[Literal["paired t", "sign flips"], float]:
    """The test that decides and its p; tested pairs have both."""
    assert pair.p_t is not None
    assert pair.p_flip is not None
    if pair.n >= fewest_for_sign_flips(level=pair.level, arms=arms):
        return "sign flips", pair.p_flip
    return "paired t", pair.p_t


def _judged(
    pair: Paired,
    better: str,
    test: Literal["paired t", "sign flips"],
    p: float,
    arms: int,
) -> Verdict:
    assert pair.mean is not None
    assert pair.std is not None
    corrected = f", corrected for {arms} arms" if arms > 1 else ""
    tested = f"{test} over {pair.n} pairs, p = {p:.2g}{corrected}"
    if p <= 1 - pair.level:
        word: Word = "better" if (pair.mean > 0) == (better == "higher") else "worse"
        return Verdict(word, p, test, arms, tested)
    if not any(pair.differences):
        return Verdict("inside the noise", p, test, arms, "every pair scored the same")
    enough = seeds_to_see(pair.mean, pair.std, level=pair.level, arms=arms)
    needed = f"about {enough}" if enough else "more than 1000"
    reason = f"{tested}; a difference of this size would take {needed} pairs to see"
    return Verdict("inside the noise", p, test, arms, reason)


def _too_few(pair: Paired, arms: int) -> Verdict:
    flips = fewest_for_sign_flips(level=pair.level)
    have = "no pair of runs matches" if not pair.n else f"{pair.n} pair{'s' * (pair.n > 1)}"
    reason = f"{have}: a paired t test needs {FEWEST_PAIRS}, a sign-flip test {flips}"
    return Verdict("too few runs to say", None, None, arms, reason)
