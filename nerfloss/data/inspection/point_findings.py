"""Sparse points: how they are seen, how well they project to where they were observed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nerfloss.data.formats.parsed_scene import ParsedPoints, ParsedScene
from nerfloss.data.inspection.inspection import Finding, Row, listed
from nerfloss.data.inspection.view_pictures import ViewPicture
from nerfloss.data.posed_cameras import PosedCameras

# Pixels, per 1000 of the image's longer side: structure from motion stays below one.
LARGE = 4.0
BEHIND = 0.02


@dataclass(frozen=True)
class Reprojection:
    """Distances in pixels between observations and the projections of their points.

    ``behind`` are the observations whose point lies behind the camera: their error is NaN.
    """

    error: Float[np.ndarray, "observations"]
    behind: float


def reproject(points: ParsedPoints, posed: PosedCameras) -> Reprojection | None:
    """Project each observed point into its view; None if no observed pixels are known."""
    if points.observations is None or points.pixels is None or not len(points.observations):
        return None
    error = np.full(len(points.observations), np.nan)
    for view, which in by_view(points, len(posed)):
        positions = points.positions[points.observations[which, 1]].astype(np.float64)
        pixel, depth = posed.project(positions, view)
        distance = np.linalg.norm(pixel - points.pixels[which], axis=1)
        error[which] = np.where(depth > 0, distance, np.nan)
    return Reprojection(error, float(np.isnan(error).mean()))


def by_view(points: ParsedPoints, views: int) -> list[tuple[int, np.ndarray]]:
    """Return the views that have observations, each with the indices of these."""
    assert points.observations is not None
    order = np.argsort(points.observations[:, 0], kind="stable")
    bounds = np.searchsorted(points.observations[order, 0], np.arange(views + 1))
    parts = [order[bounds[view] : bounds[view + 1]] for view in range(views)]
    return [(view, part) for view, part in enumerate(parts) if len(part)]


def point_rows(points: ParsedPoints | None, reprojection: Reprojection | None) -> list[Row]:
    """Return the rows on number, visibility and reprojection error of the points."""
    if points is None or not len(points.positions):
        return [Row("sparse points", "none")]
    text = f"{len(points.positions)}"
    if points.observations is not None and len(points.observations):
        seen = np.bincount(points.observations[:, 1], minlength=len(points.positions))
        text += f", each seen in {seen.mean():.3g} views (median {np.median(seen):g})"
    rows = [Row("sparse points", text)]
    if reprojection is not None and reprojection.behind < 1:
        error = reprojection.error[np.isfinite(reprojection.error)]
        stated = points.error if points.error is not None else np.zeros(0)
        stated = stated[np.isfinite(stated)]
        compared = f"; the files state {stated.mean():.3g}" if len(stated) else ""
        text = f"mean {error.mean():.3g} px, median {np.median(error):.3g} px{compared}"
        rows.append(Row("reprojection error", text))
    return rows


def point_findings(
    parsed: ParsedScene, posed: PosedCameras, reprojection: Reprojection | None
) -> list[Finding]:
    """Return findings on views with few points, points behind cameras, and large errors."""
    points = parsed.points
    if points is None or points.observations is None or not len(points.observations):
        return []
    findings = _few_points(parsed, points)
    if reprojection is None:
        return findings
    if reprojection.behind > BEHIND:
        text = (
            f"{reprojection.behind:.0%} of the observed points lie behind their camera: the poses "
            "do not belong to these points, or their axes are flipped"
        )
        findings.append(Finding("points_behind", text))
    wrong = []
    for view, which in by_view(points, len(posed)):
        error = reprojection.error[which]
        longer = max(posed.cameras[view].width, posed.cameras[view].height)
        if np.isfinite(error).any() and np.nanmedian(error) > LARGE * max(1.0, longer / 1000):
            wrong.append(view)
    if wrong:
        text = (
            f"{listed(parsed, wrong)}: points project to more than {LARGE:g} px from where they "
            "were observed (pose, focal length or distortion do not fit)"
        )
        findings.append(Finding("reprojection", text, tuple(wrong)))
    return findings


def _few_points(parsed: ParsedScene, points: ParsedPoints) -> list[Finding]:
    assert points.observations is not None
    count = np.bincount(points.observations[:, 0], minlength=len(parsed.frames))
    limit = max(8.0, 0.1 * float(np.median(count)))
    few = [int(view) for view in np.flatnonzero(count < limit)]
    if not few or len(few) > 0.5 * len(count):
        return []
    text = (
        f"{listed(parsed, few)}: fewer than {limit:.0f} sparse points (median "
        f"{np.median(count):g}): the pose may be wrong"
    )
    return [Finding("few_points", text, tuple(few))]


def exposure_by_points(
    points: ParsedPoints | None, posed: PosedCameras, pictures: Sequence[ViewPicture]
) -> Float[np.ndarray, "pictures"] | None:
    """Return how many times brighter each picture shows points than the other pictures do.

    None if it is unknown who observes what, or few points are shared. Observed pixels are those of
    the files, else the projections of the points.
    """
    if points is None or points.observations is None or len(points.observations) < 100:
        return None
    views = dict(by_view(points, len(posed)))
    logs = np.full(len(points.observations), np.nan)
    for picture in pictures:
        which = views.get(picture.view)
        if which is not None:
            logs[which] = np.log2(_sampled(points, posed, picture, which) + 4.0)
    known = np.isfinite(logs)
    index = points.observations[:, 1]
    total = np.bincount(index[known], logs[known], minlength=len(points.positions))
    count = np.bincount(index[known], minlength=len(points.positions))
    mean = total / np.maximum(count, 1)
    logs[count[index] < 2] = np.nan
    factors = np.ones(len(pictures))
    for i, picture in enumerate(pictures):
        which = views.get(picture.view, np.zeros(0, dtype=np.int64))
        difference = (logs - mean[index])[which]
        difference = difference[np.isfinite(difference)]
        factors[i] = 2.0 ** np.median(difference) if len(difference) >= 20 else 1.0
    return factors


def _sampled(
    points: ParsedPoints, posed: PosedCameras, picture: ViewPicture, which: np.ndarray
) -> Float[np.ndarray, "observations"]:
    """Return the brightness of a picture at observations of its view; NaN outside of it."""
    assert points.observations is not None
    if points.pixels is not None:
        pixel = points.pixels[which].astype(np.float64)
    else:
        positions = points.positions[points.observations[which, 1]].astype(np.float64)
        pixel = posed.project(positions, picture.view)[0]
    camera, grey = posed.cameras[picture.view], picture.grey
    size = np.array([grey.shape[1] / camera.width, grey.shape[0] / camera.height])
    column, row = np.floor(np.nan_to_num(pixel, nan=-1.0).clip(-1, 1e6) * size).astype(int).T
    inside = (column >= 0) & (row >= 0) & (column < grey.shape[1]) & (row < grey.shape[0])
    values = np.full(len(which), np.nan)
    values[inside] = grey[row[inside], column[inside]]
    return values
