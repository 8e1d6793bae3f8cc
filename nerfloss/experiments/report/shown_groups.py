"""Selection of the groups that a comparison displays."""

import statistics
from collections.abc import Sequence

from nerfloss.experiments.report.comparison_groups import ComparisonGroup
from nerfloss.experiments.report.contrasts import directions
from nerfloss.experiments.report.truncate import MAX_GROUPS, best_of
from nerfloss.experiments.report.variants import Variant, scores


def shown_groups(
    groups: Sequence[ComparisonGroup], metrics: Sequence[str]
) -> Sequence[ComparisonGroup]:
    """Return at most about 12 groups: the first, the best, and their references."""
    if len(groups) <= MAX_GROUPS or not metrics:
        return groups[:MAX_GROUPS]
    better = directions([run for each in groups for run in each.runs])
    found = {
        each.label: list(scores(Variant(each.label, {}, each.runs), metrics[0]).values())
        for each in groups[1:]
    }
    means = {label: statistics.fmean(values) for label, values in found.items() if values}
    kept = {groups[0].label, *best_of(means, better.get(metrics[0], ""), MAX_GROUPS - 1)}
    kept |= {reference_of(groups, each) for each in groups if each.label in kept}
    return [each for each in groups if each.label in kept]


def omission_notes(
    shown: Sequence[ComparisonGroup], groups: Sequence[ComparisonGroup], metrics: Sequence[str]
) -> list[str]:
    """Return a note if groups are omitted."""
    if len(shown) == len(groups):
        return []
    best = f", and the best by {metrics[0]}" if metrics else " ones"
    return [
        f"{len(shown)} of {len(groups)} groups of runs are shown: the first{best}; -f csv has all"
    ]


def reference_of(groups: Sequence[ComparisonGroup], one: ComparisonGroup) -> str:
    """Return the label of the group that one is compared with: the first of the same scene."""
    return next(each.label for each in groups if each.scene == one.scene)
