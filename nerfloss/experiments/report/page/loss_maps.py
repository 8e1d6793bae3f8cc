"""Section on loss maps: what ``nerfloss maps`` wrote into the folders of the runs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nerfloss.experiments.report.page.panels import as_data_url
from nerfloss.experiments.report.page.section import LeftOut, Picture, Pictures, Section
from nerfloss.experiments.report.page.study import Study
from nerfloss.experiments.report.runs import Run

TITLE = "Loss maps"
# Kept to some two megabytes: variants, views of each, and pixels along the longer side.
MAX_GROUPS, MAX_VIEWS, LONGEST = 8, 2, 256
PLAIN = {"render": "rendered", "photo": "photograph", "error": "error"}


def loss_maps(study: Study) -> Section | LeftOut:
    """Return the maps of each variant's first finished run beside its rendering."""
    blocks = [block for group in study.groups for block in _of_run(group.shown, group.label)]
    if not blocks:
        return LeftOut(
            TITLE, "no run has any of its last training: nerfloss maps <run> writes them"
        )
    reading = (
        "The values of each term before the mean, unweighted, on the pixels of a view; under each "
        "map its range, which is that of all views of the run. Grey: the term says nothing there."
    )
    return Section("loss-maps", TITLE, reading, blocks[: MAX_GROUPS * MAX_VIEWS])


def _of_run(run: Run, label: str) -> Iterator[Pictures]:
    """Yield the pictures of the first views.

    None where the folder is not as it is written, or was before the run was trained again.
    """
    folder = run.folder / "loss_maps"
    try:
        described = json.loads((folder / "maps.json").read_text())
        kinds = PLAIN | {
            str(kind): str(about["title"]) for kind, about in described["maps"].items()
        }
        views = [(str(view["name"]), str(view["files"])) for view in described["views"]]
        step, split = int(described["step"]), str(described["split"])
        ended = described.get("ended")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return
    if ended is not None and ended != run.provenance.get("ended"):
        return
    for view, files in views[:MAX_VIEWS]:
        pictures = [
            Picture(title, url)
            for kind, title in kinds.items()
            if (url := _data_url(folder, f"{files}.{kind}.png")) is not None
        ]
        if pictures:
            yield Pictures(pictures, f"{label}: {split} view {view}, step {step}")


def _data_url(folder: Path, name: str) -> str | None:
    """Return a picture of the folder as a data URL; None where there is none of this name."""
    path = folder / name
    # The name is from a file of the run: it may not lead out of the folder.
    if path.parent != folder or Path(name).name != name:
        return None
    try:
        with Image.open(path) as image:
            picture: Any = np.asarray(image.convert("RGB"))
    except (OSError, ValueError):
        return None
    return as_data_url(picture, longest=LONGEST)
