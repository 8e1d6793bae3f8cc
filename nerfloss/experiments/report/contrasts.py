"""Variants against a baseline, by score and scene: means, differences, significance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nerfloss.experiments.report.runs import Run
from nerfloss.experiments.report.variants import Variant, scores
from nerfloss.experiments.statistics.paired import Paired, paired
from nerfloss.experiments.statistics.significance import Significance, significances
from nerfloss.experiments.statistics.summary import Summary, summary


@dataclass(frozen=True)
class Contrast:
    """One variant by one metric on one scene, or over all of several (``scene`` is None).

    ``pair`` and ``significance`` are None for the baseline; ``significance`` is also None for a
    metric without a declared direction.
    """

    metric: str
    better: str
    variant: Variant
    scene: str | None
    summary: Summary
    pair: Paired | None = None
    significance: Significance | None = None


def directions(runs: Sequence[Run]) -> dict[str, str]:
    """Return the direction of each metric, "higher" or "lower", as declared in metrics.json.

    A metric for which no run declares one, or runs declare different ones, has none.
    """
    declared: dict[str, set[str]] = {}
    for run in runs:
        for name, convention in run.conventions.items():
            if convention.get("better") in ("higher", "lower"):
                declared.setdefault(name, set()).add(convention["better"])
    return {name: found.pop() for name, found in declared.items() if len(found) == 1}


def contrasts(
    variants: Sequence[Variant], baseline: Variant, metrics: Sequence[str], *, level: float = 0.95
) -> list[Contrast]:
    """Return every variant by every metric, on each scene and, for several scenes, over all.

    Pairs are matched by scene and seed. P values are corrected (Holm) for the number of variants
    within a metric and a scene. Variants without a score are left out.
    """
    runs = [run for variant in variants for run in variant.runs]
    scenes = tuple(dict.fromkeys(run.scene for run in runs if run.finished))
    subsets: list[str | None] = [*scenes, *([None] if len(scenes) > 1 else [])]
    better = directions(runs)
    found = []
    for metric in metrics:
        by_subset = [
            _at(variants, baseline, metric, better.get(metric, ""), scene, level)
            for scene in subsets
        ]
        order = {variant.name: index for index, variant in enumerate(variants)}
        lines = [line for lines in by_subset for line in lines]
        found += sorted(lines, key=lambda line: order[line.variant.name])
    return found


def disagreements(lines: Sequence[Contrast]) -> list[str]:
    """Return a sentence for every variant and metric whose significance differs between scenes."""
    cases: dict[tuple[str, str], dict[str, list[str]]] = {}
    for line in lines:
        if line.significance is not None and line.scene is not None:
            labels = cases.setdefault((line.metric, line.variant.name), {})
            labels.setdefault(line.significance.label, []).append(line.scene)
    return [_disagreement(*case, labels) for case, labels in cases.items() if len(labels) > 1]


def _disagreement(metric: str, variant: str, scenes: Mapping[str, Sequence[str]]) -> str:
    total = sum(map(len, scenes.values()))
    labels = sorted(scenes, key=lambda label: label not in ("better", "worse"))
    parts = [
        f"{label} on {', '.join(scenes[label])}"
        + (" only" if label in ("better", "worse") and len(scenes[label]) == 1 < total else "")
        for label in labels
    ]
    return f"{metric}: {variant} is {'; '.join(parts)}"


def _at(
    variants: Sequence[Variant],
    baseline: Variant,
    metric: str,
    better: str,
    scene: str | None,
    level: float,
) -> list[Contrast]:
    scored = {
        variant.name: found for variant in variants if (found := scores(variant, metric, scene))
    }
    reference = scored.get(baseline.name, {})
    pairs = {
        name: paired(reference, found, level=level)
        for name, found in scored.items()
        if name != baseline.name
    }
    judged: Mapping[str, Significance] = significances(pairs, better) if better else {}
    return [
        Contrast(
            metric,
            better,
            variant,
            scene,
            summary(list(scored[variant.name].values()), level=level),
            pairs.get(variant.name),
            judged.get(variant.name),
        )
        for variant in variants
        if variant.name in scored
    ]
