"""Inspect a parsed scene: read small copies of its images, and collect rows and findings."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Int

from nerfloss.data.errors import DataError
from nerfloss.data.formats.build_settings import DEFAULTS, BuildSettings
from nerfloss.data.formats.image_sizes import counted
from nerfloss.data.formats.parsed_scene import ParsedScene
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
from nerfloss.data.inspection.training_region import (
    size_rows,
    split_text,
    training_region,
    training_split,
)
from nerfloss.data.inspection.view_pictures import ViewPicture, read_pictures
from nerfloss.data.posed_cameras import PosedCameras
from nerfloss.data.region import Region

NEIGHBORS = 4


def inspect_scene(
    parsed: ParsedScene,
    settings: BuildSettings = DEFAULTS,
    *,
    matches: bool = True,
    words: Sequence[str] = (),
    findings: Sequence[Finding] = (),
) -> Inspection:
    """Return what the files of a scene say, and what is suspicious about them.

    Region and test views are those that training has with the same ``settings``, which are
    ``words`` on a command line. ``matches`` compares features between views where the sparse points
    do not tell if poses fit. ``findings`` were made before.

    Files that cannot be read, and cameras or regions that training refuses, become findings. Raises
    DataError for a scene without frames, and for settings that cannot be used.
    """
    if not parsed.frames:
        raise DataError(parsed.folder, "no view with a pose", "it needs at least one")
    poses = np.stack([frame.pose for frame in parsed.frames]).astype(np.float64)
    posed = PosedCameras(poses, tuple(frame.camera for frame in parsed.frames))
    pictures, broken = read_pictures(parsed)
    if settings.masks is False:
        pictures = tuple(replace(picture, mask=None) for picture in pictures)
    found, of_region = training_region(parsed, posed, pictures, settings)
    stated = parsed.test is not None or settings.hold_out is not None
    parsed, of_split = training_split(parsed, found.scene, settings)
    sizes, of_sizes = size_rows(parsed, settings.downscale)
    rows = [*_layout_rows(parsed, len(pictures), stated, words), *camera_rows(posed), *sizes]
    of_files, of_content = _contents(parsed, posed, pictures, found.region, matches)
    unreadable = [Finding("unreadable", message, (view,)) for view, message in broken]
    every = (*findings, *of_region, *of_split, *of_sizes, *unreadable, *of_content)
    return Inspection(
        parsed,
        posed,
        pictures,
        found.region,
        found.scene,
        found.region.up,
        (*rows, *of_files, *found.rows(parsed), *_note_rows(parsed, pictures)),
        every,
        train_command(parsed, every, words, masked=any(each.mask is not None for each in pictures)),
        hull_points(posed, pictures, found.region),
    )


def _contents(
    parsed: ParsedScene,
    posed: PosedCameras,
    pictures: tuple[ViewPicture, ...],
    region: Region,
    matches: bool,
) -> tuple[list[Row], list[Finding]]:
    """Return rows and findings on masks, maps, points, images and matches."""
    reprojection = None if parsed.points is None else reproject(parsed.points, posed)
    nearest = _nearest_pictures(posed, pictures)
    exposure = exposure_by_points(parsed.points, posed, pictures)
    rows = [*mask_rows(pictures), *depth_rows(parsed), *point_rows(parsed.points, reprojection)]
    findings = [
        *file_findings(parsed, pictures),
        *mask_findings(parsed, pictures),
        *image_findings(parsed, pictures, nearest, exposure),
        *point_findings(parsed, posed, reprojection),
        *depth_findings(parsed, posed, region),
    ]
    if matches and reprojection is None:
        error = epipolar_error(pictures, posed, nearest)
        rows.append(epipolar_row(error))
        findings += epipolar_findings(error)
    return rows, findings


def _nearest_pictures(
    posed: PosedCameras, pictures: tuple[ViewPicture, ...]
) -> Int[np.ndarray, "pictures nearest"]:
    chosen = [picture.view for picture in pictures]
    if not chosen:
        return np.zeros((0, 0), dtype=np.int64)
    some = PosedCameras(posed.poses[chosen], tuple(posed.cameras[view] for view in chosen))
    return nearest_views(some, NEIGHBORS)


def _layout_rows(parsed: ParsedScene, read: int, stated: bool, words: Sequence[str]) -> list[Row]:
    views = split_text(parsed, stated)
    if read < len(parsed.frames):
        views += f"; the images of {read} were read"
    settings = [Row("settings", " ".join(words))] if words else []
    rows = [Row("folder", str(parsed.folder)), Row("layout", parsed.layout)]
    return [*rows, *settings, Row("views", views)]


def _note_rows(parsed: ParsedScene, pictures: tuple[ViewPicture, ...]) -> list[Row]:
    of_images = (note for picture in pictures for note in picture.notes)
    notes = [*parsed.notes, *counted(of_images, len(pictures))]
    return [Row("note", note) for note in notes]
