"""Points on the visual hull of the small masks, for the overview."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.ndimage import binary_erosion

from nerfloss.data.hull_ball import OPAQUE
from nerfloss.data.inspection.view_pictures import ViewPicture
from nerfloss.data.posed_cameras import PosedCameras, spread
from nerfloss.data.region import Region

CELLS, VIEWS = 40, 40
# The share of the masks that must show a cell: a few may be wrong.
SHARE = 0.95


def hull_points(
    posed: PosedCameras, pictures: Sequence[ViewPicture], region: Region
) -> Float[np.ndarray, "hull 3"] | None:
    """Return the centres of the outermost cells of the hull in the region; None if it is empty.

    A cell counts as outside of a mask only where the view's image holds it.
    """
    masked = [picture for picture in pictures if _tells(picture)]
    if not masked:
        return None
    masked = [masked[i] for i in spread(len(masked), VIEWS)]
    line = (np.arange(CELLS) + 0.5) / CELLS * 2 - 1
    grid = np.stack(np.meshgrid(line, line, line, indexing="ij"), -1).reshape(-1, 3)
    points = region.center + region.radius * grid
    inside, known = np.zeros(len(points)), np.zeros(len(points))
    for picture in masked:
        shown, seen = _shown(posed, picture, points)
        inside += shown
        known += seen
    kept = (inside >= SHARE * known) & (known >= 0.5 * len(masked))
    cells = kept.reshape(CELLS, CELLS, CELLS)
    surface = cells & ~np.asarray(binary_erosion(cells), dtype=bool)
    return points[surface.reshape(-1)] if surface.any() else None


def _tells(picture: ViewPicture) -> bool:
    if picture.mask is None:
        return False
    return bool((picture.mask >= OPAQUE).any() and (picture.mask < OPAQUE).any())


def _shown(
    posed: PosedCameras, picture: ViewPicture, points: Float[np.ndarray, "points 3"]
) -> tuple[np.ndarray, np.ndarray]:
    """Return which points the mask of a picture shows, and which lie in its image."""
    assert picture.mask is not None
    alone = PosedCameras(posed.poses[picture.view][None], (picture.camera,))
    pixel, depth = alone.project(points, 0)
    height, width = picture.mask.shape
    column, row = np.floor(np.nan_to_num(pixel, nan=-1.0).clip(-1, 1e6)).astype(int).T
    seen = (depth > 0) & (column >= 0) & (row >= 0) & (column < width) & (row < height)
    shown = np.zeros(len(points), dtype=bool)
    shown[seen] = picture.mask[row[seen], column[seen]] >= OPAQUE
    return shown, seen
