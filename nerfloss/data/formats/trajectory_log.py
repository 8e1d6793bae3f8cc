"""Trajectories of Tanks and Temples: files .log with a camera-to-world matrix for each image."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from nerfloss.data.errors import DataError
from nerfloss.data.formats.pose_matrices import check_pose
from nerfloss.data.formats.projections import FARTHEST

ENTRY = 3 + 16  # numbers
REPAIR = "restore the file (for each image: three whole numbers, then a matrix of 4 x 4)"


@dataclass(frozen=True)
class TrajectoryPose:
    """The pose of one image, camera-to-world in OpenCV axes; None if it was not registered."""

    index: int  # of the image, in the order of names as text, from 0
    pose: Float[np.ndarray, "3 4"] | None


def read_trajectory(path: Path) -> list[TrajectoryPose]:
    """Read a trajectory, in the order of the images.

    An entry has the image's index, the index in the reconstruction (-1: the image is not
    registered, and the matrix means nothing), a third number, and the matrix. Raises DataError for
    a broken file, and for indices that are not 0, 1, 2 ...

    Reference: github.com/isl-org/TanksAndTemples, python_toolbox/convert_to_logfile.py.
    """
    try:
        words = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(path, f"cannot be read ({error})", REPAIR) from error
    try:
        numbers = np.array([float(word) for word in words])
    except ValueError as error:
        raise DataError(path, f"not a number ({error})", REPAIR) from error
    if not len(words) or len(words) % ENTRY:
        raise DataError(path, f"{len(words)} numbers, not {ENTRY} for each image", REPAIR)
    entries = numbers.reshape(-1, ENTRY)
    heads = entries[:, :3]
    if not (np.abs(heads) < FARTHEST).all() or (heads % 1).any():
        raise DataError(path, "an entry does not begin with three whole numbers", REPAIR)
    order = np.argsort(heads[:, 0], kind="stable")
    if (heads[order, 0] != np.arange(len(entries))).any():
        found = f"the indices of its {len(entries)} images are not 0 to {len(entries) - 1}"
        raise DataError(path, found, "number the entries by the images' order, from 0")
    return [_pose(entries[index], path) for index in order]


def _pose(entry: Float[np.ndarray, "19"], path: Path) -> TrajectoryPose:
    index, name = int(entry[0]), f"the matrix of image {int(entry[0])}"
    if entry[1] < 0:
        return TrajectoryPose(index, None)
    matrix = entry[3:].reshape(4, 4)
    if np.isfinite(matrix).all() and np.abs(matrix).max() > FARTHEST:
        raise DataError(path, f"{name} holds {np.abs(matrix).max():.3g}, beyond any unit", REPAIR)
    if not np.allclose(matrix[3], (0, 0, 0, 1), atol=1e-6):
        raise DataError(path, f"{name} does not end with 0 0 0 1", REPAIR)
    return TrajectoryPose(index, check_pose(matrix, path, name)[:3])
