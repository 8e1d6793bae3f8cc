"""A judged folder: scores in the files of a run, so that reports read it beside runs."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nerfloss.assembly.config_files import as_yaml
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


def check_free(folder: Path) -> None:
    """Raise DataError for a folder that holds a trained run: its scores would be overwritten."""
    if (folder / "checkpoints").exists() or (folder / "history.csv").exists():
        raise DataError(folder, "holds a trained run", "choose another folder: -o FOLDER")


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
    and ``words`` what the user typed. Raises DataError for the folder of a trained run.
    """
    check_free(folder)
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
