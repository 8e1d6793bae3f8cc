"""The sparse points of a transforms file (``ply_file_path``), in the coordinates of its poses.

nerfstudio moves points with the poses from version 1.0 on; before, it stored them in the original
coordinates, and applied ``applied_transform`` when it read them. The cameras tell which it is.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from nerfloss.data.cameras.cameras import Cameras
from nerfloss.data.formats.image_paths import FileFinder
from nerfloss.data.formats.json_values import text
from nerfloss.data.formats.parsed_scene import Frame, ParsedPoints
from nerfloss.data.formats.point_files import read_vertices
from nerfloss.data.formats.remarks import Remarks
from nerfloss.data.formats.transforms import Transforms

VIEWS, POINTS = 40, 500  # that decide on the coordinates
REMEDY = "repair the file, or remove ply_file_path"


def read_sparse_points(
    transforms: Transforms,
    frames: Sequence[Frame],
    from_files: Float[np.ndarray, "4 4"],
    remarks: Remarks,
    *,
    outside: bool = False,
) -> ParsedPoints | None:
    """Return the points of ``ply_file_path``; None if there are none, or the file is missing.

    ``from_files`` maps the original coordinates to those of the poses. Raises DataError for a file
    that is not a PLY file with vertices, and for one outside of the folder unless ``outside``.
    """
    name = text(transforms.shared, "ply_file_path", transforms.path, "the file")
    if name is None:
        return None
    path = FileFinder(transforms.folder, outside=outside).find(name, (".ply",), key="ply_file_path")
    if path is None:
        remarks.add(f"ply_file_path: there is no file {name}, so there are no sparse points")
        return None
    columns = read_vertices(path, REMEDY)
    stored = np.stack([columns[axis] for axis in "xyz"], -1)
    finite = np.asarray((np.isfinite(stored) & (np.abs(stored) < 1e12)).all(-1))
    if not finite.all():
        remarks.add(f"{path.name}: {(~finite).sum()} points are not finite, left out")
    stored = stored[finite]
    if not len(stored):
        remarks.add(f"{path.name} has no points")
        return None
    moved, said = _to_poses(stored, frames, from_files)
    remarks.add(f"{path.name}: {len(stored)} sparse points{said}")
    positions = stored @ moved[:3, :3].T + moved[:3, 3]
    confidence = columns.get("confidence")
    return ParsedPoints(
        positions,
        colors=_colors(columns, finite),
        normals=_normals(columns, finite, moved),
        confidence=None if confidence is None else confidence[finite].clip(0.0, 1.0),
    )


def _to_poses(
    stored: Float[np.ndarray, "points 3"],
    frames: Sequence[Frame],
    from_files: Float[np.ndarray, "4 4"],
) -> tuple[Float[np.ndarray, "4 4"], str]:
    """Return the map from stored points to the poses under which most views see most points."""
    scale = float(np.cbrt(np.linalg.det(from_files[:3, :3])))
    choices = [
        (np.diag([scale, scale, scale, 1.0]), ", stored with applied_transform"),
        (from_files, ", stored without applied_transform: it is applied"),
        (np.eye(4), ", stored with applied_transform and applied_scale"),
    ]
    if np.allclose(from_files, np.eye(4), atol=1e-9):
        choices = [(np.eye(4), "")]
    seen = [_seen(stored, matrix, frames) for matrix, _ in choices]
    # Rounding alone must not overrule the first, which is what nerfstudio writes today.
    best = max(range(len(choices)), key=lambda i: seen[i] + (0.02 if i == 0 else 0.0))
    matrix, said = choices[best]
    if seen[best] < 0.01:
        said += ", hardly any of which lies in a view"
    return matrix, said


def _seen(
    stored: Float[np.ndarray, "points 3"],
    matrix: Float[np.ndarray, "4 4"],
    frames: Sequence[Frame],
) -> float:
    """Return the fraction of pairs of a view and a point in which the point lies in the image."""
    some_points = stored[:: max(1, len(stored) // POINTS)]
    some_frames = frames[:: max(1, len(frames) // VIEWS)]
    cameras = Cameras.of(
        [frame.camera for frame in some_frames], np.stack([frame.pose for frame in some_frames])
    )
    points = torch.from_numpy(some_points @ matrix[:3, :3].T + matrix[:3, 3]).float()
    fractions = []
    for view in range(len(cameras)):
        pixel, depth = cameras.project(points, view)
        fractions.append(float((cameras.in_image(pixel, view) & (depth > 0)).float().mean()))
    return float(np.mean(fractions))


def _colors(
    columns: dict[str, np.ndarray], kept: np.ndarray
) -> Float[np.ndarray, "points 3"] | None:
    """Return colours from 0 to 1; stored as bytes, or as fractions."""
    if not all(name in columns for name in ("red", "green", "blue")):
        return None
    colors = np.stack([columns[name] for name in ("red", "green", "blue")], -1)[kept]
    if not np.isfinite(colors).all():
        return None
    return (colors / (255.0 if colors.max() > 1 else 1.0)).clip(0.0, 1.0)


def _normals(
    columns: dict[str, np.ndarray], kept: np.ndarray, moved: Float[np.ndarray, "4 4"]
) -> Float[np.ndarray, "points 3"] | None:
    """Return normals in the coordinates of the poses; of length 0 where unknown."""
    if not all(name in columns for name in ("nx", "ny", "nz")):
        return None
    stored = np.stack([columns[name] for name in ("nx", "ny", "nz")], -1)[kept]
    if not np.isfinite(stored).all() or np.abs(stored).max() > 1e12:
        return None
    normals = stored @ moved[:3, :3].T
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    return normals / np.where(length > 0, length, 1.0) if length.any() else None
