"""The runs that a page is about, put in order: the arms, and each arm's runs on each scene."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from nerfloss.reporting.arms import Arm, arms_of, scores
from nerfloss.reporting.html.series import Series, read_series
from nerfloss.reporting.runs import Run

KINDS_OF_ABLATION = ("full", "without", "alone", "base")


@dataclass(frozen=True)
class Group:
    """An arm's runs on one scene; ``label`` is what the page calls the arm."""

    arm: Arm
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
        """What each run recorded along its steps, failed ones included."""
        return [read_series(run.folder / "history.csv") for run in self.runs]

    @cached_property
    def diagnostics(self) -> list[Series]:
        """What each run saw of its terms; empty without diagnostics=on."""
        return [read_series(run.folder / "diagnostics.csv") for run in self.runs]


@dataclass(frozen=True)
class Study:
    """All runs of a folder, ``groups`` by scene and then in the order of the arms.

    ``absent`` runs of a sweep never started; ``baseline`` is the arm that was asked for, if any.
    """

    root: Path
    runs: Sequence[Run]
    arms: Sequence[Arm]
    groups: Sequence[Group]
    absent: int = 0
    baseline: str | None = None

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
    arms = sorted(arms_of(runs), key=_place)
    alone = str(runs[0].choices.get("loss", "this run")) if runs else ""
    groups = [
        Group(arm, scene, arm.name if len(arms) > 1 else alone)
        for scene in dict.fromkeys(run.scene for run in runs)
        for arm in arms
        if scene in arm.scenes
    ]
    return Study(root, runs, arms, groups, absent, baseline)


def ablation_of(arm: Arm) -> Mapping[str, Any]:
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


def _place(arm: Arm) -> tuple[Any, ...]:
    """Where an arm stands among the others: by its numbers, ablations by their kind."""
    kind = ablation_of(arm).get("kind")
    rank = KINDS_OF_ABLATION.index(kind) if kind in KINDS_OF_ABLATION else 0
    others = [value for key, value in arm.settings.items() if key != "ablate"]
    along = [(number(value), value or "") for value in others]
    return ([(float("inf") if at is None else at, text) for at, text in along], rank)
