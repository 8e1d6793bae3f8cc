"""The pose of one frame of a transforms file: OpenGL axes in the file, OpenCV axes here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from nerfloss.data.errors import DataError
from nerfloss.data.formats.json_values import Values, as_number, shown, some
from nerfloss.data.formats.remarks import Remarks

FARTHEST = 1e12  # a coordinate beyond it is damage, in any unit


def matrix_of(value: Any, path: Path, name: str) -> Float[np.ndarray, "4 4"]:
    """Return a matrix with 3 or 4 rows of 4 numbers as 4 x 4; NaN where a number is not finite.

    Raises DataError for another shape, entries that are no numbers, and a last row other than
    0 0 0 1.
    """
    rows = value if isinstance(value, list) else []
    if len(rows) not in (3, 4) or any(not isinstance(r, list) or len(r) != 4 for r in rows):
        raise DataError(path, f"{name} is {shown(value)}, not 4 x 4", "repair the entry")
    matrix = np.eye(4)
    for i, row in enumerate(rows):
        for j, entry in enumerate(row):
            if isinstance(entry, bool) or not (
                entry is None or isinstance(entry, int | float) or as_number(entry) is not None
            ):
                found = f"{name} holds {shown(entry)}, not a number"
                raise DataError(path, found, "repair the entry")
            number = as_number(entry)
            matrix[i, j] = np.nan if number is None else number
    if np.isfinite(matrix).all() and np.abs(matrix[3] - (0, 0, 0, 1)).max() > 1e-4:
        last = ", ".join(f"{each:g}" for each in matrix[3])
        found = f"the last row of {name} is {last}, not 0, 0, 0, 1"
        raise DataError(path, found, "transpose the matrix, or repair the entry")
    return matrix


def raw_pose(frame: Values, path: Path, where: str) -> Float[np.ndarray, "4 4"] | None:
    """Return the camera-to-world matrix as stored; None if there is none, or it holds NaN.

    instant-ngp's ``transform_matrix_start`` and ``_end`` must be the same.
    """
    value = frame.get("transform_matrix")
    if value is None:
        value, end = frame.get("transform_matrix_start"), frame.get("transform_matrix_end")
        if value is not None and end is not None and end != value:
            found = f"{where} moves from transform_matrix_start to transform_matrix_end"
            raise DataError(path, found, "give one transform_matrix: moving cameras are not read")
    if value is None:
        return None
    matrix = matrix_of(value, path, f"transform_matrix of {where}")
    return matrix if np.isfinite(matrix).all() else None


def opencv_pose(
    matrix: Float[np.ndarray, "4 4"], path: Path, where: str, remarks: Remarks
) -> Float[np.ndarray, "3 4"]:
    """Return the pose in OpenCV axes (x right, y down, z forward), with an exact rotation.

    A uniform scale of the rotation is removed and said; so are deviations up to 1 %. Raises
    DataError for a reflection, shear, a singular matrix and positions beyond 1e12.
    """
    if np.abs(matrix).max() > FARTHEST:
        found = f"transform_matrix of {where} holds {np.abs(matrix).max():g}"
        raise DataError(path, found, "repair the pose, or choose a larger unit of length")
    rotation, scale = nearest_rotation(matrix[:3, :3], path, f"transform_matrix of {where}")
    if abs(scale - 1) > 1e-3:
        remarks.add(f"the poses scale by {scale:.4g}: the scale is removed", where)
    deviation = np.abs(matrix[:3, :3] / scale - rotation).max()
    if deviation > 1e-3:
        remarks.add("the poses are rotations to about 0.1 to 1 %: the nearest are used", where)
    pose = np.column_stack([rotation, matrix[:3, 3]])
    pose[:, 1:3] *= -1
    return pose


def check_scales(path: Path, poses: Mapping[str, Float[np.ndarray, "4 4"]]) -> None:
    """Refuse poses whose scale is not that of the others, by the names of their frames.

    One scale of all poses is a habit of converters; a scale of some is damage.
    """
    scales = {name: float(np.cbrt(abs(np.linalg.det(m[:3, :3])))) for name, m in poses.items()}
    usual = float(np.median(list(scales.values()))) if scales else 1.0
    odd = [name for name, scale in scales.items() if abs(scale - usual) > 1e-2 * usual]
    if odd:
        found = (
            f"the pose of {some(odd)} scales by {scales[odd[0]]:.4g}, that of the "
            f"others by {usual:.4g} ({len(odd)} of {len(scales)} frames)"
        )
        raise DataError(path, found, "repair these poses, or drop the views")


def nearest_rotation(
    matrix: Float[np.ndarray, "3 3"], path: Path, name: str
) -> tuple[Float[np.ndarray, "3 3"], float]:
    """Return the nearest rotation and the uniform scale of a matrix.

    Raises DataError if the matrix is not a scaled rotation within 1 %.
    """
    left, sizes, right = np.linalg.svd(matrix)
    scale = float(sizes.mean())
    if scale < 1e-9 or sizes[2] < 1e-6 * sizes[0]:
        raise DataError(path, f"{name} is singular", "drop this view or repair its pose")
    rotation = left @ right
    if np.linalg.det(rotation) < 0:
        found = f"{name} is a reflection"
        raise DataError(path, found, "negate one of its first three columns, or drop the view")
    if np.abs(sizes / scale - 1).max() > 1e-2:
        found = f"{name} scales its axes by {sizes[0]:.3g}, {sizes[1]:.3g} and {sizes[2]:.3g}"
        raise DataError(path, found, "give a rotation with a translation, without shear")
    return rotation, scale
