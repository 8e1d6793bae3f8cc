"""Registration of a cloud to another: least squares of pairs, and iterated closest points."""

import numpy as np
from jaxtyping import Float

from nerfloss.evaluation.nearest_neighbours import nearest, tree_of

FEWEST = 4  # pairs that determine a similarity


def similarity(
    points: Float[np.ndarray, "points 3"],
    others: Float[np.ndarray, "points 3"],
    *,
    scaled: bool = True,
) -> Float[np.ndarray, "4 4"]:
    """Return the similarity that brings points to others with the least squared error.

    Without ``scaled`` it is a rigid motion. Raises ValueError for fewer than four pairs.

    Reference: Umeyama, "Least-Squares Estimation of Transformation Parameters Between Two Point
    Patterns", PAMI 1991.
    """
    if len(points) < FEWEST:
        raise ValueError(f"a registration needs {FEWEST} pairs of points, got {len(points)}")
    mean, target = points.mean(0), others.mean(0)
    centred = points - mean
    u, s, vt = np.linalg.svd((others - target).T @ centred / len(points))
    # Without the sign a mirrored cloud would be turned inside out.
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = (u * sign) @ vt
    variance = np.square(centred).sum(1).mean()
    scale = float((s * sign).sum() / variance) if scaled and variance > 0 else 1.0
    result = np.eye(4)
    result[:3, :3] = scale * rotation
    result[:3, 3] = target - scale * rotation @ mean
    return result


def moved(
    points: Float[np.ndarray, "points 3"], transform: Float[np.ndarray, "4 4"]
) -> Float[np.ndarray, "points 3"]:
    """Return points after a transform of homogeneous coordinates."""
    return points @ transform[:3, :3].T + transform[:3, 3]


def refined(
    points: Float[np.ndarray, "points 3"],
    target: Float[np.ndarray, "others 3"],
    *,
    start: Float[np.ndarray, "4 4"],
    farthest: float,
    steps: int = 50,
) -> Float[np.ndarray, "4 4"]:
    """Return a similarity that starts at ``start`` and is refined by iterated closest points.

    Pairs farther apart than ``farthest`` are left out. It ends where a step moves no point by a
    thousandth of that, after ``steps`` at most, or where there are fewer than four pairs.
    """
    tree, transform = tree_of(target), start
    for _ in range(steps):
        here = moved(points, transform)
        distance, index = nearest(tree, here)
        near = distance[:, 0] < farthest
        if near.sum() < FEWEST:
            break
        step = similarity(here[near], target[index[near, 0]])
        transform = step @ transform
        if np.linalg.norm(moved(here[near], step) - here[near], axis=1).max() < 1e-3 * farthest:
            break
    return transform
