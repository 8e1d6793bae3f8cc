"""The sparse points of a parsed scene, in scene units."""

import numpy as np
import torch

from nerfloss.data.formats.parsed_scene import ParsedPoints, ParsedScene
from nerfloss.data.region import Region
from nerfloss.data.sparse_points import SparsePoints

# A point with this reprojection error, in pixels, has half the confidence of an exact one.
HALF_ERROR = 1.0


def scene_points(parsed: ParsedScene, region: Region) -> SparsePoints | None:
    """Return the points inside the unit ball with their visibility; None if there are none.

    Confidence is that of the files, else ``1 / (1 + error)`` with the reprojection error in pixels,
    else 1.
    """
    points = parsed.points
    if points is None or not len(points.positions):
        return None
    turn = region.to_world[:3, :3] / region.radius
    positions = (points.positions - region.center) @ turn / region.radius
    inside = np.linalg.norm(positions, axis=-1) <= 1.0
    if not inside.any():
        return None
    normals = None
    if points.normals is not None:
        normals = torch.from_numpy(points.normals[inside] @ turn).float()
    return SparsePoints(
        torch.from_numpy(positions[inside]).float(),
        torch.from_numpy(_confidence(points)[inside]).float(),
        normals,
        _visible(points, inside, len(parsed.frames)),
    )


def _confidence(points: ParsedPoints) -> np.ndarray:
    if points.confidence is not None:
        return points.confidence.clip(0.0, 1.0)
    if points.error is not None:
        # An error that is not known to be small is no confidence.
        error = np.nan_to_num(points.error, nan=np.inf, posinf=np.inf).clip(0.0)
        return HALF_ERROR / (HALF_ERROR + error)
    return np.ones(len(points.positions))


def _visible(points: ParsedPoints, inside: np.ndarray, views: int) -> torch.Tensor | None:
    if points.observations is None:
        return None
    view, point = points.observations[inside[points.observations[:, 1]]].T
    visible = torch.zeros(views, int(inside.sum()), dtype=torch.bool)
    visible[torch.from_numpy(view), torch.from_numpy(np.cumsum(inside)[point] - 1)] = True
    return visible
