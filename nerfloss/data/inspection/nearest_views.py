"""The views nearest to each view, by position and direction."""

import numpy as np
from jaxtyping import Int

from nerfloss.data.posed_cameras import PosedCameras


def nearest_views(posed: PosedCameras, count: int) -> Int[np.ndarray, "views nearest"]:
    """Return the indices of the ``count`` views nearest to each, fewer if there are few.

    The distance of two views is that of their positions, in units of the root mean square distance
    from their mean, plus the angle between their directions in radians.
    """
    local, _ = posed.without_units()
    count = max(0, min(count, len(posed) - 1))
    nearest = np.empty((len(posed), count), dtype=np.int64)
    for view in range(len(posed)):
        apart = np.linalg.norm(local.centers - local.centers[view], axis=1)
        cost = apart + np.arccos(np.clip(local.axes @ local.axes[view], -1, 1))
        cost[view] = np.inf
        nearest[view] = np.argsort(cost, kind="stable")[:count]
    return nearest
