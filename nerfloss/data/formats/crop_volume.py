"""The volume in which Tanks and Temples scores a reconstruction, and the map to its coordinates."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from nerfloss.data.errors import DataError
from nerfloss.data.formats.json_values import as_number, number, read_json, shown, text
from nerfloss.data.formats.pose_matrices import check_matrix
from nerfloss.data.formats.projections import FARTHEST

CONTENT = "a scene with a crop volume (a polygon and its height, as Open3D stores it)"


def read_crop_corners(path: Path) -> Float[np.ndarray, "corners 3"]:
    """Return the corners of a prism: ``bounding_polygon`` from ``axis_min`` to ``axis_max``.

    The prism is along ``orthogonal_axis``. Raises DataError for anything else.

    Reference: Open3D, visualization.SelectionPolygonVolume.
    """
    values = read_json(path, CONTENT)
    axis = text(values, "orthogonal_axis", path, "the volume")
    if axis is None or axis.upper() not in ("X", "Y", "Z"):
        found = f"orthogonal_axis is {shown(values.get('orthogonal_axis'))}"
        raise DataError(path, found, "it must be X, Y or Z")
    ends = [number(values, key, path, "the volume") for key in ("axis_min", "axis_max")]
    low, high = (np.nan if end is None else end for end in ends)
    if not -FARTHEST < low < high < FARTHEST:
        raise DataError(path, f"axis_min, axis_max are {low:g}, {high:g}", "repair the entries")
    stored = values.get("bounding_polygon")
    rows = stored if isinstance(stored, list) else []
    numbers = [[as_number(x) for x in row] if isinstance(row, list) else [] for row in rows]
    if len(rows) < 3 or any(len(row) != 3 or None in row for row in numbers):
        found = f"bounding_polygon is {shown(stored)}"
        raise DataError(path, found, "give a list of at least three points x, y, z")
    polygon = np.array(numbers, dtype=np.float64)
    if np.abs(polygon).max() > FARTHEST:
        raise DataError(path, "bounding_polygon is beyond any unit", "repair the entry")
    corners = np.concatenate([polygon, polygon])
    corners[:, "XYZ".index(axis.upper())] = np.repeat([low, high], len(polygon))
    return corners


def read_similarity(path: Path) -> Float[np.ndarray, "4 4"]:
    """Return a matrix of 4 x 4 numbers. Raises DataError for anything but a similarity."""
    remedy = "restore the file: a matrix of 4 x 4 numbers"
    try:
        numbers = np.array([float(word) for word in path.read_text(encoding="utf-8").split()])
    except (OSError, ValueError) as error:
        raise DataError(path, f"cannot be read ({error})", remedy) from error
    if len(numbers) != 16:
        raise DataError(path, f"{len(numbers)} numbers, not 16", remedy)
    if np.isfinite(numbers).all() and np.abs(numbers).max() > FARTHEST:
        raise DataError(path, f"holds {np.abs(numbers).max():.3g}, beyond any unit", remedy)
    matrix = check_matrix(numbers.reshape(4, 4), path, "the matrix")
    scale = float(np.cbrt(np.linalg.det(matrix[:3, :3])))
    rotation = matrix[:3, :3] / scale if scale > 0 else np.zeros((3, 3))
    rigid = np.allclose(rotation.T @ rotation, np.eye(3), atol=1e-2)
    if not rigid or not np.allclose(matrix[3], (0, 0, 0, 1), atol=1e-6):
        found = "the matrix is not a uniform scale with a rotation and a translation"
        raise DataError(path, found, remedy)
    return matrix


def ball_about(
    corners: Float[np.ndarray, "corners 3"], to_reference: Float[np.ndarray, "4 4"]
) -> Float[np.ndarray, "4 4"]:
    """Return the similarity from the unit ball to that about the corners, in the files' units."""
    to_files = np.linalg.inv(to_reference)
    points = corners @ to_files[:3, :3].T + to_files[:3, 3]
    center = to_files[:3, :3] @ (corners.min(0) + corners.max(0)) / 2 + to_files[:3, 3]
    radius = np.linalg.norm(points - center, axis=-1).max()
    ball = np.diag([radius, radius, radius, 1.0])
    ball[:3, 3] = center
    return ball
