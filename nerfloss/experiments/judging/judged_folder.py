"""A judged folder: scores in the files of a run, so that reports read it beside runs."""

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nerfloss.assembly.config_files import as_yaml, read_yaml
from nerfloss.assembly.provenance import recorded
from nerfloss.data.errors import DataError
from nerfloss.experiments.judging.judge_images import Judgement
from nerfloss.files import atomic_write

log = logging.getLogger(__name__)

# Names of folders that say nothing of their scene or method.
GENERIC = (
    "test", "train", "val", "images", "image", "rgb", "gt", "gt-rgb", "renders", "render", "color",
    "pred", "mesh", "truth", "results", "eval", "points", "stl",
)  # fmt: skip
MARK = "judged"  # key of the configuration of a judged folder


def telling_name(path: Path) -> str:
    """Return the name of a file or folder, or of the first folder above whose name tells more."""
    for each in (Path(path.stem) if path.is_file() else path, *path.absolute().parents):
        if each.name and each.name.lower() not in GENERIC:
            return each.name
    return path.name


def default_folder(name: str) -> Path:
    """Return judged/NAME. Raises ValueError for a name that is not that of one folder."""
    if name in ("", ".", "..") or re.search(r"[/\\\0]", name):
        raise ValueError(f"--name {name}: it names no folder below judged/; state one: -o FOLDER")
    return Path("judged") / name


def check_free(folder: Path, inputs: Mapping[str, Any]) -> None:
    """Raise DataError for a folder whose scores would be overwritten by those of other inputs.

    That is the folder of a trained run, and one in which another result was judged.
    """
    if next((each for each in (folder, *folder.parents) if each.exists()), folder).is_file():
        raise DataError(folder, "is a file, or below one", "choose a folder: -o FOLDER")
    if (folder / "checkpoints").exists() or (folder / "history.csv").exists():
        raise DataError(folder, "holds a trained run", "choose another folder: -o FOLDER")
    config = folder / ".hydra" / "config.yaml"
    if not config.is_file():
        return
    before = read_yaml(config)
    judged = before.get(MARK) if isinstance(before, dict) else None
    if not isinstance(judged, dict):
        raise DataError(folder, "holds a run", "choose another folder: -o FOLDER")
    for key, value in inputs.items():
        if (other := judged.get(key)) != value:
            found = f"holds the scores of another result ({key} {other}, now {value})"
            raise DataError(folder, found, "choose another folder: -o FOLDER")


def write_judged(
    folder: Path,
    judgement: Judgement,
    *,
    name: str,
    scene: str,
    inputs: Mapping[str, Any],
    command: str,
    words: Sequence[str],
) -> None:
    """Write metrics.json, provenance.json and .hydra/ of a judged folder.

    ``name`` is the method's, ``inputs`` are the paths and settings that were judged, ``command``
    and ``words`` what the user typed. Raises DataError for a folder with other scores.
    """
    check_free(folder, inputs)
    config = {
        "dataset": {"scene": scene},
        MARK: {"name": name, **inputs, **judgement.facts},
    }
    with recorded(folder, config, overrides=words) as provenance:
        provenance["command"] = command
        provenance["notes"] = [*judgement.notes, *judgement.problems]
        texts = {"config.yaml": as_yaml(config), "overrides.yaml": "[]\n"}
        for file, text in texts.items():
            atomic_write(folder / ".hydra" / file, text.encode())
        judgement.evaluation.write(folder)
