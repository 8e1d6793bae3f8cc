"""The runs of a page, grouped by variant and scene."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

from nerfloss.experiments.report.comparison import scored
from nerfloss.experiments.report.contrasts import directions
from nerfloss.experiments.report.page.series import Series, read_series
from nerfloss.experiments.report.report import families
from nerfloss.experiments.report.runs import Run
from nerfloss.experiments.report.truncate import best_of
from nerfloss.experiments.report.variants import Variant, choose_baseline, scores, variants_of

# Limits of a page.
MAX_VARIANTS, MAX_SCENES, MAX_HISTORIES = 24, 8, 12
KINDS_OF_ABLATION = ("full", "without", "alone", "base")


@dataclass(frozen=True)
class Group:
    """The runs of a variant on one scene; ``label`` is the displayed name of the variant."""

    variant: Variant
    scene: str
    label: str

    @property
    def settings(self) -> Mapping[str, str | None]:
        """Settings of the variant."""
        return self.variant.settings

    @cached_property
    def runs(self) -> list[Run]:
        """All runs on this scene, finished or not."""
        return [run for run in self.variant.runs if run.scene == self.scene]

    @property
    def shown(self) -> Run:
        """The run whose images and mesh are displayed: the first finished one."""
        return next((run for run in self.runs if run.finished), self.runs[0])

    def scores(self, metric: str) -> dict[str, float]:
        """A metric's values by seed."""
        return {
            seed: value for (_, seed), value in scores(self.variant, metric, self.scene).items()
        }

    @cached_property
    def histories(self) -> list[Series]:
        """history.csv of the first runs, failed ones included."""
        return [read_series(run.folder / "history.csv") for run in self.runs[:MAX_HISTORIES]]

    @cached_property
    def diagnostics(self) -> list[Series]:
        """diagnostics.csv of the first runs; empty without diagnostics=on."""
        return [read_series(run.folder / "diagnostics.csv") for run in self.runs[:MAX_HISTORIES]]


@dataclass(frozen=True)
class Study:
    """All runs of a folder; ``groups`` are sorted by scene, then by variant.

    ``absent``: number of runs that never started. ``baseline``: the requested variant, if any.
    ``variants`` and ``groups`` are limited to what a page can show, and ``left_out`` describes the
    rest; ``every_variant`` has all, and p values are corrected for all.
    """

    root: Path
    runs: Sequence[Run]
    variants: Sequence[Variant]
    groups: Sequence[Group]
    absent: int = 0
    baseline: str | None = None
    every_variant: Sequence[Variant] = ()
    left_out: str = ""

    @property
    def scenes(self) -> list[str]:
        """Scenes in order of first appearance."""
        return list(dict.fromkeys(group.scene for group in self.groups))

    @property
    def swept(self) -> list[str]:
        """Settings in which variants differ."""
        return list(dict.fromkeys(key for variant in self.variants for key in variant.settings))

    def of_scene(self, scene: str) -> list[Group]:
        """Return the groups of a scene."""
        return [group for group in self.groups if group.scene == scene]

    def name_of(self, group: Group) -> str:
        """Return the name that distinguishes the group on this page; "" for a single group."""
        parts = [group.label] if len(self.variants) > 1 else []
        return ", ".join([*parts, *([group.scene] if len(self.scenes) > 1 else [])])

    def better(self, metric: str) -> str:
        """Return the direction of a metric, "higher" or "lower"; "" if not declared."""
        return directions(self.runs).get(metric, "")

    def units(self, metric: str) -> str:
        """Return the units of a metric as declared in metrics.json; "" if not declared."""
        declared = (run.conventions.get(metric, {}).get("units") for run in self.runs)
        return str(next((units for units in declared if units), ""))

    def has(self, metric: str) -> bool:
        """Return True if any run has this metric."""
        return any(metric in run.metrics for run in self.runs)


def study_of(
    runs: Sequence[Run], root: Path, *, absent: int = 0, baseline: str | None = None
) -> Study:
    """Group runs by variant and scene, sorted by the swept settings."""
    every = sorted(variants_of(runs), key=_sort_key)
    variants = shown_variants(every, baseline)
    scenes = list(dict.fromkeys(run.scene for run in runs))
    alone = str(runs[0].choices.get("loss", "this run")) if runs else ""
    groups = [
        Group(variant, scene, variant.name if len(every) > 1 else alone)
        for scene in scenes[:MAX_SCENES]
        for variant in variants
        if scene in variant.scenes
    ]
    left = _left_out(len(variants), len(every), len(scenes))
    return Study(root, runs, variants, groups, absent, baseline, every, left)


def shown_variants(variants: Sequence[Variant], baseline: str | None) -> Sequence[Variant]:
    """Return at most 24 variants: the baseline, and the best by the first main score.

    Of several ablations the first ones, each complete.
    """
    if len(variants) <= MAX_VARIANTS:
        return variants
    if all(ablation_of(variant) for variant in variants):
        first, *others = families(variants).values()
        for family in others:
            first += family if len(first) + len(family) <= MAX_VARIANTS else []
        return first
    chosen = choose_baseline(variants, baseline)
    runs = [run for variant in variants for run in variant.runs]
    metric = next(iter(scored(runs)), "")
    found = {
        variant.name: list(scores(variant, metric).values())
        for variant in variants
        if variant is not chosen
    }
    means = {name: fmean(values) for name, values in found.items() if values}
    kept = {chosen.name, *best_of(means, directions(runs).get(metric, ""), MAX_VARIANTS - 1)}
    return [variant for variant in variants if variant.name in kept]


def _left_out(shown: int, variants: int, scenes: int) -> str:
    parts = [f"{shown} of {variants} variants"] if shown < variants else []
    parts += [f"{MAX_SCENES} of {scenes} scenes"] if scenes > MAX_SCENES else []
    return " and ".join(parts)


def ablation_of(variant: Variant) -> Mapping[str, Any]:
    """Return ablation.json of a variant's runs; empty if they are no ablation."""
    return next((run.ablation for run in variant.runs if "kind" in run.ablation), {})


def number(text: str | None) -> float | None:
    """Return the text as a number; None if it is none."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def short(key: str) -> str:
    """Return the short name of a setting: ``eikonal.weight`` of ``loss.terms.eikonal.weight``."""
    return key.removeprefix("loss.terms.")


def _sort_key(variant: Variant) -> tuple[Any, ...]:
    """Sort key of a variant: its numbers, then the kind of ablation."""
    kind = ablation_of(variant).get("kind")
    rank = KINDS_OF_ABLATION.index(kind) if kind in KINDS_OF_ABLATION else 0
    others = [value for key, value in variant.settings.items() if key != "ablate"]
    along = [(number(value), value or "") for value in others]
    return ([(float("inf") if at is None else at, text) for at, text in along], rank)
