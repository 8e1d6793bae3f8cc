"""The region of interest of a capture: the ball that becomes the unit ball of the scene."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from nerfloss.data.cameras.camera import Camera
from nerfloss.data.common_view import CommonView, ball_of_cameras, common_view, estimate_up
from nerfloss.data.enclosing_ball import MARGIN
from nerfloss.data.formats.parsed_scene import ParsedPoints
from nerfloss.data.hull_ball import Hull, hull_ball
from nerfloss.data.masked_rays import share_of_masked_rays
from nerfloss.data.point_ball import ball_of_points, reliable_points
from nerfloss.data.posed_cameras import Ball, PosedCameras
from nerfloss.data.region_settings import RegionSettings, check_stated, region_settings

ORIENTATIONS = ("auto", "files", "up")

Masks = Sequence[UInt8[np.ndarray, "_ _"] | None]


@dataclass(frozen=True)
class Region:
    """The region of interest.

    ``to_world`` is the similarity from the unit ball (scene units) to the coordinates of the files.
    ``source`` is ``settings``, ``files``, ``masks``, ``points`` or ``cameras``. ``description`` is
    one line for the log. ``up`` is the unit direction that points up, in the coordinates of the
    files, as is ``hull``, what the masks say, where it was needed to find the region.
    """

    to_world: Float[np.ndarray, "4 4"]
    source: str
    description: str
    up: Float[np.ndarray, "3"]
    hull: Hull | None = None

    @property
    def center(self) -> Float[np.ndarray, "3"]:
        """The centre of the ball in the coordinates of the files."""
        return self.to_world[:3, 3]

    @property
    def radius(self) -> float:
        """The radius of the ball in the unit of the files."""
        return float(np.linalg.norm(self.to_world[:3, 0]))

    @property
    def ball(self) -> Ball:
        """The ball in the coordinates of the files."""
        return Ball(self.center, self.radius)


def choose_region(
    poses: Float[np.ndarray, "views 3 4"],
    cameras: Sequence[Camera],
    masks: Masks | None = None,
    points: ParsedPoints | None = None,
    *,
    stated: Float[np.ndarray, "4 4"] | None = None,
    up: Float[np.ndarray, "3"] | None = None,
    override: Mapping[str, Any] | None = None,
    orientation: str = "auto",
) -> Region:
    """Return the region of interest, from the first of these that has one.

    The settings (``override``: ``center``, ``radius`` and ``up``, each of which may be missing, in
    the coordinates of the files), what the files state, the visual hull of the object masks, the
    sparse points, the cameras. ``masks`` are per view, at any resolution, 8 bit, each showing the
    whole image of its camera without padding; None where a view has none. Unit, place and rotation
    of the input do not matter.

    ``orientation`` is ``files`` (the scene's axes are those of the files), ``up`` (its z axis
    points up, by ``up`` or by `estimate_up`), or ``auto``: ``up`` unless the files state
    the region.

    Raises DataError for settings or a stated region that cannot be used, ValueError for another
    ``orientation``.
    """
    if orientation not in ORIENTATIONS:
        choices = ", ".join(ORIENTATIONS)
        raise ValueError(f"orientation={orientation!r} is none of {choices}; choose one")
    settings = region_settings(override)
    local, back = PosedCameras(np.asarray(poses, dtype=np.float64), cameras).without_units()
    hull = None
    if settings.center is not None and settings.radius is not None:
        ball, source, found = Ball(settings.center, settings.radius), "settings", ""
    elif stated is not None:
        stated = check_stated(stated)
        radius = float(np.linalg.norm(stated[:3, 0]))
        ball, source, found = Ball(stated[:3, 3], radius), "files", "stated by the files"
    else:
        if masks is not None and any(mask is not None for mask in masks):
            hull = hull_ball(local, masks).mapped(back)
        ball, source, found = _found_ball(local, back, hull, points)
    ball, found = _adjusted(ball, settings, source, found)
    axes, upward = _axes(poses, stated, up, settings, orientation)
    to_world = np.eye(4)
    to_world[:3, :3], to_world[:3, 3] = ball.radius * axes, ball.center
    inside = _inside(PosedCameras(poses, cameras), masks, points, ball)
    words = [f"centre {_numbers(ball.center)}", f"radius {ball.radius:.4g} in the files' unit"]
    words += [f"up {_numbers(upward)}", f"from {source}" + (f" ({found})" if found else "")]
    return Region(to_world, source, "region: " + ", ".join(words) + inside, upward, hull)


def _found_ball(
    local: PosedCameras,
    back: Float[np.ndarray, "4 4"],
    hull: Hull | None,
    points: ParsedPoints | None,
) -> tuple[Ball, str, str]:
    """Return the ball, its source and how it was found, from masks, points or cameras."""
    notes = []
    if hull is not None:
        if hull.ball is not None:
            wrong = f", {len(hull.wrong)} that do not agree left out" if hull.wrong else ""
            ball = Ball(hull.ball.center, MARGIN * hull.ball.radius)
            return ball, "masks", f"visual hull of {hull.used} masks{wrong}"
        notes.append(f"no hull: {hull.reason}")
    view = common_view(local)
    if points is not None and len(points.positions):
        reliable = reliable_points(points)
        ball = ball_of_points(local, view, _inverse(reliable, back))
        if ball is not None:
            middle = "the middle" if view.kind == "inward" else "most"
            notes.append(f"{middle} of {len(reliable)} reliable points, {_KINDS[view.kind]}")
            return ball.mapped(back), "points", "; ".join(notes)
        notes.append("too few points that the cameras see")
    ball, found = ball_of_cameras(local, view)
    return ball.mapped(back), "cameras", "; ".join([*notes, found])


_KINDS = {
    "inward": "cameras look around one place",
    "outward": "cameras look outward",
    "forward": "cameras face one way",
    "mixed": "cameras look in many directions",
    "panorama": "cameras at one place",
}


def capture_kind(poses: Float[np.ndarray, "views 3 4"], cameras: Sequence[Camera]) -> CommonView:
    """Return where cameras look, with its point and distances in the coordinates of the files."""
    local, back = PosedCameras(np.asarray(poses, dtype=np.float64), cameras).without_units()
    view = common_view(local)
    mapped = Ball(view.point, 1.0).mapped(back)
    return CommonView(view.kind, mapped.center, view.distances * mapped.radius, view.front)


def _inverse(
    points: Float[np.ndarray, "points 3"], back: Float[np.ndarray, "4 4"]
) -> Float[np.ndarray, "points 3"]:
    # Of a similarity, the inverse is the transpose divided by the squared scale.
    return (points - back[:3, 3]) @ back[:3, :3] / float(np.square(back[:3, 0]).sum())


def _adjusted(ball: Ball, settings: RegionSettings, source: str, found: str) -> tuple[Ball, str]:
    """Return the ball with a centre or a radius from the settings, and the words for it."""
    if source == "settings":
        return ball, found
    if settings.center is not None:
        return Ball(settings.center, ball.radius), f"{found}; centre from the settings"
    if settings.radius is not None:
        return Ball(ball.center, settings.radius), f"{found}; radius from the settings"
    return ball, found


def _axes(
    poses: Float[np.ndarray, "views 3 4"],
    stated: Float[np.ndarray, "4 4"] | None,
    up: Float[np.ndarray, "3"] | None,
    settings: RegionSettings,
    orientation: str,
) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "3"]]:
    """Return the rotation from scene axes to file axes, and the direction that is up."""
    files = np.eye(3) if stated is None else stated[:3, :3] / np.linalg.norm(stated[:3, 0])
    known = settings.up if settings.up is not None else up
    upward = estimate_up(poses) if known is None else known / np.linalg.norm(known)
    keeps = orientation == "files" or (orientation == "auto" and stated is not None)
    if keeps and settings.up is None:
        return files, upward
    return rotation_between(files[:, 2], upward) @ files, upward


def rotation_between(
    start: Float[np.ndarray, "3"], end: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "3 3"]:
    """Return the smallest rotation that turns one unit vector into another."""
    axis, cosine = np.cross(start, end), float(start @ end)
    if cosine < -1 + 1e-12:
        # Half a turn about any axis at right angles; x where start is z or y.
        other = np.eye(3)[np.abs(start).argmin()]
        normal = other - (other @ start) * start
        normal /= np.linalg.norm(normal)
        return 2 * np.outer(normal, normal) - np.eye(3)
    x, y, z = axis
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + skew + skew @ skew / (1 + cosine)


def _inside(
    cameras: PosedCameras, masks: Masks | None, points: ParsedPoints | None, ball: Ball
) -> str:
    """Return how much of the masks' rays and of the points a ball holds, in words."""
    words = ""
    share = None if masks is None else share_of_masked_rays(cameras, masks, ball)
    if share is not None:
        words += f"; {share:.1%} of the masked rays meet it"
    if points is not None and len(points.positions):
        held = np.linalg.norm(points.positions - ball.center, axis=1) <= ball.radius
        words += f"; {int(held.sum())} of {len(held)} points lie in it"
    return words


def _numbers(vector: Float[np.ndarray, "3"]) -> str:
    rounded = [round(float(value), 9) + 0.0 for value in vector]
    return "(" + ", ".join(f"{value:.4g}" for value in rounded) + ")"
