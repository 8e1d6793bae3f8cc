"""Where the runs and the sweeps below a folder lie: one walk over its directories."""

import os
from dataclasses import dataclass
from pathlib import Path

# What a run keeps beside its files: no run lies in there, and thousands of runs have many.
_INSIDE_A_RUN = frozenset({".hydra", "checkpoints", "images", "tensorboard", "figures"})


@dataclass(frozen=True)
class Tree:
    """``runs`` and ``sweeps`` are paths below ``root``, sorted; "" is ``root`` itself."""

    root: Path
    runs: tuple[str, ...]
    sweeps: tuple[str, ...]


def walk(folder: Path | str) -> Tree:
    """The runs (folders that hold .hydra/) and sweeps (those with multirun.yaml) in a folder.

    Links to other folders are not followed. Raises FileNotFoundError where there is no folder.
    """
    root = Path(folder)
    if not root.is_dir():
        raise FileNotFoundError(f"there is no folder {root}: give a run's or a sweep's folder")
    runs, sweeps, waiting = list[str](), list[str](), [""]
    while waiting:
        inside = waiting.pop()
        below, names = _entries(os.path.join(root, inside))
        if ".hydra" in below:
            runs.append(inside)
            below -= _INSIDE_A_RUN
        if "multirun.yaml" in names:
            sweeps.append(inside)
        waiting += [f"{inside}/{name}" if inside else name for name in below]
    return Tree(root, tuple(sorted(runs, key=_parts)), tuple(sorted(sweeps, key=_parts)))


def _entries(folder: str) -> tuple[set[str], set[str]]:
    """Names of the folders in a folder, and of what else is there; nothing where it vanished."""
    folders, others = set[str](), set[str]()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                (folders if entry.is_dir(follow_symlinks=False) else others).add(entry.name)
    except (FileNotFoundError, PermissionError, NotADirectoryError):
        return set(), set()
    return folders, others


def _parts(path: str) -> list[str]:
    return path.split("/") if path else []
