"""Folders of runs and sweeps below a folder."""

import os
from dataclasses import dataclass
from pathlib import Path

# Subfolders of a run that contain no runs; skipping them saves most of the directory reads.
_SUBFOLDERS_OF_A_RUN = frozenset({".hydra", "checkpoints", "images", "tensorboard", "figures"})


@dataclass(frozen=True)
class RunFolders:
    """Sorted paths of ``runs`` and ``sweeps`` relative to ``root``; "" is ``root`` itself."""

    root: Path
    runs: tuple[str, ...]
    sweeps: tuple[str, ...]


def find_run_folders(folder: Path | str) -> RunFolders:
    """Return the runs (folders that contain .hydra/) and sweeps (multirun.yaml) in a folder.

    Symbolic links to folders are not followed. Raises FileNotFoundError for a missing folder.
    """
    root = Path(folder)
    if not root.is_dir():
        raise FileNotFoundError(f"there is no folder {root}: give a run's or a sweep's folder")
    runs, sweeps = list[str](), list[str]()
    for path, folders, files in os.walk(root):
        inside = "" if Path(path) == root else Path(path).relative_to(root).as_posix()
        if ".hydra" in folders:
            runs.append(inside)
            folders[:] = [name for name in folders if name not in _SUBFOLDERS_OF_A_RUN]
        if "multirun.yaml" in files:
            sweeps.append(inside)
    return RunFolders(root, tuple(sorted(runs, key=_parts)), tuple(sorted(sweeps, key=_parts)))


def _parts(path: str) -> list[str]:
    return path.split("/") if path else []
