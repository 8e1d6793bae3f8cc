"""Runs to be compared, whatever folders they lie in: those that differ in nothing but the seed
are one set."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from nerfloss.reporting.runs import Run, find_runs

# What says how a run was started and not what it computes.
_NOT_COUNTED = frozenset({"seed", "seeds", "trainer.resume"})


@dataclass(frozen=True)
class RunSet:
    """``label`` is a letter; ``settings`` is the flat configuration that its runs share."""

    label: str
    runs: tuple[Run, ...]
    settings: Mapping[str, Any]

    @property
    def scene(self) -> str:
        """The scene of all its runs."""
        return self.runs[0].scene


def run_sets(folders: Sequence[Path]) -> list[RunSet]:
    """The sets among all runs in ``folders`` and below them, in the order given.

    Raises FileNotFoundError for a folder without runs, ValueError for fewer than two runs.
    """
    runs = {run.folder.resolve(): run for folder in folders for run in find_runs(folder)}
    if len(runs) < 2:
        raise ValueError(
            f"compare takes at least two runs, and {', '.join(map(str, folders))} holds one: give "
            f"another run's folder, or a sweep's"
        )
    groups: dict[str, list[Run]] = {}
    for run in runs.values():
        groups.setdefault(_key(run), []).append(run)
    return [
        RunSet(_letters(index), tuple(group), _settings(group[0]))
        for index, group in enumerate(groups.values())
    ]


def flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values of a nested mapping; an empty one is a value, and so is a list."""
    for key, value in content.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def names_of(runs: Sequence[Run], every: Sequence[Run]) -> str:
    """The folders of ``runs`` below what all runs share; only the first of many."""
    shared = Path(os.path.commonpath([run.folder.resolve().parent for run in every]))
    names = [str(run.folder.resolve().relative_to(shared)) for run in runs]
    return ", ".join(names) if len(names) < 3 else f"{names[0]} and {len(names) - 1} more"


def _settings(run: Run) -> dict[str, Any]:
    return {key: value for key, value in flat(run.config) if key not in _NOT_COUNTED}


def _key(run: Run) -> str:
    """Equal for runs of one set; a run whose configuration is unknown stands for itself."""
    settings = _settings(run)
    if not settings and run.damaged:
        return str(run.folder.resolve())
    return json.dumps([settings, run.ablation.get("acting")], sort_keys=True, default=str)


def _letters(index: int) -> str:
    """A, B, ... Z, AA, AB, ..."""
    first, last = divmod(index, len(ascii_uppercase))
    return (_letters(first - 1) if first else "") + ascii_uppercase[last]
