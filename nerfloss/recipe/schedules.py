"""Schedules: functions from the training step to a factor in [0, 1].

A schedule is multiplied by the ``weight`` of its term. Before its first step and after its last one
it keeps the factor that it has there. Steps need not be integers: ``by_progress`` evaluates any
schedule but ``one_in`` over progress in [0, 1].
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise

Number = int | float
Schedule = Callable[[Number], float]

# The fractions of its multiples are spread evenly, at any stride.
_GOLDEN = (5**0.5 - 1) / 2


def constant(factor: Number = 1.0) -> Schedule:
    """Return ``factor`` at every step."""
    _check_factors("constant", factor)
    return lambda _: float(factor)


def ramp(begin: Number, end: Number, *, first: Number = 0.0, last: Number = 1.0) -> Schedule:
    """Change linearly from ``first`` at step ``begin`` to ``last`` at step ``end``."""
    _check_order("ramp", begin, end)
    _check_factors("ramp", first, last)
    return lambda step: first + (last - first) * _elapsed(step, begin, end)


def cosine(begin: Number, end: Number, *, first: Number = 1.0, last: Number = 0.0) -> Schedule:
    """Change along half a cosine, flat at both ends, from ``first`` to ``last``.

    Reference: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts",
    ICLR 2017, equation 5, without restarts.
    """
    _check_order("cosine", begin, end)
    _check_factors("cosine", first, last)

    def factor(step: Number) -> float:
        done = 0.5 * (1 - math.cos(math.pi * _elapsed(step, begin, end)))
        return first + (last - first) * done

    return factor


def exponential(
    begin: Number, end: Number, *, first: Number = 1.0, last: Number = 0.01
) -> Schedule:
    """Change by the same ratio at every step, from ``first`` to ``last``; neither may be 0."""
    _check_order("exponential schedule", begin, end)
    _check_factors("exponential schedule", first, last)
    if not (first > 0 and last > 0):
        raise ValueError(
            f"an exponential schedule never reaches 0, got first={first}, last={last}: "
            f"use a small factor, or 'ramp'"
        )
    return lambda step: first * (last / first) ** _elapsed(step, begin, end)


def piecewise(points: Sequence[Sequence[Number]]) -> Schedule:
    """Interpolate linearly between ``(step, factor)`` points; their steps must increase."""
    if not points or any(len(point) != 2 for point in points):
        raise ValueError(f"piecewise needs points as [step, factor] pairs, got {points}")
    steps = [float(step) for step, _ in points]
    factors = [float(factor) for _, factor in points]
    for begin, end in pairwise(steps):
        _check_order("piece", begin, end)
    _check_factors("piecewise", *factors)

    def factor(step: Number) -> float:
        after = bisect_right(steps, step)
        if after == 0 or after == len(steps):
            return factors[max(after - 1, 0)]
        begin, end = steps[after - 1], steps[after]
        return factors[after - 1] + (factors[after] - factors[after - 1]) * (
            (step - begin) / (end - begin)
        )

    return factor


def window(begin: Number, end: Number) -> Schedule:
    """Return 1 from step ``begin`` up to, not including, step ``end``; 0 elsewhere."""
    _check_order("window", begin, end)
    return lambda step: float(begin <= step < end)


def after(begin: Number, schedule: Schedule | None = None) -> Schedule:
    """Return 0 before step ``begin``, then 1, or ``schedule`` with steps counted from there."""
    if not math.isfinite(begin):
        raise ValueError(f"'after' needs the step at which to begin, got begin={begin}")
    following = constant() if schedule is None else schedule
    return lambda step: following(step - begin) if step >= begin else 0.0


def one_in(interval: Number, schedule: Schedule | None = None) -> Schedule:
    """Return 1, or ``schedule``, at one in ``interval`` steps, 0 at the others.

    A term is not computed where its weight is 0, so a dear one becomes cheaper; its mean weight is
    divided by ``interval``, too. The steps are spread evenly by the golden ratio instead of being
    multiples, which a run that is limited in seconds, whose schedules skip steps, could all miss.
    Raises ValueError for fractions of steps: `by_progress` belongs inside of it.

    Reference: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020,
    section 3.1: lazy regularization.
    """
    if not 1 <= interval < math.inf:
        raise ValueError(f"'one_in' needs an interval >= 1, got interval={interval}")
    inner = constant() if schedule is None else schedule

    def factor(step: Number) -> float:
        if step != int(step):
            raise ValueError(
                "'one_in' counts steps, and 'by_progress' gives it fractions of a run: put "
                "by_progress inside of one_in"
            )
        return inner(step) if step * _GOLDEN % 1 < 1 / interval else 0.0

    return factor


def by_progress(schedule: Schedule, max_steps: int) -> Schedule:
    """Evaluate ``schedule`` at the progress ``min(step / max_steps, 1)`` instead of the step."""
    if not max_steps > 0:
        raise ValueError(f"progress needs a number of steps above 0, got max_steps={max_steps}")
    for progress in (1 / 3, 0.999):  # refuses what cannot be evaluated there before the first step
        schedule(progress)
    return lambda step: schedule(min(step / max_steps, 1.0))


def _elapsed(step: Number, begin: Number, end: Number) -> float:
    return min(max((step - begin) / (end - begin), 0.0), 1.0)


def _check_order(what: str, begin: Number, end: Number) -> None:
    if not (math.isfinite(begin) and math.isfinite(end) and begin < end):
        raise ValueError(f"a {what} needs begin < end, got begin={begin}, end={end}")


def _check_factors(what: str, *factors: Number) -> None:
    wrong = [factor for factor in factors if not 0.0 <= factor <= 1.0]
    if wrong:
        raise ValueError(
            f"the factors of a schedule lie in [0, 1], got {wrong} for '{what}': "
            f"scale the term's weight instead"
        )
