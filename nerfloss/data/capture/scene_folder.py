"""The folder of a captured scene: made anew, continued, or refused if it holds other things."""

import json
import shutil
from pathlib import Path
from typing import Any

from nerfloss.data.errors import DataError
from nerfloss.files import atomic_write

WORK = ".capture"


def open_scene_folder(source: Path, scene: Path, settings: dict[str, Any]) -> Path:
    """Return the folder of intermediate results, ``<scene>/.capture``.

    What an earlier capture left is kept if the source and the settings are the same, and removed
    if they are not. Raises DataError if there is no source, if the scene's folder holds anything
    that no capture wrote, or if one of the two folders lies in the other.
    """
    if not source.exists():
        raise DataError(source, "no such file or folder", "give a folder of photographs or a video")
    inside, outside = scene.resolve(), source.resolve()
    if source.is_dir() and (inside.is_relative_to(outside) or outside.is_relative_to(inside)):
        found = f"the photographs in {source} would mix with the scene's own images"
        raise DataError(scene, found, "choose a folder beside the photographs: -o <folder>")
    if scene.exists() and not scene.is_dir():
        raise DataError(scene, "a file", "choose another folder: -o <folder>")
    work, plan = scene / WORK, scene / WORK / "plan.json"
    wanted = {"source": _fingerprint(source), "settings": settings}
    if scene.is_dir() and any(scene.iterdir()):
        if not plan.is_file():
            found = "the folder is not empty, and no capture wrote it"
            raise DataError(scene, found, "choose another folder: -o <folder>")
        if _read(plan) == wanted:
            return work
        for name in ("images", "sparse", "masks", WORK):
            shutil.rmtree(scene / name, ignore_errors=True)
    atomic_write(plan, json.dumps(wanted).encode())
    return work


def _read(plan: Path) -> Any:
    try:
        return json.loads(plan.read_text())
    except ValueError:
        return None


def _fingerprint(source: Path) -> list[list[Any]]:
    """Return names, sizes and times of the files; a list of lists, as JSON gives it back."""
    files = [source] if source.is_file() else [p for p in source.rglob("*") if p.is_file()]
    rows = []
    for path in sorted(files):
        status = path.stat()
        rows.append([str(path.resolve()), status.st_size, status.st_mtime_ns])
    return rows
