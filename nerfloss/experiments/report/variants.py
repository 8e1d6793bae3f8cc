"""Variants of an experiment: runs that agree in everything swept except seed and scene."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nerfloss.assembly.result_settings import affects_scores
from nerfloss.experiments.report.runs import Run

SEED = "seed"
_SCENE = ("dataset", "dataset.scene", "dataset.path")
_ABLATE = "ablate"
# Values that mean "not used": the variant with most of them is the default baseline.
_DISABLED = frozenset(
    {None, "none", "null", "None", "off", "false", "False", "0", "0.0", "full", ""}
)


@dataclass(frozen=True)
class Variant:
    """Runs with equal ``settings``, those in which variants differ; ``name`` lists them."""

    name: str
    settings: Mapping[str, str | None]
    runs: tuple[Run, ...]

    @property
    def scenes(self) -> tuple[str, ...]:
        """Scenes of the runs, in order of first appearance."""
        return tuple(dict.fromkeys(run.scene for run in self.runs))


def swept_settings(runs: Sequence[Run]) -> tuple[str, ...]:
    """Return the overridden settings that differ between runs, as written; the seed last.

    Settings that do not affect scores are left out.
    """
    keys = list(dict.fromkeys(key for run in runs for key in run.overrides))
    differing = [key for key in keys if affects_scores(key) and _differs(key, runs)]
    return tuple(sorted(differing, key=lambda key: key == SEED))


def variants_of(runs: Sequence[Run]) -> list[Variant]:
    """Return the variants, sorted by numeric settings, else in order of first appearance."""
    keys = [key for key in swept_settings(runs) if key not in (SEED, *_SCENE)]
    groups = grouped(runs, keys)
    written = {values: _as_written(group, keys) for values, group in groups.items()}
    distinguishing = _distinguishing(keys, list(groups))
    return [
        Variant(_named({key: settings[key] for key in distinguishing}), settings, tuple(group))
        for values, group in sorted(groups.items(), key=lambda item: [*map(_size, item[0])])
        for settings in [written[values]]
    ]


def grouped(runs: Sequence[Run], keys: Sequence[str]) -> dict[tuple[str | None, ...], list[Run]]:
    """Return the runs by the values of these settings, in order of first appearance."""
    groups: dict[tuple[str | None, ...], list[Run]] = {}
    for run in runs:
        groups.setdefault(tuple(canonical(run.setting(key)) for key in keys), []).append(run)
    return groups


def canonical(value: str | None) -> str | None:
    """Return the canonical text of a setting's value: ``True`` is true, 1e-3 is 0.001.

    Overrides are text as typed; composed values are text as Python writes them.
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


def _differs(key: str, runs: Sequence[Run]) -> bool:
    return len({canonical(run.setting(key)) for run in runs}) > 1


def _as_written(runs: Sequence[Run], keys: Sequence[str]) -> dict[str, str | None]:
    """Return the settings of these runs, as typed on the command line where possible."""
    typed = {key: run.overrides[key] for run in reversed(runs) for key in run.overrides}
    return {key: typed.get(key, runs[0].setting(key)) for key in keys}


def scores(variant: Variant, metric: str, scene: str | None = None) -> dict[tuple[str, str], float]:
    """Return the scores of the variant's finished runs by (scene, seed), for one scene if given.

    Repeated runs with the same seed are averaged: they are not independent.
    """
    found: dict[tuple[str, str], list[float]] = {}
    for run in variant.runs:
        if run.finished and metric in run.metrics and scene in (None, run.scene):
            found.setdefault((run.scene, run.seed), []).append(run.metrics[metric])
    return {key: statistics.fmean(values) for key, values in found.items()}


def is_repeated(variant: Variant) -> bool:
    """Return True if a scene has finished runs with different seeds."""
    made = {(run.scene, run.seed) for run in variant.runs if run.finished}
    return len(made) > len({scene for scene, _ in made})


def choose_baseline(variants: Sequence[Variant], asked: str | None = None) -> Variant:
    """Return the variant named ``asked``, or that matches ``key=value[,key=value]``.

    The default is the variant with most settings at none, off or 0 (or the full recipe); ties go
    to the first. Raises ValueError if no variant matches, or more than one.
    """
    if asked is None:
        disabled = [
            sum(value in _DISABLED for value in variant.settings.values()) for variant in variants
        ]
        return variants[disabled.index(max(disabled))]
    named = [variant for variant in variants if variant.name == asked]
    meant = named or [variant for variant in variants if _fits(variant, asked)]
    if len(meant) != 1:
        problem = "matches several variants" if meant else "matches no variant"
        choices = "; ".join(variant.name for variant in variants)
        raise ValueError(f"the baseline '{asked}' {problem}: choose from {choices}")
    return meant[0]


def _distinguishing(keys: Sequence[str], variants: Sequence[Sequence[str | None]]) -> list[str]:
    """Return the keys that distinguish the variants; of several equivalent ones, one of the loss.

    The settings of an experiment change together and would make names needlessly long.
    """
    chosen: dict[tuple[int, ...], str] = {}
    for key in sorted(keys, key=lambda key: not key.startswith(("ablate", "loss"))):
        column = [values[keys.index(key)] for values in variants]
        chosen.setdefault(tuple(column.index(value) for value in column), key)
    return [key for key in keys if key in chosen.values()]


def _named(settings: Mapping[str, str | None]) -> str:
    words = [
        value.replace("_", " ", 1) if key == _ABLATE and value else f"{_short(key)}={_shown(value)}"
        for key, value in settings.items()
    ]
    return ", ".join(words) or "all runs"


def _size(value: str | None) -> float:
    """Sort key of a value: numbers by size, after everything else."""
    try:
        return -math.inf if value is None else float(value)
    except ValueError:
        return -math.inf


def _shown(value: str | None) -> str:
    return "absent" if value is None else value


def _short(key: str) -> str:
    return key.removeprefix("loss.terms.")


def _fits(variant: Variant, asked: str) -> bool:
    """Return True if the variant has every ``key=value`` that is asked for."""
    wanted = {key: value for key, _, value in (p.strip().partition("=") for p in asked.split(","))}
    settings = {_short(key): value for key, value in variant.settings.items()}
    return all(
        _short(key) in settings and _equal(_shown(settings[_short(key)]), value)
        for key, value in wanted.items()
    )


def _equal(one: str, other: str) -> bool:
    try:
        return float(one) == float(other)
    except ValueError:
        return one == other
