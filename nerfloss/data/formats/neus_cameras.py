"""The archive of camera matrices of NeuS and IDR: world_mat_i and scale_mat_i."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from nerfloss.data.cameras.camera import Camera
from nerfloss.data.errors import DataError, forbidden
from nerfloss.data.formats.pose_matrices import check_matrix
from nerfloss.data.formats.projections import FARTHEST, decomposed, pinhole_of


@dataclass(frozen=True)
class NeusCameras:
    """The cameras of one archive.

    ``numbers`` are those of the matrices, in ascending order. ``intrinsics`` have the centre of the
    first pixel at 0, ``poses`` are camera-to-world in the coordinates of the files. ``region`` is
    scale_mat_0, None if the archive has none.
    """

    path: Path
    numbers: list[int]
    intrinsics: Float[np.ndarray, "cameras 3 3"]
    poses: Float[np.ndarray, "cameras 3 4"]
    region: Float[np.ndarray, "4 4"] | None
    notes: tuple[str, ...]


def read_cameras(path: Path) -> NeusCameras:
    """Read the archive. Raises DataError for damage and for matrices that are no cameras."""
    stored = _stored(path)
    numbers = sorted(int(key[len("world_mat_") :]) for key in stored if key.startswith("world"))
    if not numbers:
        raise DataError(path, "no cameras (world_mat_0, world_mat_1 ...)", "replace the file")
    intrinsics, poses = [], []
    for number in numbers:
        name = f"world_mat_{number}"
        pair = decomposed(_matrix(stored, name, path)[:3], path, name)
        intrinsics.append(pair[0])
        poses.append(pair[1])
    region = _region(stored, numbers, path)
    notes = () if region is not None else ("no scale_mat: the archive does not state a region",)
    return NeusCameras(path, numbers, np.stack(intrinsics), np.stack(poses), region, notes)


def camera_of(
    cameras: NeusCameras, index: int, width: int, height: int
) -> tuple[Camera, Float[np.ndarray, "3 4"]]:
    """Return the camera for an image of this size, and its pose. Raises DataError for skew."""
    name = f"world_mat_{cameras.numbers[index]}"
    camera = pinhole_of(cameras.intrinsics[index], (width, height), cameras.path, name)
    return camera, cameras.poses[index]


def _stored(path: Path) -> dict[str, np.ndarray]:
    """Return the matrices world_mat_i and scale_mat_i; whatever else there is, is not read."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            wanted = [key for key in archive if re.fullmatch(r"(world|scale)_mat_[0-9]{1,9}", key)]
            return {key: np.asarray(archive[key]) for key in wanted}
    except PermissionError as error:
        raise forbidden(path) from error
    except Exception as error:  # Corrupt archives raise anything.
        found = f"not an npz archive that can be read ({error})"
        raise DataError(path, found, "replace it") from error


def _matrix(stored: dict[str, np.ndarray], name: str, path: Path) -> Float[np.ndarray, "4 4"]:
    if name not in stored:
        raise DataError(path, f"{name} is missing", "number the cameras from 0 without gaps")
    value = stored[name]
    if value.dtype.kind not in "fiu":
        raise DataError(path, f"{name} holds {value.dtype}, not numbers", "repair the entry")
    if value.size and np.isfinite(value).all() and np.abs(value).max() > FARTHEST:
        found = f"{name} holds {np.abs(value).max():.3g}, beyond any unit"
        raise DataError(path, found, "repair the entry")
    return check_matrix(value, path, name)


def _region(
    stored: dict[str, np.ndarray], numbers: list[int], path: Path
) -> Float[np.ndarray, "4 4"] | None:
    """Return scale_mat_0, which all views share."""
    if not any(key.startswith("scale") for key in stored):
        return None
    first_name = f"scale_mat_{numbers[0]}"
    first = _matrix(stored, first_name, path)
    scale = float(np.cbrt(np.linalg.det(first[:3, :3])))
    for number in numbers[1:]:
        other = _matrix(stored, f"scale_mat_{number}", path)
        if not np.allclose(other, first, rtol=1e-4, atol=1e-4 * abs(scale)):
            found = f"scale_mat_{number} differs from {first_name}"
            raise DataError(path, found, "all views must have the same scale_mat")
    axes = first[:3, :3]
    uniform = scale > 0 and np.allclose(axes.T @ axes / scale**2, np.eye(3), atol=1e-3)
    if not uniform or not np.allclose(first[3], (0, 0, 0, 1), atol=1e-6):
        found = f"{first_name} is not a uniform scale with a rotation and a translation"
        raise DataError(path, found, "repair the entry, or set dataset.region")
    return first
