"""The smallest ball around points, also without the tails that no masked ray needs."""

import numpy as np
from jaxtyping import Float

from nerfloss.data.masked_rays import meets
from nerfloss.data.posed_cameras import Ball

MARGIN = 1.05  # around what was found
ONE_SIDED = 0.7  # length of the mean direction to the cameras; all within 60 degrees have 0.75
MOST_TAIL = 0.1  # of a hull's volume
NEEDED = 0.9995  # of the rays that meet the ball of the whole hull


def smallest_ball(points: Float[np.ndarray, "points 3"], steps: int = 300) -> Ball:
    """Return the smallest ball around points, to about 1 in ``steps``.

    Reference: Badoiu and Clarkson, Smaller core-sets for balls, SODA 2003.
    """
    center = points.mean(0)
    for step in range(1, steps):
        offset = points - center
        center = center + offset[np.square(offset).sum(1).argmax()] / (step + 1)
    return Ball(center, float(np.linalg.norm(points - center, axis=1).max()))


def ball_without_tails(
    points: Float[np.ndarray, "points 3"],
    cell: float,
    rays: list[tuple[Float[np.ndarray, "3"], Float[np.ndarray, "_ 3"]]],
) -> Ball:
    """Return the smallest ball around the cells of a hull, without its tails.

    Cameras on one side of an object leave a hull with long thin ends along their viewing
    directions. The cells farthest from the mean are dropped, a hundredth at a time and a tenth at
    most, while the ball, grown by ``MARGIN``, still meets the rays of the masks. Where the cameras
    surround the object, nothing is dropped. ``rays`` are the camera centre and the
    directions of each view, ``cell`` is the edge length of a cell.
    """
    whole = smallest_ball(points)
    best = Ball(whole.center, whole.radius + 0.5 * cell)
    offsets = np.stack([origin - best.center for origin, _ in rays])
    sides = offsets / np.maximum(np.linalg.norm(offsets, axis=1, keepdims=True), 1e-12)
    if np.linalg.norm(sides.mean(0)) < ONE_SIDED:
        return best
    enough = NEEDED * _met(rays, best)
    least = (1 - MOST_TAIL) * len(points)
    while len(points) > max(least, 8):
        distance = np.linalg.norm(points - points.mean(0), axis=1)
        points = points[distance < np.quantile(distance, 0.99)]
        if len(points) < 8:
            break
        ball = smallest_ball(points)
        ball = Ball(ball.center, ball.radius + 0.5 * cell)
        if _met(rays, Ball(ball.center, MARGIN * ball.radius)) < enough:
            break
        best = min(best, ball, key=lambda each: each.radius)
    return best


def _met(rays: list[tuple[Float[np.ndarray, "3"], Float[np.ndarray, "_ 3"]]], ball: Ball) -> float:
    return float(np.concatenate([meets(origin, along, ball) for origin, along in rays]).mean())
