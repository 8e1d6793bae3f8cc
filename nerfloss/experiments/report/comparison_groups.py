"""Groups of runs that differ in nothing but the seed, from any folders."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from nerfloss.assembly.result_settings import affects_scores, flat
from nerfloss.experiments.report.runs import Run


@dataclass(frozen=True)
class ComparisonGroup:
    """Runs that agree in ``settings``, the flat configuration; ``label`` is a letter."""

    label: str
    runs: tuple[Run, ...]
    settings: Mapping[str, Any]

    @property
    def scene(self) -> str:
        """The scene of the runs."""
        return self.runs[0].scene


def comparison_groups(runs: Sequence[Run]) -> list[ComparisonGroup]:
    """Return the groups in order of first appearance; a run that is given twice counts once.

    Raises ValueError for fewer than two runs.
    """
    once = {run.folder: run for run in runs}
    if len(once) < 2:
        raise ValueError(
            f"compare takes at least two runs, got {', '.join(map(str, once))}: add the folder of "
            f"another run, or of a sweep"
        )
    groups: dict[str, list[Run]] = {}
    for run in once.values():
        groups.setdefault(_key(run), []).append(run)
    return [
        ComparisonGroup(_letters(index), tuple(group), _settings(group[0]))
        for index, group in enumerate(groups.values())
    ]


def shared_folder(runs: Iterable[Run]) -> Path:
    """Return the deepest folder that contains all runs."""
    return Path(os.path.commonpath({str(run.folder.parent) for run in runs}))


def names_of(runs: Sequence[Run], shared: Path) -> str:
    """Return the folders of ``runs`` relative to ``shared``; only the first of many."""
    names = [str(run.folder.relative_to(shared)) for run in runs]
    return ", ".join(names) if len(names) < 3 else f"{names[0]} and {len(names) - 1} more"


def _settings(run: Run) -> dict[str, Any]:
    settings = flat(run.config)
    return {key: value for key, value in settings if key != "seed" and affects_scores(key)}


def _key(run: Run) -> str:
    """Return a key that is equal within a group; unique if the configuration is unknown."""
    settings = _settings(run)
    if not settings and run.damaged:
        return str(run.folder)
    return json.dumps([settings, run.ablation.get("acting")], sort_keys=True, default=str)


def _letters(index: int) -> str:
    """Return A, B, ... Z, AA, AB, ..."""
    first, last = divmod(index, len(ascii_uppercase))
    return (_letters(first - 1) if first else "") + ascii_uppercase[last]
