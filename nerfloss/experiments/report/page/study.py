"""The runs that a page is about, put in order: the arms, and each arm's runs on each scene."""

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
from nerfloss.experiments.report.variants import Variant, arms_of, choose_baseline, scores

# What a page holds beside its numbers: figures, curves, pictures and meshes of each.
MOST_ARMS, MOST_SCENES, MOST_HISTORIES = 24, 8, 12
KINDS_OF_ABLATION = ("full", "without", "alone", "base")


@dataclass(frozen=True)
class Group:
    """An arm's runs on one scene; ``label`` is what the page calls the arm."""

    arm: Variant
    scene: str
    label: str

    @property
    def settings(self) -> Mapping[str, str | None]:
        """What sets the arm apart."""
        return self.arm.settings

    @cached_property
    def runs(self) -> list[Run]:
        """Its runs on this scene, in whatever state."""
        return [run for run in self.arm.runs if run.scene == self.scene]

    @property
    def shown(self) -> Run:
        """The run whose pictures and mesh stand for the group: the first that has scores."""
        return next((run for run in self.runs if run.finished), self.runs[0])

    def scores(self, metric: str) -> dict[str, float]:
        """A metric's values by seed."""
        return {seed: value for (_, seed), value in scores(self.arm, metric, self.scene).items()}

    @cached_property
    def histories(self) -> list[Series]:
        """What each run recorded along its steps, failed ones included; of many runs, the first."""
        return [read_series(run.folder / "history.csv") for run in self.runs[:MOST_HISTORIES]]

    @cached_property
    def diagnostics(self) -> list[Series]:
        """What each run saw of its terms; empty without diagnostics=on."""
        return [read_series(run.folder / "diagnostics.csv") for run in self.runs[:MOST_HISTORIES]]


@dataclass(frozen=True)
class Study:
    """All runs of a folder, ``groups`` by scene and then in the order of the arms.

    ``absent`` runs of a sweep never started; ``baseline`` is the arm that was asked for, if any.
    Where there are more arms or scenes than a page can show, ``arms`` and ``groups`` are some of
    them, ``left_out`` says so, and ``every_arm`` are all: verdicts are corrected for those.
    """

    root: Path
    runs: Sequence[Run]
    arms: Sequence[Variant]
    groups: Sequence[Group]
    absent: int = 0
    baseline: str | None = None
    every_arm: Sequence[Variant] = ()
    left_out: str = ""

    @property
    def scenes(self) -> list[str]:
        """The scenes, in order of first appearance."""
        return list(dict.fromkeys(group.scene for group in self.groups))

    @property
    def swept(self) -> list[str]:
        """The settings in which arms differ."""
        return list(dict.fromkeys(key for arm in self.arms for key in arm.settings))

    def of_scene(self, scene: str) -> list[Group]:
        """The groups of a scene."""
        return [group for group in self.groups if group.scene == scene]

    def name_of(self, group: Group) -> str:
        """What tells the group from the others on this page; empty where it is the only one."""
        parts = [group.label] if len(self.arms) > 1 else []
        return ", ".join([*parts, *([group.scene] if len(self.scenes) > 1 else [])])

    def better(self, metric: str) -> str:
        """Whether "higher" or "lower" is better, as the runs say; empty where none does."""
        return self._stated(metric, "better")

    def units(self, metric: str) -> str:
        """The units of a metric, as the runs say."""
        return self._stated(metric, "units")

    def has(self, metric: str) -> bool:
        """Whether any run has this metric."""
        return any(metric in run.metrics for run in self.runs)

    def _stated(self, metric: str, what: str) -> str:
        stated = (run.conventions.get(metric, {}).get(what) for run in self.runs)
        return str(next((word for word in stated if word), ""))


def study_of(
    runs: Sequence[Run], root: Path, *, absent: int = 0, baseline: str | None = None
) -> Study:
    """Sort runs into arms, along what was swept, numbers by size; and those by scene."""
    every = sorted(arms_of(runs), key=_place)
    arms = shown_arms(every, baseline)
    scenes = list(dict.fromkeys(run.scene for run in runs))
    alone = str(runs[0].choices.get("loss", "this run")) if runs else ""
    groups = [
        Group(arm, scene, arm.name if len(every) > 1 else alone)
        for scene in scenes[:MOST_SCENES]
        for arm in arms
        if scene in arm.scenes
    ]
    left = _left_out(len(arms), len(every), len(scenes))
    return Study(root, runs, arms, groups, absent, baseline, every, left)


def shown_arms(arms: Sequence[Variant], baseline: str | None) -> Sequence[Variant]:
    """As many arms as a page can show: the baseline, and the best by the first main score.

    Of several ablations the first, each whole: what is left out is compared with all of a recipe.
    """
    if len(arms) <= MOST_ARMS:
        return arms
    if all(ablation_of(arm) for arm in arms):
        first, *others = families(arms).values()
        for family in others:
            first += family if len(first) + len(family) <= MOST_ARMS else []
        return first
    chosen = choose_baseline(arms, baseline)
    runs = [run for arm in arms for run in arm.runs]
    metric = next(iter(scored(runs)), "")
    found = {arm.name: list(scores(arm, metric).values()) for arm in arms if arm is not chosen}
    means = {name: fmean(values) for name, values in found.items() if values}
    kept = {chosen.name, *best_of(means, directions(runs).get(metric, ""), MOST_ARMS - 1)}
    return [arm for arm in arms if arm.name in kept]


def _left_out(shown: int, arms: int, scenes: int) -> str:
    parts = [f"{shown} of {arms} arms"] if shown < arms else []
    parts += [f"{MOST_SCENES} of {scenes} scenes"] if scenes > MOST_SCENES else []
    return " and ".join(parts)


def ablation_of(arm: Variant) -> Mapping[str, Any]:
    """The content of ablation.json of an arm's runs; empty where they are no ablation."""
    return next((run.ablation for run in arm.runs if "kind" in run.ablation), {})


def number(text: str | None) -> float | None:
    """The text as a number, if it is one."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def short(key: str) -> str:
    """A setting's name as a label bears it: ``eikonal.weight`` of ``loss.terms.eikonal.weight``."""
    return key.removeprefix("loss.terms.")


def _place(arm: Variant) -> tuple[Any, ...]:
    """Where an arm stands among the others: by its numbers, ablations by their kind."""
    kind = ablation_of(arm).get("kind")
    rank = KINDS_OF_ABLATION.index(kind) if kind in KINDS_OF_ABLATION else 0
    others = [value for key, value in arm.settings.items() if key != "ablate"]
    along = [(number(value), value or "") for value in others]
    return ([(float("inf") if at is None else at, text) for at, text in along], rank)
