"""Checks and decomposition of camera matrices read from files."""

from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg
from jaxtyping import Float

from nerfloss.data.errors import DataError


def check_matrix(value: Any, path: Path, name: str) -> Float[np.ndarray, "4 4"]:
    """Return a matrix as a 4 x 4 array; the last row 0 0 0 1 may be missing.

    Raises DataError, with the path and the ``name`` of the matrix, for a wrong shape, values that
    are not finite, and a singular matrix.
    """
    try:
        matrix = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(path, f"{name} is not a matrix of numbers", "repair the entry") from error
    if matrix.shape == (3, 4):
        matrix = np.concatenate([matrix, [[0.0, 0.0, 0.0, 1.0]]])
    if matrix.shape != (4, 4):
        found = f"{name} has shape {matrix.shape}, not 4 x 4"
        raise DataError(path, found, "repair the entry")
    if not np.isfinite(matrix).all():
        raise DataError(path, f"{name} holds NaN or infinity", "drop this view or repair its pose")
    # Relative to the norms of the columns, so that the unit of length does not matter.
    norms = np.linalg.norm(matrix[:3, :3], axis=0).prod()
    if abs(np.linalg.det(matrix[:3, :3])) <= 1e-6 * norms:
        raise DataError(path, f"{name} is singular", "drop this view or repair its pose")
    return matrix


def check_pose(value: Any, path: Path, name: str) -> Float[np.ndarray, "4 4"]:
    """Return a camera-to-world matrix that is rigid within a tolerance of 1 %.

    Raises DataError as `check_matrix` does, and for scale, shear or a reflection.
    """
    matrix = check_matrix(value, path, name)
    rotation = matrix[:3, :3]
    if np.linalg.det(rotation) < 0 or not np.allclose(rotation.T @ rotation, np.eye(3), atol=1e-2):
        raise DataError(
            path,
            f"{name} is not a rotation with a translation",
            "remove scale, shear or reflection",
        )
    return matrix


def decompose_projection(
    projection: Float[np.ndarray, "3 4"],
) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "3 4"]]:
    """Return intrinsics and camera-to-world pose of a projection ``P = K [R | t]`` up to scale.

    K has a positive diagonal with a last element of 1; R is a rotation. By RQ decomposition.
    """
    # The sign of P is arbitrary; with this one R has determinant 1 and K a positive one.
    projection = projection * np.sign(np.linalg.det(projection[:, :3]))
    upper, rotation = scipy.linalg.rq(projection[:, :3])
    signs = np.sign(np.diag(upper))
    intrinsics, rotation = upper * signs, signs[:, None] * rotation
    center = -np.linalg.solve(projection[:, :3], projection[:, 3])
    return intrinsics / intrinsics[2, 2], np.column_stack([rotation.T, center])
