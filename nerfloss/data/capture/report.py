"""What a capture has found, in words: registered views, errors, cameras, and what to do."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from nerfloss.data.cameras.camera import Camera
from nerfloss.data.capture.camera_groups import CameraGroup
from nerfloss.data.capture.photographs import Photograph

FEW = 0.8  # a smaller share of registered views is called few
LARGE_ERROR = 1.5  # pixels


@dataclass(frozen=True)
class CaptureReport:
    """Counts and errors of one capture; ``error`` is the mean reprojection error in pixels.

    ``missing`` are the views that are not registered, with the number of others each one matches.
    ``known_focal`` is the number of cameras whose focal length EXIF states.
    """

    views: int
    registered: int
    missing: tuple[tuple[str, int], ...]
    points: int
    error: float
    cameras: tuple[Camera, ...]
    known_focal: int
    matching: str
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Return the report, one line each."""
        return [
            f"{self.registered} of {self.views} views are registered, {self.points} points, "
            f"mean reprojection error {self.error:.2f} pixels",
            *(f"camera: {describe_camera(camera)}" for camera in self.cameras[:4]),
            *([f"... and {len(self.cameras) - 4} more cameras"] if len(self.cameras) > 4 else []),
            *(f"note: {note}" for note in self.notes),
            *self.advice(),
        ]

    def advice(self) -> list[str]:
        """Return what is suspicious, and what to do about it."""
        advice = []
        if self.missing:
            listed = ", ".join(f"{name} ({count})" for name, count in self.missing[:6])
            more = f" and {len(self.missing) - 6} more" if len(self.missing) > 6 else ""
            advice.append(
                "not registered (in brackets: the number of views that each one matches): "
                f"{listed}{more}"
            )
        if self.registered < FEW * self.views:
            advice += few_registered(self.matching)
        if self.error > LARGE_ERROR:
            advice.append(
                f"the reprojection error of {self.error:.2f} pixels is large: try "
                "--camera-model OPENCV, or --camera-per image if the zoom has changed"
            )
        return advice


def few_registered(matching: str) -> list[str]:
    """Return what to do where few views are registered."""
    lines = [
        "few views are registered. What helps, the most frequent cause first:",
        "  take more photographs between those that do not match: neighbours 10 to 15 degrees "
        "apart, with 70 % overlap",
        "  leave out blurred photographs; keep the scene still (no turntable in front of a "
        "background that stands still)",
        "  give plain, shiny or transparent objects a textured ground, e.g. a newspaper",
    ]
    if matching != "exhaustive":
        lines.append("  --matching exhaustive compares all pairs (slow above 300 photographs)")
    lines.append("  --camera-per image, if lenses, zoom or crops differ; --max-size 3200")
    return lines


def describe_camera(camera: Camera) -> str:
    """Return one line: model, size, focal length, field of view and lens."""
    view = math.degrees(2 * math.atan(camera.width / (2 * camera.fx)))
    lens = ", ".join(
        f"{name}={value:.4f}"
        for name, value in zip(("k1", "k2", "k3", "k4"), camera.lens, strict=False)
        if value
    )
    return (
        f"{camera.model} {camera.width} x {camera.height}, focal length {camera.fx:.1f} pixels "
        f"({view:.0f} degrees across){', ' + lens if lens else ''}"
    )


def capture_notes(
    groups: Sequence[CameraGroup],
    planned: Sequence[Photograph],
    originals: Sequence[Photograph],
    matching: str,
) -> list[str]:
    """Return what a capture assumed, one line each."""
    notes = []
    smaller = sum(a.width != b.width for a, b in zip(originals, planned, strict=True))
    turned = sum(original.turned for original in originals)
    enlarged = sum(len(group.members) for group in groups if group.factor > 1)
    guessed = sum(not group.known for group in groups)
    padded = sum(
        len({(planned[i].width, planned[i].height) for i in g.members}) > 1 for g in groups
    )
    if smaller:
        notes.append(f"{smaller} images were made smaller: --max-size 0 keeps their size")
    if turned:
        notes.append(f"{turned} images were turned upright by their EXIF orientation")
    if enlarged:
        notes.append(f"features of {enlarged} small images were searched in enlarged copies")
    if padded:
        notes.append(
            "images whose sizes differ by up to 2 % share a lens, each frequent size has its own "
            "focal length: --camera-per image"
        )
    if guessed:
        notes.append(f"focal lengths of {guessed} of {len(groups)} cameras are not in EXIF: found")
    notes.append(f"{len(groups)} cameras, {matching} matching")
    return notes
