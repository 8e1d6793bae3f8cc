"""The runs below a folder: what each was asked to do, how it ended and what it scored."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nerfloss.conf_files import read_yaml


@dataclass(frozen=True)
class Run:
    """One run as its folder tells it.

    ``choices`` are the files chosen by group, ``config`` is what they composed. ``status`` is
    "finished", or says what is wrong and how far the run came. Of metrics.json, ``metrics`` holds
    the numbers, ``conventions`` how each was taken, ``reasons`` why some have no value.
    """

    folder: Path
    overrides: Mapping[str, str]
    choices: Mapping[str, str]
    config: Mapping[str, Any]
    metrics: Mapping[str, float]
    conventions: Mapping[str, Mapping[str, Any]]
    reasons: Mapping[str, str]
    status: str

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
    overrides = _overrides(folder / ".hydra" / "overrides.yaml")
    config = _mapping(folder / ".hydra" / "config.yaml")
    choices = _choices_of(_mapping(folder / ".hydra" / "hydra.yaml"))
    content: Mapping[str, Any] = {}
    try:
        content = json.loads((folder / "metrics.json").read_text())
        status = "finished"
    except FileNotFoundError:
        status = _how_it_ended(folder)
    except ValueError as error:
        status = f"metrics.json is damaged: {error}"
    return Run(
        folder=folder,
        overrides=overrides,
        choices=choices,
        config=config,
        metrics=_metrics(content),
        conventions=content.get("conventions", {}),
        reasons=content.get("reasons", {}),
        status=status,
    )


def never_started(folder: Path | str, runs: Sequence[Run]) -> int:
    """How many runs of the sweeps in ``folder`` have no folder: those ended before they began.

    Counts the choices written in multirun.yaml; a sweep whose size only hydra can tell
    (``range()``, ``choice()``) counts as complete.
    """
    absent = 0
    for path in Path(folder).rglob("multirun.yaml"):
        begun = sum(run.folder.is_relative_to(path.parent) for run in runs)
        absent += max(_asked(_mapping(path)) - begun, 0)
    return absent


def _asked(saved: Mapping[str, Any]) -> int:
    """The number of runs that a sweep asks for; 0 where that cannot be read off."""
    tasks = ((saved.get("hydra") or {}).get("overrides") or {}).get("task") or []
    values = [str(task).partition("=")[2] for task in tasks]
    return 0 if any("(" in value for value in values) else math.prod(map(_choices, values))


def _choices(value: str) -> int:
    """Number of alternatives in ``a,b,c``: commas inside brackets and quotes do not count."""
    depth, quote, count = 0, "", 1
    for letter in value:
        if quote or letter in "'\"":
            quote = "" if letter == quote else quote or letter
        elif letter in "[{":
            depth += 1
        elif letter in "]}":
            depth -= 1
        elif letter == "," and depth == 0:
            count += 1
    return count


def _overrides(path: Path) -> dict[str, str]:
    """What was asked of a run beyond the defaults, by key; ``~key`` counts as "dropped"."""
    if not path.is_file():
        return {}
    pairs = (str(entry).partition("=") for entry in read_yaml(path) or [])
    return {
        key.lstrip("+"): value if mark else "dropped" if key.startswith("~") else ""
        for key, mark, value in pairs
    }


def _mapping(path: Path) -> Mapping[str, Any]:
    content = read_yaml(path) if path.is_file() else {}
    return content if isinstance(content, Mapping) else {}


def _choices_of(saved: Mapping[str, Any]) -> Mapping[str, str]:
    """The group choices in a run's own copy of the settings of hydra."""
    runtime = (saved.get("hydra") or {}).get("runtime") or {}
    return runtime.get("choices") or {}


def _metrics(content: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of metrics.json: those at its top level; what has none is null there."""
    return {
        name: float(value)
        for name, value in content.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }


def _how_it_ended(folder: Path) -> str:
    """A word on a run without metrics.json, from its log, and its last recorded step."""
    log = "".join(path.read_text(errors="replace") for path in sorted(folder.glob("*.log")))
    stopped = re.findall(r"stopped by \w+ after step \d+", log)
    if stopped:
        return stopped[-1]
    word = "failed" if re.search(r"Traceback|Error\b|\[ERROR\]", log) else "unfinished"
    history = folder / "history.csv"
    lines = history.read_text().splitlines()[1:] if history.is_file() else []
    return (
        f"{word} after step {lines[-1].partition(',')[0]}" if lines else f"{word} before training"
    )
