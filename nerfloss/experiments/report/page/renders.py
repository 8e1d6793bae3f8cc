"""Section on images: photographs and renders with a slider, and error maps."""

import json
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

from nerfloss.evaluation.image_grid import image_name
from nerfloss.experiments.report.page.panels import as_data_url, panels_of, read_panel
from nerfloss.experiments.report.page.section import LeftOut, Section, Widget
from nerfloss.experiments.report.page.study import Group, Study

TITLE = "Renders"
KINDS = {"rendered": "rendered", "error": "error map", "depth": "depth", "normals": "normals"}
# (up to this number of variants, views, pixels along the longer side, kinds of images): keeps the
# page of thirty variants at about ten megabytes.
IMAGE_BUDGETS = (
    (2, 6, 640, 4),
    (8, 3, 480, 4),
    (16, 2, 400, 4),
    (40, 1, 320, 3),
    (10**9, 1, 200, 2),
)
MAX_GROUPS = 80


def renders(study: Study) -> Section | LeftOut:
    """Return images of each variant's first finished run, for views that all variants have."""
    groups = [group for group in study.groups if panels_of(group.shown.folder)][:MAX_GROUPS]
    if not groups:
        return LeftOut(TITLE, "no run has images: evaluate with eval.images=true")
    views, longest, kinds = next(rest for count, *rest in IMAGE_BUDGETS if len(groups) <= count)
    pictures: dict[str, str] = {}
    scenes: dict[str, Any] = {}
    for scene in dict.fromkeys(group.scene for group in groups):
        members = [group for group in groups if group.scene == scene]
        for view in _spread(_shared_views(members), views):
            found = {
                group.label: dict(_pictures(group, view, list(KINDS)[:kinds], longest, pictures))
                for group in members
            }
            shown = {label: kinds for label, kinds in found.items() if kinds}
            if shown:
                entry = _entry(shown, members, view)
                scenes.setdefault(scene, {"views": {}})["views"][view] = entry
    if not scenes:
        return LeftOut(TITLE, "no view has a readable image of every variant")
    data = {"pictures": pictures, "scenes": scenes, "kinds": dict(list(KINDS.items())[:kinds])}
    reading = (
        "Drag the divider. Each side shows the photograph, or the render, error map, depth or "
        "normals of a variant's first finished seed, for the same view."
    )
    widget = Widget("renders", as_json(data), caption="Black: no error; yellow: 0.2 or more.")
    return Section("renders", TITLE, reading, [widget])


def as_json(data: Any) -> str:
    """Return JSON that is safe inside a script element."""
    return json.dumps(data, separators=(",", ":")).replace("<", r"\u003c")


def _entry(shown: dict[str, dict[str, str]], members: Sequence[Group], view: str) -> dict[str, Any]:
    """Return the image keys of a view by variant, and its PSNR."""
    photographs = [kinds.pop("photograph", None) for kinds in shown.values()]
    psnr = {group.label: _psnr(group, view) for group in members}
    return {"photograph": next(filter(None, photographs), None), "runs": shown, "psnr": psnr}


def _psnr(group: Group, view: str) -> float | None:
    views = {image_name(name): row for name, row in group.shown.views.items()}
    return views.get(view, {}).get("psnr")


def _pictures(
    group: Group, view: str, kinds: Sequence[str], longest: int, pictures: dict[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield kinds and keys of a view's images; add the images to ``pictures`` without repeats."""
    try:
        panel = read_panel(panels_of(group.shown.folder)[view])
    except OSError:  # truncated, or not an image
        return
    for kind, picture in panel.items():
        if kind in (*kinds, "photograph"):
            key = sha256(picture.tobytes()).hexdigest()[:12]
            if key not in pictures:
                pictures[key] = as_data_url(picture, longest=longest)
            yield kind, key


def _shared_views(groups: Sequence[Group]) -> list[str]:
    """Return the views of which every group has an image."""
    first, *others = [panels_of(group.shown.folder) for group in groups]
    return [view for view in first if all(view in other for other in others)]


def _spread(names: Sequence[str], count: int) -> list[str]:
    """Return at most ``count`` names, evenly spaced."""
    if len(names) <= count:
        return list(names)
    return [names[i * len(names) // count] for i in range(count)]
