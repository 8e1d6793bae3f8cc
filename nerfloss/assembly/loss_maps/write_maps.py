"""Files of the loss maps of a run: pictures, values, a description, and a page with all of them."""

import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from nerfloss.assembly.export.opened_run import OpenedRun
from nerfloss.assembly.loss_maps.drawn_maps import Drawn, drawn_maps
from nerfloss.assembly.loss_maps.map_page import map_page
from nerfloss.assembly.loss_maps.map_pictures import (
    Picture,
    error_picture,
    map_picture,
    normal_picture,
    png,
    rgb_picture,
)
from nerfloss.assembly.loss_maps.run_maps import (
    MapRequest,
    ViewMaps,
    chosen_views,
    downscale_of,
    maps_of_run,
)
from nerfloss.assembly.provenance import read_provenance
from nerfloss.evaluation.image_grid import image_name
from nerfloss.files import atomic_write

# The folder in that of a run, and the file that describes what is in it.
FOLDER, DESCRIPTION, PAGE = "loss_maps", "maps.json", "index.html"
# Pictures of a view beside its maps.
KINDS = ("render", "photo", "error", "normal")


def write_maps(opened: OpenedRun, request: MapRequest, folder: Path) -> list[str]:
    """Write the maps of a run's views into a folder, and return what was assumed, as notes.

    Raises ValueError for views or terms that the run does not have, before anything is written.
    """
    count = len(chosen_views(opened, request))
    views: list[ViewMaps] = []
    opened.progress("views", 0, count)
    for view in maps_of_run(opened, request):
        views.append(view)
        opened.progress("views", len(views), count)
    _remove_previous(folder)
    drawn = drawn_maps(views)
    pictures = {view.view: pictures_of(view, drawn) for view in views}
    for view in views:
        name = image_name(view.view)
        for kind, picture in pictures[view.view].items():
            atomic_write(folder / f"{name}.{kind}.png", png(picture))
        atomic_write(folder / f"{name}.npz", _values(view, drawn))
    described = description(opened, request, views, drawn)
    atomic_write(folder / DESCRIPTION, json.dumps(described, indent=1).encode())
    atomic_write(folder / PAGE, map_page(described, drawn, pictures).encode())
    return _notes(opened, request, views)


def pictures_of(view: ViewMaps, drawn: dict[str, Drawn]) -> dict[str, Picture]:
    """Return the pictures of a view by kind: its rendering and photograph, then its maps."""
    pictures = {"render": rgb_picture(view.rgb)}
    if view.photo is not None:
        pictures["photo"] = rgb_picture(view.photo)
        pictures["error"] = error_picture(view.rgb, view.photo)
    if view.normal is not None:
        pictures["normal"] = normal_picture(view.normal)
    return pictures | {
        name: map_picture(kind.images[view.view], kind.range, kind.unit)
        for name, kind in drawn.items()
        if view.view in kind.images
    }


def description(
    opened: OpenedRun, request: MapRequest, views: Sequence[ViewMaps], drawn: dict[str, Drawn]
) -> dict[str, object]:
    """Return what maps.json holds: the step, the views, each kind of map, what has none and why.

    ``ended`` is when the training ended whose result is drawn: a later one makes the maps outdated.
    """
    first = views[0].maps
    return {
        "run": opened.folder.resolve().name,
        "step": opened.run.trainer.step,
        "ended": (read_provenance(opened.folder) or {}).get("ended"),
        "split": request.split,
        "downscale": downscale_of(opened, request),
        "views": [{"name": view.view, "files": image_name(view.view)} for view in views],
        "terms": {
            name: {
                "weight": term.weight,
                "drawn": term.drawn,
                "mean": {view.view: view.maps[name].mean for view in views if name in view.maps},
            }
            for name, term in first.items()
        },
        "maps": {
            name: {"title": kind.title, "unit": kind.unit, "range": asdict(kind.range)}
            for name, kind in drawn.items()
        },
        "not_drawn": dict(first.not_drawn),
    }


def _remove_previous(folder: Path) -> None:
    """Remove the files of an earlier call, which may be of other views; nothing else."""
    try:
        described = json.loads((folder / DESCRIPTION).read_text())
        names = [str(view["files"]) for view in described["views"]]
        kinds = [*KINDS, *described["maps"]]
    except (OSError, ValueError, KeyError, TypeError):
        return
    for name in names:
        for file in (f"{name}.npz", *(f"{name}.{kind}.png" for kind in kinds)):
            if Path(file).name == file:
                (folder / file).unlink(missing_ok=True)


def _values(view: ViewMaps, drawn: dict[str, Drawn]) -> bytes:
    """Return the values of a view as NumPy stores several arrays."""
    arrays = {
        name: kind.images[view.view] for name, kind in drawn.items() if view.view in kind.images
    }
    for name, term in view.maps.items():
        arrays |= {f"sums_{name}": term.sums.numpy(), f"kept_{name}": term.kept.numpy()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays, allow_pickle=False)
    return buffer.getvalue()


def _notes(opened: OpenedRun, request: MapRequest, views: Sequence[ViewMaps]) -> list[str]:
    factor = downscale_of(opened, request)
    height, width = views[0].rgb.shape[:2]
    kept = "every pixel" if factor == 1 else f"one pixel in {factor} x {factor}"
    notes = [
        f"{request.split} views {', '.join(view.view for view in views)} at {width} x {height}, "
        f"{kept} (--downscale {factor}), at step {opened.run.trainer.step}"
    ]
    return notes + [f"no map of {name}: {why}" for name, why in views[0].maps.not_drawn.items()]
