"""Arms against a baseline, score by score and scene by scene: means, differences, verdicts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nerfloss.experiments.report.runs import Run
from nerfloss.experiments.report.variants import Variant, scores
from nerfloss.experiments.statistics.paired import Paired, paired
from nerfloss.experiments.statistics.significance import Verdict, verdicts
from nerfloss.experiments.statistics.summary import Summary, summary


@dataclass(frozen=True)
class Contrast:
    """One arm by one metric on one scene, or on all of several where ``scene`` is None.

    ``pair`` and ``verdict`` are None of the baseline itself, ``verdict`` also where nobody says
    whether the metric is better higher or lower.
    """

    metric: str
    better: str
    arm: Variant
    scene: str | None
    summary: Summary
    pair: Paired | None = None
    verdict: Verdict | None = None


def directions(runs: Sequence[Run]) -> dict[str, str]:
    """By metric, whether "higher" or "lower" is better, as the runs say themselves."""
    return {
        name: about["better"]
        for run in runs
        for name, about in run.conventions.items()
        if about.get("better") in ("higher", "lower")
    }


def contrasts(
    arms: Sequence[Variant], baseline: Variant, metrics: Sequence[str], *, level: float = 0.95
) -> list[Contrast]:
    """Every arm by every metric, on each scene and, where there are several, over all of them.

    Pairs are matched by scene and seed. P values are corrected (Holm) for the number of arms
    within a metric and a scene. Arms without a score are left out.
    """
    runs = [run for arm in arms for run in arm.runs]
    scenes = tuple(dict.fromkeys(run.scene for run in runs if run.finished))
    places: list[str | None] = [*scenes, *([None] if len(scenes) > 1 else [])]
    better = directions(runs)
    found = []
    for metric in metrics:
        by_place = [
            _at(arms, baseline, metric, better.get(metric, ""), place, level) for place in places
        ]
        order = {arm.name: index for index, arm in enumerate(arms)}
        lines = [line for lines in by_place for line in lines]
        found += sorted(lines, key=lambda line: order[line.arm.name])  # stable: scenes keep theirs
    return found


def by_scene(lines: Sequence[Contrast]) -> list[str]:
    """A sentence for every arm and metric that scenes do not agree on."""
    cases: dict[tuple[str, str], dict[str, list[str]]] = {}
    for line in lines:
        if line.verdict is not None and line.scene is not None:
            words = cases.setdefault((line.metric, line.arm.name), {})
            words.setdefault(line.verdict.word, []).append(line.scene)
    return [_disagreement(*case, words) for case, words in cases.items() if len(words) > 1]


def _disagreement(metric: str, arm: str, words: Mapping[str, Sequence[str]]) -> str:
    total = sum(map(len, words.values()))
    told = sorted(words, key=lambda word: word not in ("better", "worse"))
    parts = [
        f"{word} on {', '.join(words[word])}"
        + (" only" if word in ("better", "worse") and len(words[word]) == 1 and total > 1 else "")
        for word in told
    ]
    return f"{metric}: {arm} is {'; '.join(parts)}"


def _at(
    arms: Sequence[Variant],
    baseline: Variant,
    metric: str,
    better: str,
    scene: str | None,
    level: float,
) -> list[Contrast]:
    scored = {arm.name: found for arm in arms if (found := scores(arm, metric, scene))}
    reference = scored.get(baseline.name, {})
    pairs = {
        name: paired(reference, found, level=level)
        for name, found in scored.items()
        if name != baseline.name
    }
    judged: Mapping[str, Verdict] = verdicts(pairs, better) if better else {}
    return [
        Contrast(
            metric,
            better,
            arm,
            scene,
            summary(list(scored[arm.name].values()), level=level),
            pairs.get(arm.name),
            judged.get(arm.name),
        )
        for arm in arms
        if arm.name in scored
    ]
