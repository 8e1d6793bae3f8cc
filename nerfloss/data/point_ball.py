"""The ball around the sparse points of what cameras look at, without the far background."""

import numpy as np
from jaxtyping import Float, Int

from nerfloss.data.common_view import CommonView, fitting_radius
from nerfloss.data.formats.parsed_scene import ParsedPoints
from nerfloss.data.posed_cameras import Ball, PosedCameras, spread

FEWEST = 10  # points that say where something is
MOST = 20000  # points; more add time and no accuracy


def reliable_points(points: ParsedPoints) -> Float[np.ndarray, "reliable 3"]:
    """Return the positions of the points that are likely right, `MOST` at most.

    Dropped are points that are not finite, and, where that is known and enough others are left,
    points seen by fewer than three views and those with a reprojection error above 2 pixels and
    three times the median.
    """
    keep = np.isfinite(points.positions).all(1)
    seen = observation_counts(points)
    if seen is not None and (keep & (seen >= 3)).sum() >= 2 * FEWEST:
        keep &= seen >= 3
    if points.error is not None and keep.any():
        error = np.nan_to_num(points.error, nan=np.inf)
        small = keep & (error <= max(2.0, 3 * float(np.median(error[keep]))))
        keep = small if small.sum() >= 2 * FEWEST else keep
    return points.positions[np.flatnonzero(keep)[spread(int(keep.sum()), MOST)]]


def observation_counts(points: ParsedPoints) -> Int[np.ndarray, "points"] | None:
    """Return how many views see each point; None if unknown."""
    if points.observations is None:
        return None
    pairs = np.unique(points.observations, axis=0)
    return np.bincount(pairs[:, 1], minlength=len(points.positions))[: len(points.positions)]


def ball_of_points(
    cameras: PosedCameras, view: CommonView, points: Float[np.ndarray, "points 3"]
) -> Ball | None:
    """Return the ball around the points that most cameras see; None with too few points.

    A point counts by the fraction of the images that hold it. Of an inward-facing capture only the
    points nearer to the meeting point of the axes than the cameras count, and the ball fits into
    the typical image: the object in the middle, not the background. Of other captures the ball
    holds nine tenths of the points. The frame must be that of `PosedCameras.without_units`.
    """
    weights = cameras.visible_fraction(points, most=100)
    keep = weights > 0
    if keep.sum() < FEWEST:
        return None
    points, weights = points[keep], weights[keep]
    if view.kind != "inward":
        center = geometric_median(points, weights)
        return Ball(center, 1.05 * _quantile(points, weights, center, 0.9))
    most = 0.8 * view.near
    inside = np.linalg.norm(points - view.point, axis=1) < most
    if inside.sum() < FEWEST:
        return None
    points, weights = points[inside], np.square(weights[inside])
    center = geometric_median(points, weights)
    near = float(np.quantile(np.linalg.norm(cameras.centers - center, axis=1), 0.2))
    radius = 1.1 * _quantile(points, weights, center, 0.9)
    return Ball(center, min(radius, 0.8 * near, fitting_radius(cameras, view) / 0.9))


def geometric_median(
    points: Float[np.ndarray, "points 3"], weights: Float[np.ndarray, "points"]
) -> Float[np.ndarray, "3"]:
    """Return the place with the least weighted sum of distances to points (Weiszfeld)."""
    center = (weights[:, None] * points).sum(0) / weights.sum()
    size = float(np.median(np.linalg.norm(points - center, axis=1)))
    for _ in range(50):
        distance = np.linalg.norm(points - center, axis=1)
        pull = weights / np.maximum(distance, 1e-6 * size + 1e-300)
        center = (pull[:, None] * points).sum(0) / pull.sum()
    return center


def _quantile(
    points: Float[np.ndarray, "points 3"],
    weights: Float[np.ndarray, "points"],
    center: Float[np.ndarray, "3"],
    share: float,
) -> float:
    """Return the distance from the centre within which that share of the weight lies."""
    distance = np.linalg.norm(points - center, axis=1)
    order = np.argsort(distance)
    total = np.cumsum(weights[order])
    return float(distance[order][np.searchsorted(total, share * total[-1])])
