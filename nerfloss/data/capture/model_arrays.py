"""A reconstruction as arrays in one file: what structure from motion hands over."""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from nerfloss.files import atomic_write


@dataclass(frozen=True)
class Reconstruction:
    """Poses, cameras and points, in pixels of the copies in which features were searched.

    ``poses`` map the world to the camera. ``cameras`` are indices into ``params``, the
    parameters of each camera. ``observations`` are rows (image, point, column, row).
    """

    names: list[str]
    cameras: Int[np.ndarray, "images"]
    poses: Float[np.ndarray, "images 3 4"]
    params: dict[int, list[float]]
    positions: Float[np.ndarray, "points 3"]
    colors: UInt8[np.ndarray, "points 3"]
    errors: Float[np.ndarray, "points"]
    observations: Float[np.ndarray, "observations 4"]
    matched: dict[str, int]


def read_model(path: Path) -> Reconstruction:
    """Read what `write_model` has written."""
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    params = json.loads(str(arrays.pop("params")))
    return Reconstruction(
        names=[str(name) for name in arrays.pop("names")],
        params={int(index): values for index, values in params.items()},
        matched=json.loads(str(arrays.pop("matched"))),
        **arrays,
    )


def write_model(path: Path, model: Any, matched: dict[str, int]) -> None:
    """Write a model of pycolmap as arrays; None, where nothing was reconstructed, is empty.

    ``matched`` is the number of other images that each one matches, by name.
    """
    images = sorted(model.images.values(), key=lambda i: i.name) if model is not None else []
    images = [image for image in images if image.has_pose]
    points = model.points3D if model is not None else {}
    rows = {number: row for row, number in enumerate(sorted(points))}
    seen = [
        (index, rows[point.point3D_id], *point.xy)
        for index, image in enumerate(images)
        for point in image.points2D
        if point.has_point3D()
    ]
    ordered = [points[number] for number in sorted(points)]
    poses = [image.cam_from_world().matrix() for image in images]
    cameras = model.cameras if model is not None else {}
    used = {i.camera_id: cameras[i.camera_id].params.tolist() for i in images}
    arrays: dict[str, Any] = {
        "names": np.array([image.name for image in images], dtype=str),
        "cameras": np.array([image.camera_id - 1 for image in images], dtype=np.int64),
        "poses": np.array(poses).reshape(-1, 3, 4),
        "positions": np.array([point.xyz for point in ordered]).reshape(-1, 3),
        "colors": np.array([point.color for point in ordered], dtype=np.uint8).reshape(-1, 3),
        "errors": np.array([point.error for point in ordered], dtype=float),
        "observations": np.array(seen, dtype=float).reshape(-1, 4),
        "params": np.array(json.dumps({number - 1: used[number] for number in used})),
        "matched": np.array(json.dumps(matched)),
    }
    content = io.BytesIO()
    np.savez(content, **arrays)
    atomic_write(path, content.getvalue())
