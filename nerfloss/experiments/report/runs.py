"""Runs below a folder: configuration, status and scores of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from nerfloss.assembly.result_settings import current_override, with_current_names
from nerfloss.experiments.report.run_files import (
    FAILED_AT_ONCE,
    RunFiles,
    group,
    how_it_ended,
    numbers,
    overrides,
    views,
)
from nerfloss.experiments.report.run_folders import RunFolders, find_run_folders

# A run whose file of these names is damaged cannot be compared.
_REQUIRED = (".hydra/config.yaml", ".hydra/overrides.yaml", "metrics.json", "ablation.json")


@dataclass(frozen=True)
class Run:
    """One run as described by the files in its folder.

    ``choices``: the selected option of each config group. ``config``: the composed configuration.
    ``status``: "finished", or the problem and how far the run came. ``damaged``: files that could
    not be read. From metrics.json: ``metrics`` (numbers), ``conventions`` (direction, units and
    settings of each score), ``reasons`` (why a score is missing). ``provenance`` and ``ablation``:
    the files of these names; empty if there is none. ``is_job``: a sweep asked for the run.
    """

    folder: Path
    overrides: Mapping[str, str]
    choices: Mapping[str, str]
    config: Mapping[str, Any]
    metrics: Mapping[str, float]
    conventions: Mapping[str, Mapping[str, Any]]
    reasons: Mapping[str, str]
    status: str
    provenance: Mapping[str, Any] = field(default_factory=dict)
    ablation: Mapping[str, Any] = field(default_factory=dict)
    damaged: tuple[str, ...] = ()
    is_job: bool = True

    @property
    def finished(self) -> bool:
        """True if the run has scores that can be compared."""
        return self.status == "finished"

    @property
    def was_refused(self) -> bool:
        """True for a command of its own, no job of a sweep, that failed before it trained."""
        return not self.is_job and self.status.startswith(FAILED_AT_ONCE)

    @property
    def seed(self) -> str:
        """The seed as text; "" if unknown."""
        return self.setting("seed") or ""

    @cached_property
    def views(self) -> Mapping[str, Mapping[str, float]]:
        """Scores by view, read on first access: they are most of metrics.json."""
        return views(RunFiles(self.folder).mapping("metrics.json"))

    @cached_property
    def scene(self) -> str:
        """Name of the scene, or of its folder; "" if unknown."""
        dataset = group(self.config, "dataset")
        path = dataset.get("path")
        named = dataset.get("scene") or (Path(str(path)).name if path else None)
        return str(named or self.choices.get("dataset", ""))

    def setting(self, key: str) -> str | None:
        """Return a setting's value: from the overrides, the chosen groups, or the configuration.

        None if unknown.
        """
        if key in self.overrides:
            return self.overrides[key]
        if key in self.choices:
            return str(self.choices[key])
        value: Any = self.config
        for part in key.split("."):
            if not isinstance(value, Mapping) or part not in value:
                return None
            value = value[part]
        return None if isinstance(value, (Mapping, list)) else str(value)


def find_runs(folder: Path | str) -> list[Run]:
    """Return every run in a folder, sorted by path, failed ones included.

    A run is a folder that contains .hydra/. Raises FileNotFoundError if there is none.
    """
    return read_runs(find_run_folders(folder))


def read_runs(found: RunFolders) -> list[Run]:
    """Read the runs of these folders. Raises FileNotFoundError if there is none."""
    if not found.runs:
        names = ", ".join(sorted(entry.name for entry in found.root.iterdir())[:8]) or "nothing"
        raise FileNotFoundError(
            f"no runs in {found.root}, which holds {names}: a run is a folder with .hydra/ in it, "
            f"as 'nerfloss train' makes under outputs/ and 'nerfloss train -m' under multirun/"
        )
    return [read_run(found.root / path) for path in found.runs]


def begun(runs: Sequence[Run], named: Sequence[Path] = ()) -> list[Run]:
    """Return the runs without those that were refused; all of them if all were.

    A run whose own folder is among the ``named`` ones stays.
    """
    return [run for run in runs if not run.was_refused or run.folder in named] or [*runs]


def refused_notes(read: Sequence[Run], shown: Sequence[Run]) -> list[str]:
    """Return a note on the refused runs that are not shown, with the newest of their folders."""
    left_out = [run for run in read if run.was_refused and run not in shown]
    if not left_out:
        return []
    newest = max(left_out, key=lambda run: str(run.provenance.get("started") or run.folder.name))
    counted = "1 run was" if len(left_out) == 1 else f"{len(left_out)} runs were"
    return [
        f"{counted} refused before training and not counted, the last in {newest.folder}: "
        f"{newest.status}"
    ]


def read_run(folder: Path) -> Run:
    """Read the files of one run; damaged ones are listed in the result."""
    files = RunFiles(folder)
    scores, provenance = files.mapping("metrics.json"), files.mapping("provenance.json")
    launch = group(files.mapping(".hydra/hydra.yaml"), "hydra")
    fields = {
        "overrides": _renamed(overrides(files.content(".hydra/overrides.yaml"))),
        "choices": _renamed(group(launch, "runtime", "choices")),
        "config": with_current_names(files.mapping(".hydra/config.yaml")),
        "ablation": files.mapping("ablation.json"),
    }
    stated = group(scores, "conventions").items()
    return Run(
        folder,
        **fields,
        metrics=numbers(scores),
        conventions={name: entry for name, entry in stated if isinstance(entry, Mapping)},
        reasons={name: str(reason) for name, reason in group(scores, "reasons").items()},
        status=_status(files, provenance),
        provenance=provenance,
        damaged=tuple(files.damaged),
        is_job=launch.get("mode") != "RUN",
    )


def _renamed(settings: Mapping[str, Any]) -> dict[str, str]:
    return dict(current_override(key, str(value)) for key, value in settings.items())


def _status(files: RunFiles, provenance: Mapping[str, Any]) -> str:
    damaged = [problem for problem in files.damaged if problem.startswith(_REQUIRED)]
    if damaged:
        return "; ".join(damaged)
    if (files.folder / "metrics.json").is_file():
        return "finished"
    error = provenance.get("error")
    return how_it_ended(files.folder, str(error) if error else None)
