"""Checks of cameras and region before training: one line for each thing that is suspicious."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float, UInt8

from nerfloss.data.cameras.camera import PERSPECTIVE, Camera
from nerfloss.data.common_view import half_fields
from nerfloss.data.enclosing_ball import MARGIN
from nerfloss.data.errors import DataError
from nerfloss.data.hull_ball import Hull, hull_ball
from nerfloss.data.lens_checks import lens_lines
from nerfloss.data.masked_rays import share_of_masked_rays
from nerfloss.data.pose_conventions import convention_by_axes, convention_by_masks
from nerfloss.data.posed_cameras import Ball, PosedCameras
from nerfloss.data.region import Region, capture_kind

SET_REGION = "set dataset.region.center and dataset.region.radius"
NARROW, WIDE = 2.0, 179.0  # fields of view in degrees that no photograph has
FAR = 50.0  # times the median distance

Masks = Sequence[UInt8[np.ndarray, "_ _"] | None]


def check_cameras(
    poses: Float[np.ndarray, "views 3 4"],
    cameras: Sequence[Camera],
    region: Region,
    masks: Masks | None = None,
    *,
    names: Sequence[str] | None = None,
    path: str = "cameras",
) -> list[str]:
    """Return one line for each thing about cameras, masks and region that is suspicious.

    ``masks`` are those of `choose_region`. ``names`` are the frames' names for the messages,
    ``path`` is the file or folder that errors name. Raises DataError where nothing can be learned:
    poses that are not finite, cameras whose axes are flipped or inverted as the masks prove, a
    region that no camera sees or no masked ray meets.
    """
    poses = np.asarray(poses, dtype=np.float64)
    names = [str(i) for i in range(len(poses))] if names is None else names
    broken = np.logical_not(np.isfinite(poses).all((1, 2)))
    if broken.any():
        found = f"the poses of {_listed(names, broken)} are not finite"
        raise DataError(path, found, "repair or remove these frames")
    hull = region.hull
    if masks is not None and any(mask is not None for mask in masks):
        if hull is None:
            local, back = PosedCameras(poses, cameras).without_units()
            hull = hull_ball(local, masks).mapped(back)
        if hull.disagree and (convention := convention_by_masks(poses, cameras, masks)):
            found = (
                f"the masks do not fit the cameras ({hull.reason}), but would if the {convention}"
            )
            raise DataError(path, found, "convert the poses (camera-to-world, axes of the layout)")
    views = PosedCameras(poses, cameras)
    return [
        *_about_lenses(cameras, views, names),
        *lens_lines(cameras, names),
        *_about_poses(views, names),
        *_about_directions(views, hull),
        *_about_masks(views, hull, masks, region, names, path),
        *_about_region(views, region, names, path),
    ]


def _about_lenses(
    cameras: Sequence[Camera], views: PosedCameras, names: Sequence[str]
) -> Iterator[str]:
    """Name fields of view that no photograph has: the focal length may be in another unit."""
    field = np.array([2 * np.degrees(half_fields(views, i)) for i in range(len(views))])
    flat = np.array([camera.projection == PERSPECTIVE for camera in cameras])
    odd = flat & ((field.max(1) < NARROW) | (field.max(1) > WIDE))
    if odd.any():
        degrees = f"{field[odd][0].max():.3g} degrees"
        yield (
            f"the field of view of {_listed(names, odd)} is {degrees}: is the "
            "focal length in pixels of this image size?"
        )


def _about_poses(views: PosedCameras, names: Sequence[str]) -> Iterator[str]:
    """Name cameras at one place, equal poses, and cameras far from the others."""
    centers = views.centers - np.median(views.centers, axis=0)
    distance = np.linalg.norm(centers, axis=1)
    rounding = 1e-9 * max(float(np.abs(views.centers).max()), 1e-300)
    if len(views) > 1 and distance.max() <= rounding:
        yield "all cameras are at one place: nothing tells how far away anything is"
        return
    typical = float(np.median(distance))
    far = distance > FAR * typical
    if typical > rounding and far.any():
        times = distance[far].max() / typical
        yield f"{_listed(names, far)}: {times:.3g} times as far away as the typical camera"
    size = max(typical, rounding)
    keys = np.round(np.concatenate([centers / size, views.poses[:, :, :3].reshape(-1, 9)], 1), 7)
    _, inverse, counts = np.unique(keys + 0.0, axis=0, return_inverse=True, return_counts=True)
    equal = counts[inverse.reshape(-1)] > 1
    if equal.any():
        yield f"{_listed(names, equal)} have the same pose as another view: are these copies?"


def _about_directions(views: PosedCameras, hull: Hull | None) -> Iterator[str]:
    """Say where the cameras look, unless it is around one place."""
    if len(views) < 2 or (hull is not None and hull.ball is not None):
        return
    kind = capture_kind(views.poses, views.cameras)
    if kind.kind == "outward":
        yield (
            "the cameras look away from one another: a capture from inside of a room, or the y and "
            "z axes of the poses are flipped (OpenCV's taken for OpenGL's, or the reverse)"
        )
    elif kind.kind == "mixed":
        convention = convention_by_axes(views.poses, views.cameras)
        doubt = f"; they would if the {convention}" if convention else ""
        yield f"the cameras' optical axes meet nowhere{doubt}"


def _about_masks(
    views: PosedCameras,
    hull: Hull | None,
    masks: Masks | None,
    region: Region,
    names: Sequence[str],
    path: str,
) -> Iterator[str]:
    """Name masks that do not fit each other, and object pixels whose rays miss the region."""
    if hull is None or masks is None:
        return
    if hull.disagree:
        yield (
            f"the masks do not fit the cameras ({hull.reason}): are poses, images and masks in "
            "the same order, and are the masks white on the object?"
        )
    if hull.wrong and not hull.disagree:
        yield f"the masks of {_listed(names, hull.wrong)} do not fit those of the other views"
    share = share_of_masked_rays(views, masks, region.ball)
    if share is None:
        return
    advice = SET_REGION if hull.ball is None else _setting(hull.ball)
    if share == 0:
        found = f"no ray of a masked pixel meets the region ({region.description})"
        raise DataError(path, found, advice)
    if share < 0.95:
        yield f"{1 - share:.0%} of the masked rays miss the region; {advice}"
    if hull.ball is not None and hull.ball.radius < 0.2 * region.radius:
        size = hull.ball.radius / region.radius
        yield f"the object's radius is only {size:.2g} of the region's; {advice}"


def _about_region(
    views: PosedCameras, region: Region, names: Sequence[str], path: str
) -> Iterator[str]:
    """Say which cameras do not see the region, and which are inside of it."""
    sees = np.array([_sees(views, i, region.ball) for i in range(len(views))])
    if not sees.any():
        remedy = f"{SET_REGION}, or check the poses' axes"
        raise DataError(path, f"no camera sees the region ({region.description})", remedy)
    if not sees.all():
        yield f"{_listed(names, ~sees)} do not see the region"
    distance = np.linalg.norm(views.centers - region.center, axis=1)
    inside = distance < region.radius
    if inside.any():
        yield f"{_listed(names, inside)}: the camera is inside of the region"
    if float(np.median(distance)) > FAR * region.radius:
        times = float(np.median(distance)) / region.radius
        yield f"the cameras are {times:.3g} radii away from the region's centre; {SET_REGION}"


def _sees(views: PosedCameras, view: int, ball: Ball) -> bool:
    """Return if a camera sees something of a ball: one of 200 points that fill it evenly."""
    index = np.arange(200) + 0.5
    height, angle = 1 - index / 100, index * np.pi * (1 + 5**0.5)
    flat, depth = np.sqrt(1 - height**2), np.cbrt((index * 0.618) % 1)
    points = np.stack([flat * np.cos(angle), flat * np.sin(angle), height], 1) * depth[:, None]
    return bool(views.visible(ball.center + ball.radius * points, view).any())


def _setting(ball: Ball) -> str:
    center = ",".join(f"{value:.6g}" for value in ball.center)
    return f"set dataset.region.center=[{center}] dataset.region.radius={MARGIN * ball.radius:.4g}"


def _listed(
    names: Sequence[str], which: Bool[np.ndarray, "views"] | Sequence[int], most: int = 4
) -> str:
    """Return how many of the views, and the first names."""
    picked = np.flatnonzero(which).tolist() if isinstance(which, np.ndarray) else list(which)
    shown = ", ".join(names[i] for i in picked[:most])
    more = f" and {len(picked) - most} more" if len(picked) > most else ""
    return f"{len(picked)} of {len(names)} views ({shown}{more})"
