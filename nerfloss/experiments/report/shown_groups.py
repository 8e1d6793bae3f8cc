"""Which of many sets of runs a person is shown beside each other."""

import statistics
from collections.abc import Sequence

from nerfloss.experiments.report.comparison_groups import ComparisonGroup
from nerfloss.experiments.report.contrasts import directions
from nerfloss.experiments.report.truncate import MOST_SETS, best_of
from nerfloss.experiments.report.variants import Variant, scores


def shown_sets(
    sets: Sequence[ComparisonGroup], metrics: Sequence[str]
) -> Sequence[ComparisonGroup]:
    """As many as a person can take in: the first, the best, and what those are compared with."""
    if len(sets) <= MOST_SETS or not metrics:
        return sets[:MOST_SETS]
    better = directions([run for each in sets for run in each.runs])
    found = {
        each.label: list(scores(Variant(each.label, {}, each.runs), metrics[0]).values())
        for each in sets[1:]
    }
    means = {label: statistics.fmean(values) for label, values in found.items() if values}
    kept = {sets[0].label, *best_of(means, better.get(metrics[0], ""), MOST_SETS - 1)}
    kept |= {reference_of(sets, each) for each in sets if each.label in kept}
    return [each for each in sets if each.label in kept]


def said_of(
    shown: Sequence[ComparisonGroup], sets: Sequence[ComparisonGroup], metrics: Sequence[str]
) -> list[str]:
    """A remark where some are left out."""
    if len(shown) == len(sets):
        return []
    best = f", and the best by {metrics[0]}" if metrics else " ones"
    return [f"{len(shown)} of {len(sets)} sets of runs are shown: the first{best}; -f csv has all"]


def reference_of(sets: Sequence[ComparisonGroup], one: ComparisonGroup) -> str:
    """The set that one is compared with: the first of the same scene."""
    return next(each.label for each in sets if each.scene == one.scene)
