"""Files: images without a camera, images turned by EXIF, depth maps and their unit."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nerfloss.data.depth_files import read_depth
from nerfloss.data.errors import DataError
from nerfloss.data.formats.image_paths import PHOTOGRAPHS
from nerfloss.data.formats.parsed_scene import ParsedScene
from nerfloss.data.inspection.inspection import Finding, Row, listed, of_all
from nerfloss.data.inspection.view_pictures import ViewPicture
from nerfloss.data.posed_cameras import PosedCameras, spread
from nerfloss.data.region import Region

READ = 5
# Depth maps whose median differs more from the distance to the region are in another unit.
UNIT_FACTOR = 10.0


def file_findings(parsed: ParsedScene, pictures: Sequence[ViewPicture]) -> list[Finding]:
    """Return findings on images without a camera, and on EXIF orientation."""
    findings = []
    without = _without_camera(parsed)
    if without:
        names = ", ".join(without[:4]) + (" ..." if len(without) > 4 else "")
        text = f"{len(without)} images beside the views have no camera ({names})"
        findings.append(Finding("unregistered", text))
    for turned, text in (
        (True, "turned upright by the EXIF orientation, as the camera's size asks"),
        (False, "the EXIF orientation is not applied, as the camera fits the stored pixels"),
    ):
        tagged = (p for p in pictures if p.header.orientation != 1 and p.turned == turned)
        views = [picture.view for picture in tagged]
        if views:
            found = f"{of_all(len(views), len(pictures))} ({listed(parsed, views)})"
            findings.append(Finding("exif", f"{found}: {text}", tuple(views)))
    return findings


def _without_camera(parsed: ParsedScene) -> list[str]:
    """Return images in the folders of the views that belong to no view, by name."""
    known: set[Path] = set()
    stems: dict[Path, set[str]] = {}
    for frame in parsed.frames:
        files = (frame.image, frame.object_mask, frame.ignore_mask, frame.depth, frame.normal)
        files += (frame.depth_confidence,)
        known |= {path.resolve() for path in files if path is not None}
        stems.setdefault(frame.image.parent, set()).add(frame.image.stem)
    found = []
    for folder, views in stems.items():
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.suffix.lower() not in PHOTOGRAPHS or path.resolve() in known:
                continue
            # r_0_depth_0001.png belongs to r_0.png, as renderers write it.
            parts = path.stem.split("_")
            if not any("_".join(parts[:n]) in views for n in range(1, len(parts) + 1)):
                found.append(path.name)
    return found


def depth_rows(parsed: ParsedScene) -> list[Row]:
    """Return the rows on depth and normal maps."""
    rows = []
    count = sum(frame.depth is not None for frame in parsed.frames)
    if count:
        unit, along = parsed.depth.unit, parsed.depth.along
        kind = "along z" if along == "z" else "along rays"
        text = f"{of_all(count, len(parsed.frames))}, unit {unit:g}, {kind}"
        sure = sum(frame.depth_confidence is not None for frame in parsed.frames)
        text += f", with a confidence in {of_all(sure, count, 'maps')}" if sure else ""
        middle = _medians(parsed)
        if middle:
            low, high = min(middle.values()), max(middle.values())
            text += f", medians from {low:.4g} to {high:.4g} in the files' units"
        rows.append(Row("depth maps", text))
    normals = sum(frame.normal is not None for frame in parsed.frames)
    if normals:
        found = of_all(normals, len(parsed.frames))
        rows.append(Row("normal maps", f"{found}, in {parsed.normal.frame} axes"))
    return rows or [Row("depth maps", "none")]


def _medians(parsed: ParsedScene) -> dict[int, float]:
    """Return the median depth of some views; those without a known depth are left out."""
    views = [i for i, frame in enumerate(parsed.frames) if frame.depth is not None]
    found = {}
    for i in spread(len(views), READ):
        path = parsed.frames[views[i]].depth
        try:
            depth = np.zeros(0) if path is None else read_depth(path, parsed.depth.unit)
        except DataError:
            continue
        if (depth > 0).any():
            found[views[i]] = float(np.median(depth[depth > 0]))
    return found


def depth_findings(parsed: ParsedScene, posed: PosedCameras, region: Region) -> list[Finding]:
    """Return findings on depth maps that are unreadable or in another unit than the poses."""
    views = [i for i, frame in enumerate(parsed.frames) if frame.depth is not None]
    if not views:
        return []
    medians = _medians(parsed)
    if not medians:
        return [Finding("depth_unknown", "no depth map that was read holds a depth")]
    distance = np.linalg.norm(posed.centers - region.center, axis=1) + region.radius
    ratio = float(np.median([medians[view] / distance[view] for view in medians]))
    if 1 / UNIT_FACTOR < ratio < UNIT_FACTOR:
        return []
    text = (
        f"the depth maps are {ratio:.3g} times the distance to the region: is their unit "
        f"{parsed.depth.unit:g} of the poses' units?"
    )
    return [Finding("depth_unit", text)]
