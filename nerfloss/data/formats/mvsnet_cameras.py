"""Camera files of MVSNet: extrinsic, intrinsic and the range of depths, as text."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from nerfloss.data.errors import DataError
from nerfloss.data.formats.pose_matrices import check_pose

FARTHEST = 1e12  # a value beyond it is damage, in any unit


@dataclass(frozen=True)
class MvsnetCamera:
    """One camera: pose is camera-to-world, ``depth`` the first value of the range and the last.

    ``depth`` is None where the file has no last value. The centre of the first pixel is 0 in the
    intrinsics.
    """

    intrinsics: Float[np.ndarray, "3 3"]
    pose: Float[np.ndarray, "3 4"]
    depth: tuple[float, float] | None


def read_mvsnet_camera(path: Path) -> MvsnetCamera:
    """Read a camera file. Raises DataError, with the path, for anything that is not one.

    Reference: Yao et al., MVSNet, ECCV 2018 (the format's description in its repository).
    """
    remedy = "restore the file (extrinsic, 16 numbers; intrinsic, 9 numbers; depth range)"
    try:
        words = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(path, f"cannot be read ({error})", remedy) from error
    if len(words) < 27 or words[0] != "extrinsic" or words[17] != "intrinsic":
        raise DataError(path, "not a camera file of MVSNet", remedy)
    try:
        numbers = np.array([float(word) for word in words[1:17] + words[18:]])
    except ValueError as error:
        raise DataError(path, f"not a number ({error})", remedy) from error
    if not np.isfinite(numbers).all() or np.abs(numbers).max() > FARTHEST:
        raise DataError(path, "numbers that are not finite, or beyond any unit", remedy)
    to_camera = check_pose(numbers[:16].reshape(4, 4), path, "extrinsic")
    intrinsics, rest = numbers[16:25].reshape(3, 3), numbers[25:]
    lower = np.abs(intrinsics[[1, 2, 2], [0, 0, 1]]).max()
    if lower > 1e-6 or abs(intrinsics[2, 2] - 1) > 1e-6 or not np.diag(intrinsics).min() > 0:
        raise DataError(path, "the intrinsic matrix is not fx, skew, cx, fy, cy", remedy)
    if abs(intrinsics[0, 1]) > 1e-3 * intrinsics[0, 0]:
        found = f"the intrinsic matrix has a skew of {intrinsics[0, 1]:.4g}"
        raise DataError(path, found, "pixels must be rectangular: repair the matrix")
    rotation = to_camera[:3, :3].T
    pose = np.column_stack([rotation, -rotation @ to_camera[:3, 3]])
    depth = (float(rest[0]), float(rest[-1])) if len(rest) >= 4 else None
    return MvsnetCamera(intrinsics, pose, depth)
