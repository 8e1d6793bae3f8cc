"""Thin points to a least distance of each other, in bounded memory."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial import KDTree

from nerfloss.evaluation.nearest_neighbours import tree_of

ROUND = 500_000  # points that are compared with each other at once


def thin(
    batches: Iterable[Float[np.ndarray, "_ 3"]], distance: float
) -> Float[np.ndarray, "kept 3"]:
    """Return points of the batches that are at least ``distance`` apart, greedily in their order.

    A point is kept unless one that was kept before it is nearer than ``distance``. Memory holds the
    kept points and one round of at most 500,000 others.
    """
    kept = np.empty((0, 3))
    for batch in batches:
        for start in range(0, len(batch), ROUND):
            points = np.asarray(batch[start : start + ROUND], dtype=np.float64)
            if len(kept):
                near, _ = tree_of(kept).query(points, distance_upper_bound=distance, workers=-1)
                points = points[near >= distance]
            kept = np.concatenate([kept, points[_first_of_each_place(points, distance)]])
    return kept


def _first_of_each_place(
    points: Float[np.ndarray, "points 3"], distance: float
) -> Bool[np.ndarray, "points"]:
    """Return which points a greedy pass in their order keeps.

    In each round those are kept that come before all of their undecided neighbours, and the
    neighbours of these are dropped: the same points as one after the other.
    """
    keep = np.zeros(len(points), dtype=bool)
    if len(points) == 0:
        return keep
    pairs = np.asarray(KDTree(points).query_pairs(distance, output_type="ndarray"))
    apart = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1) >= distance
    pairs = pairs[~apart]  # with first < second
    undecided = np.ones(len(points), dtype=bool)
    while undecided.any():
        blocked = np.zeros(len(points), dtype=bool)
        blocked[pairs[:, 1]] = True
        new = undecided & ~blocked
        keep |= new
        undecided &= blocked
        undecided[pairs[new[pairs[:, 0]], 1]] = False
        pairs = pairs[undecided[pairs[:, 0]] & undecided[pairs[:, 1]]]
    return keep
