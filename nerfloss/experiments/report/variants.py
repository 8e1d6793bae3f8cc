"""Arms of an experiment: runs that agree in all that was swept but the seed and the scene."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nerfloss.experiments.report.runs import Run

SEED = "seed"
_SCENE = ("dataset", "dataset.scene", "dataset.path")
_ABLATE = "ablate"
# Settings that leave a run's result as it is: runs that differ in them alone are one arm.
_BESIDE = ("seeds", "diagnostics", "objectives", "trainer.resume", "eval.images")
# What a setting is called where nothing special is asked for.
_PLAIN = frozenset({None, "none", "null", "None", "off", "false", "False", "0", "0.0", "full", ""})


@dataclass(frozen=True)
class Variant:
    """``settings`` are those in which arms differ, with the value here; ``name`` says them."""

    name: str
    settings: Mapping[str, str | None]
    runs: tuple[Run, ...]

    @property
    def scenes(self) -> tuple[str, ...]:
        """Scenes of its runs, in their order."""
        return tuple(dict.fromkeys(run.scene for run in self.runs))


def swept_settings(runs: Sequence[Run]) -> tuple[str, ...]:
    """Keys of the overrides in which runs differ, in the order they were written; seed last.

    Settings that change nothing in the result are left out.
    """
    keys = list(dict.fromkeys(key for run in runs for key in run.overrides))
    differing = [key for key in keys if not _is_beside(key) and _differs(key, runs)]
    return tuple(sorted(differing, key=lambda key: key == SEED))


def arms_of(runs: Sequence[Run]) -> list[Variant]:
    """The arms among ``runs``: along numbers by size, else in order of first appearance."""
    keys = [key for key in swept_settings(runs) if key not in (SEED, *_SCENE)]
    groups = grouped(runs, keys)
    written = {values: _as_written(group, keys) for values, group in groups.items()}
    telling = _telling(keys, list(groups))
    return [
        Variant(_named({key: settings[key] for key in telling}), settings, tuple(group))
        for values, group in sorted(groups.items(), key=lambda item: [*map(_size, item[0])])
        for settings in [written[values]]
    ]


def grouped(runs: Sequence[Run], keys: Sequence[str]) -> dict[tuple[str | None, ...], list[Run]]:
    """Runs by the values of these settings, in order of first appearance."""
    groups: dict[tuple[str | None, ...], list[Run]] = {}
    for run in runs:
        groups.setdefault(tuple(plain(run.setting(key)) for key in keys), []).append(run)
    return groups


def plain(value: str | None) -> str | None:
    """One word for a setting's value, however it was written: ``True`` is true, 1e-3 is 0.001.

    What was typed is compared with what was composed, which Python writes.
    """
    if value is None:
        return None
    if value in ("None", "null"):
        return "null"
    if value.lower() in ("true", "false"):
        return value.lower()
    try:
        return repr(float(value))
    except ValueError:
        return value[1:-1] if value[:1] in ("'", '"') and value[-1:] == value[:1] else value


def _is_beside(key: str) -> bool:
    return any(key == beside or key.startswith(f"{beside}.") for beside in _BESIDE)


def _differs(key: str, runs: Sequence[Run]) -> bool:
    return len({plain(run.setting(key)) for run in runs}) > 1


def _as_written(runs: Sequence[Run], keys: Sequence[str]) -> dict[str, str | None]:
    """The settings that runs share, as they were typed for the first that has it so."""
    typed = {key: run.overrides[key] for run in reversed(runs) for key in run.overrides}
    return {key: typed.get(key, runs[0].setting(key)) for key in keys}


def scores(arm: Variant, metric: str, scene: str | None = None) -> dict[tuple[str, str], float]:
    """What the arm's finished runs scored, by scene and seed; of one scene if it is named.

    Runs that were made twice with one seed count once, by their mean: they are not two draws.
    """
    found: dict[tuple[str, str], list[float]] = {}
    for run in arm.runs:
        if run.finished and metric in run.metrics and scene in (None, run.scene):
            found.setdefault((run.scene, run.seed), []).append(run.metrics[metric])
    return {key: statistics.fmean(values) for key, values in found.items()}


def is_repeated(arm: Variant) -> bool:
    """Whether two of its finished runs on one scene differ in their seed."""
    made = {(run.scene, run.seed) for run in arm.runs if run.finished}
    return len(made) > len({scene for scene, _ in made})


def choose_baseline(arms: Sequence[Variant], asked: str | None = None) -> Variant:
    """The arm that is ``asked`` for by its name or as ``key=value[,key=value]``.

    By default the one with most settings at none, off or 0 (or the full recipe), and the first
    among equals. Raises ValueError where no arm, or more than one, is meant.
    """
    if asked is None:
        plainness = [sum(value in _PLAIN for value in arm.settings.values()) for arm in arms]
        return arms[plainness.index(max(plainness))]
    named = [arm for arm in arms if arm.name == asked]
    meant = named or [arm for arm in arms if _fits(arm, asked)]
    if len(meant) != 1:
        said = "means several arms" if meant else "is no arm here"
        choices = "; ".join(arm.name for arm in arms)
        raise ValueError(f"the baseline '{asked}' {said}: choose from {choices}")
    return meant[0]


def _telling(keys: Sequence[str], arms: Sequence[Sequence[str | None]]) -> list[str]:
    """Keys enough to tell the arms apart: of several that sort them alike, one, of the loss if any.

    Settings that go together, as those of an experiment do, would make names that nobody reads.
    """
    chosen: dict[tuple[int, ...], str] = {}
    for key in sorted(keys, key=lambda key: not key.startswith(("ablate", "loss"))):
        column = [values[keys.index(key)] for values in arms]
        chosen.setdefault(tuple(column.index(value) for value in column), key)
    return [key for key in keys if key in chosen.values()]


def _named(settings: Mapping[str, str | None]) -> str:
    words = [
        value.replace("_", " ", 1) if key == _ABLATE and value else f"{_short(key)}={_said(value)}"
        for key, value in settings.items()
    ]
    return ", ".join(words) or "all runs"


def _size(value: str | None) -> float:
    """Where a value stands among others; what is no number comes first, in its own order."""
    try:
        return -math.inf if value is None else float(value)
    except ValueError:
        return -math.inf


def _said(value: str | None) -> str:
    return "absent" if value is None else value


def _short(key: str) -> str:
    return key.removeprefix("loss.terms.")


def _fits(arm: Variant, asked: str) -> bool:
    """Whether every ``key=value`` asked for is true of the arm."""
    wanted = {key: value for key, _, value in (p.strip().partition("=") for p in asked.split(","))}
    settings = {_short(key): value for key, value in arm.settings.items()}
    return all(
        _short(key) in settings and _equal(_said(settings[_short(key)]), value)
        for key, value in wanted.items()
    )


def _equal(one: str, other: str) -> bool:
    try:
        return float(one) == float(other)
    except ValueError:
        return one == other
