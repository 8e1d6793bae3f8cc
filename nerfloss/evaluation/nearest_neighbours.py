"""Nearest neighbours among points in space."""

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import KDTree

# Where points lie far from the tree's, many of its leaves are looked at: large leaves, and queries
# in the order of where they are, make that four times faster (200k points, surfaces 0.04 apart).
LEAF = 64
CELLS = 16


def tree_of(points: Float[np.ndarray, "points 3"]) -> KDTree:
    """A tree to ask for neighbours."""
    return KDTree(points, leafsize=LEAF)


def nearest(
    tree: KDTree, points: Float[np.ndarray, "points 3"], count: int = 1
) -> tuple[Float[np.ndarray, "points count"], Int[np.ndarray, "points count"]]:
    """Distances to the ``count`` nearest points of the tree, and which they are, nearest first."""
    extent = float(np.ptp(points, axis=0).max()) if len(points) else 0.0
    order = np.lexsort(np.floor(points * (CELLS / max(extent, 1e-12))).T)
    found = tree.query(points[order], k=count, workers=-1)
    distance = np.empty((len(points), count))
    index = np.empty((len(points), count), dtype=np.int64)
    distance[order] = np.asarray(found[0]).reshape(len(points), count)
    index[order] = np.asarray(found[1]).reshape(len(points), count)
    return distance, index
