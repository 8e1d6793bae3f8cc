"""The runs below a folder: what each was asked to do, how it ended and what it scored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from nerfloss.experiments.report.index import Index, opened
from nerfloss.experiments.report.mtimes import stamp_of
from nerfloss.experiments.report.run_discovery import Tree, walk
from nerfloss.experiments.report.run_files import (
    RunFiles,
    group,
    how_it_ended,
    numbers,
    overrides,
    views,
)
from nerfloss.experiments.report.yaml_blocks import read_choices

# Without these nobody knows what a run was; the others are beside the point where they are damaged.
_DECISIVE = (".hydra/config.yaml", ".hydra/overrides.yaml", "metrics.json", "ablation.json")


@dataclass(frozen=True)
class Run:
    """One run as its folder tells it.

    ``choices`` are the files chosen by group, ``config`` is what they composed. ``status`` is
    "finished", or says what is wrong and how far the run came; ``damaged`` are files that could not
    be read. Of metrics.json, ``metrics`` holds the numbers, ``conventions`` how each was taken,
    ``reasons`` why some have no value. ``provenance`` and ``ablation`` are the files of these
    names; empty where there is none. Runs share the parts of these mappings that are equal.
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

    @property
    def finished(self) -> bool:
        """Whether it has scores that can be compared."""
        return self.status == "finished"

    @property
    def seed(self) -> str:
        """The seed it was started from, as text; "" where nothing says so."""
        return self.setting("seed") or ""

    @cached_property
    def views(self) -> Mapping[str, Mapping[str, float]]:
        """The scores of each view, read when they are asked for: they are most of metrics.json."""
        return views(RunFiles(self.folder).mapping("metrics.json"))

    @cached_property
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
    return runs_in(walk(folder))


def runs_in(tree: Tree) -> list[Run]:
    """The runs of a folder; those that were read before, and have not changed, from its index.

    Raises FileNotFoundError where there is none.
    """
    stamps = stamps_in(tree)
    with opened(tree.root, stamps) as index:
        return runs_of(tree.root, stamps, index)


def stamps_in(tree: Tree) -> dict[str, str | None]:
    """When the runs of a folder last changed, by path. Raises FileNotFoundError without any."""
    if not tree.runs:
        found = ", ".join(sorted(entry.name for entry in tree.root.iterdir())[:8]) or "nothing"
        raise FileNotFoundError(
            f"no runs in {tree.root}, which holds {found}: a run is a folder with .hydra/ in it, "
            f"as 'python train.py' makes under outputs/ and 'python train.py -m' under multirun/"
        )
    return {path: stamp_of(str(tree.root / path)) for path in tree.runs}


def runs_of(root: Path, stamps: Mapping[str, str | None], index: Index) -> list[Run]:
    """The runs with these stamps, from the index where it knows them."""
    known, runs = index.known(stamps), []
    for path, stamp in stamps.items():
        folder = root / path
        facts = known.pop(path, None) or index.keep(path, stamp, _facts(folder))
        runs.append(_run(folder, facts))
    return runs


def _run(folder: Path, facts: Mapping[str, Any]) -> Run:
    return Run(folder, **{**facts, "damaged": tuple(facts["damaged"])})


def _facts(folder: Path) -> dict[str, Any]:
    """What a run's files say, by the names of the fields of `Run`."""
    files = RunFiles(folder)
    asked = overrides(files.content(".hydra/overrides.yaml"))
    config = files.mapping(".hydra/config.yaml")
    choices = files.mapping(".hydra/hydra.yaml", read_choices)
    scores = files.mapping("metrics.json")
    provenance = files.mapping("provenance.json")
    ablation = files.mapping("ablation.json")
    return {
        "overrides": asked,
        "choices": choices,
        "config": config,
        "metrics": numbers(scores),
        "conventions": {k: v for k, v in group(scores, "conventions").items() if hasattr(v, "get")},
        "reasons": {k: str(v) for k, v in group(scores, "reasons").items()},
        "status": _status(files, provenance),
        "provenance": provenance,
        "ablation": ablation,
        "damaged": files.damaged,
    }


def _status(files: RunFiles, provenance: Mapping[str, Any]) -> str:
    damaged = [remark for remark in files.damaged if remark.startswith(_DECISIVE)]
    if damaged:
        return "; ".join(damaged)
    if (files.folder / "metrics.json").is_file():
        return "finished"
    error = provenance.get("error")
    return how_it_ended(files.folder, str(error) if error else None)
