"""The runs below a folder: what each was asked to do, how it ended and what it scored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nerfloss.reporting.run_files import RunFiles, group, how_it_ended, numbers, overrides, views

# Without these nobody knows what a run was; the others are beside the point where they are damaged.
_DECISIVE = (".hydra/config.yaml", ".hydra/overrides.yaml", "metrics.json", "ablation.json")


@dataclass(frozen=True)
class Run:
    """One run as its folder tells it.

    ``choices`` are the files chosen by group, ``config`` is what they composed. ``status`` is
    "finished", or says what is wrong and how far the run came; ``damaged`` are files that could not
    be read. Of metrics.json, ``metrics`` holds the numbers, ``views`` those of each view,
    ``conventions`` how each was taken, ``reasons`` why some have no value. ``provenance`` and
    ``ablation`` are the files of these names; empty where there is none.
    """

    folder: Path
    overrides: Mapping[str, str]
    choices: Mapping[str, str]
    config: Mapping[str, Any]
    metrics: Mapping[str, float]
    conventions: Mapping[str, Mapping[str, Any]]
    reasons: Mapping[str, str]
    status: str
    views: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    ablation: Mapping[str, Any] = field(default_factory=dict)
    damaged: tuple[str, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether it has scores that can be compared."""
        return self.status == "finished"

    @property
    def seed(self) -> str:
        """The seed it was started from, as text; "" where nothing says so."""
        return self.setting("seed") or ""

    @property
    def scene(self) -> str:
        """Which scene it was trained on: its name, or its folder's; "" where nothing says so."""
        dataset = group(self.config, "dataset")
        path = dataset.get("path")
        named = dataset.get("scene") or (Path(str(path)).name if path else None)
        return str(named or self.choices.get("dataset", ""))

    def setting(self, key: str) -> str | None:
        """What the run used: by override, by choice of a file, by its config; None if unknown."""
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
    """Every run in ``folder`` or anywhere below it, sorted by path; failed ones included.

    A run is a folder that holds .hydra/. Raises FileNotFoundError where there is none.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}: give a run's or a sweep's folder")
    marks = sorted(folder.rglob(".hydra"))
    runs = [read_run(mark.parent) for mark in marks if mark.is_dir()]
    if not runs:
        found = ", ".join(sorted(entry.name for entry in folder.iterdir())[:8]) or "nothing"
        raise FileNotFoundError(
            f"no runs in {folder}, which holds {found}: a run is a folder with .hydra/ in it, as "
            f"'python train.py' makes under outputs/ and 'python train.py -m' under multirun/"
        )
    return runs


def read_run(folder: Path) -> Run:
    """The run in ``folder``; whatever is missing or damaged shows in its status."""
    files = RunFiles(folder)
    asked = overrides(files.content(".hydra/overrides.yaml"))
    config = files.mapping(".hydra/config.yaml")
    choices = group(files.mapping(".hydra/hydra.yaml"), "hydra", "runtime", "choices")
    scores = files.mapping("metrics.json")
    provenance = files.mapping("provenance.json")
    ablation = files.mapping("ablation.json")
    return Run(
        folder=folder,
        overrides=asked,
        choices=choices,
        config=config,
        metrics=numbers(scores),
        conventions={k: v for k, v in group(scores, "conventions").items() if hasattr(v, "get")},
        reasons={k: str(v) for k, v in group(scores, "reasons").items()},
        status=_status(files, provenance),
        views=views(scores),
        provenance=provenance,
        ablation=ablation,
        damaged=tuple(files.damaged),
    )


def _status(files: RunFiles, provenance: Mapping[str, Any]) -> str:
    damaged = [remark for remark in files.damaged if remark.startswith(_DECISIVE)]
    if damaged:
        return "; ".join(damaged)
    if (files.folder / "metrics.json").is_file():
        return "finished"
    error = provenance.get("error")
    return how_it_ended(files.folder, str(error) if error else None)
