"""Runs to be compared, whatever folders they lie in: those that differ in nothing but the seed
are one set."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from nerfloss.experiments.report.runs import Run

# What says how a run was started and not what it computes.
_NOT_COUNTED = frozenset({"seed", "seeds", "trainer.resume"})
# Groups of settings that leave the result as it is.
_BESIDE = ("diagnostics", "objectives")


@dataclass(frozen=True)
class ComparisonGroup:
    """``label`` is a letter; ``settings`` is the flat configuration that its runs share."""

    label: str
    runs: tuple[Run, ...]
    settings: Mapping[str, Any]

    @property
    def scene(self) -> str:
        """The scene of all its runs."""
        return self.runs[0].scene


def run_sets(runs: Sequence[Run]) -> list[ComparisonGroup]:
    """The sets among runs, in the order given; one that is given twice counts once.

    Raises ValueError for fewer than two runs.
    """
    once = {run.folder: run for run in runs}
    if len(once) < 2:
        raise ValueError(
            f"compare takes at least two runs, and there is one, {', '.join(map(str, once))}: give "
            f"another run's folder, or a sweep's"
        )
    groups: dict[str, list[Run]] = {}
    for run in once.values():
        groups.setdefault(_key(run), []).append(run)
    return [
        ComparisonGroup(_letters(index), tuple(group), _settings(group[0]))
        for index, group in enumerate(groups.values())
    ]


def flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values of a nested mapping; an empty one is a value, and so is a list."""
    for key, value in content.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def shared_folder(runs: Iterable[Run]) -> Path:
    """The folder in which, or below which, all runs lie."""
    return Path(os.path.commonpath({str(run.folder.parent) for run in runs}))


def names_of(runs: Sequence[Run], shared: Path) -> str:
    """The folders of ``runs`` below what all runs share; only the first of many."""
    names = [str(run.folder.relative_to(shared)) for run in runs]
    return ", ".join(names) if len(names) < 3 else f"{names[0]} and {len(names) - 1} more"


def _settings(run: Run) -> dict[str, Any]:
    counted = {key: value for key, value in run.config.items() if key not in _BESIDE}
    return {key: value for key, value in flat(counted) if key not in _NOT_COUNTED}


def _key(run: Run) -> str:
    """Equal for runs of one set; a run whose configuration is unknown stands for itself."""
    settings = _settings(run)
    if not settings and run.damaged:
        return str(run.folder)
    return json.dumps([settings, run.ablation.get("acting")], sort_keys=True, default=str)


def _letters(index: int) -> str:
    """A, B, ... Z, AA, AB, ..."""
    first, last = divmod(index, len(ascii_uppercase))
    return (_letters(first - 1) if first else "") + ascii_uppercase[last]
