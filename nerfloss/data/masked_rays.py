"""The rays of masked pixels, and how many of them meet a ball."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8

from nerfloss.data.posed_cameras import Ball, PosedCameras, spread

VIEWS, PIXELS = 100, 200
OPAQUE = 128
ALL_OBJECT = 0.98  # a mask with more object pixels shows no outline


def share_of_masked_rays(
    cameras: PosedCameras, masks: Sequence[UInt8[np.ndarray, "_ _"] | None], ball: Ball
) -> float | None:
    """Return the fraction of the rays through object pixels that meet a ball in front of them.

    None if no mask shows both object and background. A sample of the views and pixels is used.
    """
    shown = views_with_outline(masks)
    met = [
        meets(cameras.centers[i], directions, ball)
        for i in (shown[j] for j in spread(len(shown), VIEWS))
        if (directions := masked_directions(cameras, masks[i], i)) is not None
    ]
    return float(np.concatenate(met).mean()) if met else None


def views_with_outline(masks: Sequence[UInt8[np.ndarray, "_ _"] | None]) -> list[int]:
    """Return the views whose mask shows both object and background."""
    return [
        view
        for view, mask in enumerate(masks)
        if mask is not None and 0 < (mask >= OPAQUE).mean() <= ALL_OBJECT
    ]


def masked_directions(
    cameras: PosedCameras, mask: UInt8[np.ndarray, "height width"] | None, view: int
) -> Float[np.ndarray, "rays 3"] | None:
    """Return directions through some object pixels of one view; None if there are none."""
    if mask is None:
        return None
    rows, columns = np.nonzero(mask >= OPAQUE)
    if not len(rows):
        return None
    some = spread(len(rows), PIXELS)
    camera = cameras.cameras[view]
    size = np.array([camera.width / mask.shape[1], camera.height / mask.shape[0]])
    return cameras.directions((np.stack([columns[some], rows[some]], 1) + 0.5) * size, view)


def meets(
    origin: Float[np.ndarray, "3"], directions: Float[np.ndarray, "rays 3"], ball: Ball
) -> np.ndarray:
    """Return which rays meet a ball."""
    offset = ball.center - origin
    along = directions @ offset
    across = np.linalg.norm(offset - along[:, None] * directions, axis=1)
    within = float(np.linalg.norm(offset)) <= ball.radius
    return (across <= ball.radius) & ((along > 0) | within)
