"""Choose between two orders of the cameras of a NeuS scene by the object masks."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy.ndimage import distance_transform_edt

from nerfloss.data.formats.neus_layout import with_order_of_names
from nerfloss.data.formats.parsed_scene import ParsedScene
from nerfloss.data.masked_rays import OPAQUE, masked_directions
from nerfloss.data.posed_cameras import Ball, PosedCameras, spread
from nerfloss.data.region import choose_region

VIEWS, CELLS, STEPS = 64, 32, 64
# A cell may miss this share of the masks: a few of them may be wrong.
MISSES = 0.1
# The masks' rays that meet the hull: an order fits above the first, one is better by the second.
FITS, BETTER = 0.7, 0.1

Masks = Sequence[UInt8[np.ndarray, "_ _"] | None]


def order_by_masks(parsed: ParsedScene, masks: Masks) -> ParsedScene:
    """Return the scene with its cameras in the order that the object masks confirm.

    There are two orders where the numbers in the images' names have no leading zeros
    (`with_order_of_names`). The visual hull of the masks is carved with both; in the wrong one
    hardly any masked ray meets it. ``masks`` are per frame, at any resolution, each showing the
    whole image; None where a frame has none. A note says what was found.
    """
    other = with_order_of_names(parsed)
    if other is parsed or sum(mask is not None for mask in masks) < 2:
        return parsed
    natural, by_text = (share_that_meets_hull(scene, masks) for scene in (parsed, other))
    text = (
        f"of the masked rays, {natural:.0%} meet the masks' hull in the natural order of names and "
        f"{by_text:.0%} in their order as text"
    )
    if by_text >= FITS and by_text > natural + BETTER:
        return replace(other, notes=(*other.notes, text))
    if max(natural, by_text) < FITS:
        text += ": neither seems to be the order of the cameras"
    return replace(parsed, notes=(*parsed.notes, text))


def share_that_meets_hull(parsed: ParsedScene, masks: Masks) -> float:
    """Return the fraction of the rays through object pixels that meet the masks' visual hull."""
    frames = parsed.frames
    cameras = PosedCameras(np.stack([f.pose for f in frames]), [f.camera for f in frames])
    region = choose_region(
        cameras.poses, cameras.cameras, stated=parsed.region, orientation="files"
    )
    ball = region.ball
    shown = [view for view, mask in enumerate(masks) if mask is not None]
    views = [shown[index] for index in spread(len(shown), VIEWS)]
    hull = _hull(cameras, masks, views, ball)
    met = [
        _meets(cameras.centers[view], directions, hull, ball)
        for view in views
        if (directions := masked_directions(cameras, masks[view], view)) is not None
    ]
    return float(np.concatenate(met).mean()) if met else 0.0


def _hull(
    cameras: PosedCameras, masks: Masks, views: Sequence[int], ball: Ball
) -> Bool[np.ndarray, "x y z"]:
    """Return the cells of the ball's cube that touch nearly all masks which show them."""
    steps = ((np.arange(CELLS) + 0.5) / CELLS * 2 - 1) * ball.radius
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    points = ball.center + grid
    known, missed = np.zeros(len(points)), np.zeros(len(points))
    for view in views:
        mask, camera = masks[view], cameras.cameras[view]
        if mask is None:
            continue
        pixel, depth = cameras.project(points, view)
        height, width = mask.shape
        scale = np.array([width / camera.width, height / camera.height])
        place = pixel * scale
        seen = (depth > 0) & (place >= 0).all(1) & (place < (width, height)).all(1)
        column, row = place[seen].astype(int).T
        reach = ball.radius / CELLS * max(camera.fx, camera.fy) * scale.max() / depth[seen] + 0.5
        distance = np.asarray(distance_transform_edt(mask < OPAQUE))
        known[seen] += 1
        missed[seen] += distance[row, column] > reach
    kept = (known >= 2) & (missed <= MISSES * known)
    return kept.reshape((CELLS,) * 3)


def _meets(
    origin: Float[np.ndarray, "3"],
    directions: Float[np.ndarray, "rays 3"],
    hull: Bool[np.ndarray, "x y z"],
    ball: Ball,
) -> Bool[np.ndarray, "rays"]:
    """Return which rays pass through a cell of the hull, by samples along them."""
    distance = float(np.linalg.norm(ball.center - origin))
    # The half diagonal of the cube is below twice the radius.
    along = np.linspace(max(distance - 2 * ball.radius, 0), distance + 2 * ball.radius, 2 * STEPS)
    points = origin + directions[:, None] * along[:, None]
    cell = np.floor(((points - ball.center) / ball.radius + 1) / 2 * CELLS).astype(int)
    inside = ((cell >= 0) & (cell < CELLS)).all(-1)
    x, y, z = np.moveaxis(np.clip(cell, 0, CELLS - 1), -1, 0)
    return np.asarray((hull[x, y, z] & inside).any(1))
