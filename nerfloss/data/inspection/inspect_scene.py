"""Inspect a parsed scene: read small copies of its images, and collect rows and findings."""

import numpy as np
from jaxtyping import Int

from nerfloss.data.camera_checks import check_cameras
from nerfloss.data.common_view import estimate_up
from nerfloss.data.errors import DataError
from nerfloss.data.formats.image_sizes import counted
from nerfloss.data.formats.parsed_scene import ParsedScene
from nerfloss.data.hull_ball import OPAQUE
from nerfloss.data.inspection.camera_rows import camera_rows
from nerfloss.data.inspection.epipolar import epipolar_error, epipolar_findings, epipolar_row
from nerfloss.data.inspection.file_findings import depth_findings, depth_rows, file_findings
from nerfloss.data.inspection.hull_points import hull_points
from nerfloss.data.inspection.image_findings import image_findings
from nerfloss.data.inspection.inspection import Finding, Inspection, Row
from nerfloss.data.inspection.mask_findings import mask_findings, mask_rows
from nerfloss.data.inspection.nearest_views import nearest_views
from nerfloss.data.inspection.point_findings import (
    exposure_by_points,
    point_findings,
    point_rows,
    reproject,
)
from nerfloss.data.inspection.train_command import train_command
from nerfloss.data.inspection.view_pictures import ViewPicture, read_pictures
from nerfloss.data.posed_cameras import PosedCameras
from nerfloss.data.region import Masks, Region, choose_region

NEIGHBORS = 4


def inspect_scene(parsed: ParsedScene, *, matches: bool = True) -> Inspection:
    """Return what the files of a scene say, and what is suspicious about them.

    ``matches`` compares features between views where the sparse points do not tell if poses fit.
    Files that cannot be read, and cameras or regions that training refuses, become findings. Raises
    DataError for a scene without frames.
    """
    if not parsed.frames:
        raise DataError(parsed.folder, "no view with a pose", "it needs at least one")
    poses = np.stack([frame.pose for frame in parsed.frames]).astype(np.float64)
    posed = PosedCameras(poses, tuple(frame.camera for frame in parsed.frames))
    pictures, broken = read_pictures(parsed)
    region, findings = _region(parsed, posed, _masks(pictures, len(posed)))
    reprojection = None if parsed.points is None else reproject(parsed.points, posed)
    nearest = _nearest_pictures(posed, pictures)
    exposure = exposure_by_points(parsed.points, posed, pictures)
    findings += [Finding("unreadable", message, (view,)) for view, message in broken]
    findings += file_findings(parsed, pictures)
    findings += mask_findings(parsed, pictures)
    findings += image_findings(parsed, pictures, nearest, exposure)
    findings += point_findings(parsed, posed, reprojection)
    findings += depth_findings(parsed, posed, region)
    rows = [
        *_layout_rows(parsed, len(pictures)),
        *camera_rows(posed),
        *mask_rows(pictures),
        *depth_rows(parsed),
        *point_rows(parsed.points, reprojection),
    ]
    if matches and reprojection is None:
        error = epipolar_error(pictures, posed, nearest)
        rows.append(epipolar_row(error))
        findings += epipolar_findings(error)
    rows += [*_region_rows(parsed, region), *_note_rows(parsed, pictures)]
    up = parsed.up if parsed.up is not None else estimate_up(poses)
    return Inspection(
        parsed,
        posed,
        pictures,
        region,
        up,
        tuple(rows),
        tuple(findings),
        train_command(parsed, findings),
        hull_points(posed, pictures, region) if region.source == "masks" else None,
    )


def _masks(pictures: tuple[ViewPicture, ...], views: int) -> Masks:
    """Return the masks of all views, None where a view has none that tells anything."""
    masks = {picture.view: picture.mask for picture in pictures}
    if all(mask is None or (mask >= OPAQUE).all() for mask in masks.values()):
        return [None] * views
    return [masks.get(view) for view in range(views)]


def _region(parsed: ParsedScene, posed: PosedCameras, masks: Masks) -> tuple[Region, list[Finding]]:
    """Return the region that training would choose, and what is suspicious about the cameras."""
    findings = []
    stated = parsed.region
    try:
        region = choose_region(
            posed.poses, posed.cameras, masks, parsed.points, stated=stated, up=parsed.up
        )
    except DataError as error:
        findings.append(Finding("region", str(error)))
        region = choose_region(posed.poses, posed.cameras)
    names = [frame.name for frame in parsed.frames]
    try:
        lines = check_cameras(
            posed.poses, posed.cameras, region, masks, names=names, path=str(parsed.folder)
        )
    except DataError as error:
        lines = [str(error)]
    return region, findings + [Finding("cameras", line) for line in lines]


def _nearest_pictures(
    posed: PosedCameras, pictures: tuple[ViewPicture, ...]
) -> Int[np.ndarray, "pictures nearest"]:
    chosen = [picture.view for picture in pictures]
    if not chosen:
        return np.zeros((0, 0), dtype=np.int64)
    some = PosedCameras(posed.poses[chosen], tuple(posed.cameras[view] for view in chosen))
    return nearest_views(some, NEIGHBORS)


def _layout_rows(parsed: ParsedScene, read: int) -> list[Row]:
    total = len(parsed.frames)
    held = None if parsed.test is None else len(parsed.test)
    if held is None:
        views = f"{total}; the files hold out none (dataset.hold_out chooses)"
    else:
        rule = parsed.hold_out or "the files"
        views = f"{total}: {total - held} to train, {held} to test, by {rule}"
    if read < total:
        views += f"; the images of {read} were read"
    return [Row("folder", str(parsed.folder)), Row("layout", parsed.layout), Row("views", views)]


def _region_rows(parsed: ParsedScene, region: Region) -> list[Row]:
    rows = [
        Row("region", region.description.removeprefix("region: ")),
        Row("units", f"1 in scene units is {region.radius:.4g} of the files' units"),
    ]
    if parsed.to_files is not None:
        rows.append(Row("", "poses were moved by a converter: results are mapped back"))
    return rows


def _note_rows(parsed: ParsedScene, pictures: tuple[ViewPicture, ...]) -> list[Row]:
    of_images = (note for picture in pictures for note in picture.notes)
    notes = [*parsed.notes, *counted(of_images, len(pictures))]
    return [Row("note", note) for note in notes]
