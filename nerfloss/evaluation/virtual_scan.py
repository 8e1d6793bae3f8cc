"""A virtual scan: the samples of a surface that cameras see, the nearest in each pixel."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

# Positions in the image of a view, from 0 to 1 inside of it (column, row), and depths along its
# axis, not positive where the view cannot see.
Project = Callable[
    [Float[np.ndarray, "points 3"], int],
    tuple[Float[np.ndarray, "points 2"], Float[np.ndarray, "points"]],
]
PER_PIXEL = 8.0  # samples that fall into a pixel of the depth map, so that none is seen through
LARGEST, SMALLEST = 256, 8  # pixels a side
DEPTHS = 2.0  # pixels by which a sample may lie behind the nearest one: sloped surfaces


@dataclass(frozen=True)
class VirtualScan:
    """Cameras around a surface: ``views`` of them, by ``project``; ``slope`` is a pixel's width.

    ``slope`` is the width of the image over its focal length: the width at depth 1.
    """

    project: Project
    views: int
    slope: float

    def seen(self, points: Float[np.ndarray, "points 3"]) -> Bool[np.ndarray, "points"]:
        """Return which samples of one surface any view sees.

        Each view keeps the nearest samples of each pixel of a coarse depth map; inner walls, backs
        that no view shows, and how a mesh is tessellated therefore do not count.
        """
        side = int(np.clip(np.sqrt(len(points) / PER_PIXEL), SMALLEST, LARGEST))
        seen = np.zeros(len(points), dtype=bool)
        for view in range(self.views):
            at, depth = self.project(points, view)
            inside = ((at >= 0) & (at < 1)).all(1) & (depth > 0)
            cell = (at[inside] * side).astype(np.int64)
            pixel = cell[:, 1] * side + cell[:, 0]
            nearest = np.full(side * side, np.inf)
            np.minimum.at(nearest, pixel, depth[inside])
            width = self.slope * nearest[pixel] / side
            seen[np.flatnonzero(inside)] |= depth[inside] <= nearest[pixel] + DEPTHS * width
        return seen
