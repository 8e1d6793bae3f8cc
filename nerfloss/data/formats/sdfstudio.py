"""Scenes of SDFStudio, and MonoSDF's data in its layout: meta_data.json, OpenCV axes.

Written from the description of the format. Reference: SDFStudio, docs/sdfstudio-data.md.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from nerfloss.data.cameras.camera import Camera
from nerfloss.data.errors import DataError
from nerfloss.data.formats.image_paths import MAP_ENDINGS, FileFinder, is_file, without_ending
from nerfloss.data.formats.json_values import as_number, objects, read_json, shown, some, text
from nerfloss.data.formats.json_values import whole_number as pixels
from nerfloss.data.formats.parsed_scene import Frame, NormalConvention, ParsedScene, ParseSettings
from nerfloss.data.formats.remarks import Remarks
from nerfloss.data.formats.transforms_files import name_of_view
from nerfloss.data.formats.transforms_pose import FARTHEST, check_scales, matrix_of, opencv_pose

CONTENT = "an SDFStudio scene (a folder with meta_data.json)"
MAPS = {
    "mono_normal_path": "normal",
    "mono_depth_path": "relative_depth",
    "sensor_depth_path": "depth",
    "foreground_mask": "object_mask",
}


def detect(folder: Path) -> bool:
    """Return True if the folder has a meta_data.json."""
    return is_file(folder / "meta_data.json")


def parse(folder: Path, settings: ParseSettings) -> ParsedScene:
    """Read a scene; ``worldtogt`` leads to the original coordinates, ``scene_box`` is the region.

    Normals are in OpenCV camera axes. Depth of ``mono_depth_path`` has no scale: it is relative
    depth. Raises DataError for missing or broken files.
    """
    path = folder / "meta_data.json"
    meta = read_json(path, CONTENT)
    entries = objects(meta, "frames", path)
    width, height = (pixels(meta, key, path, "the file") for key in ("width", "height"))
    if width is None or height is None:
        raise DataError(path, "width or height is missing", "give the size of the images")
    remarks, finder = Remarks(len(entries)), FileFinder(folder, outside=settings.outside)
    frames, missing = [], []
    poses: dict[str, Float[np.ndarray, "4 4"]] = {}
    for index, entry in enumerate(entries):
        frame, lost = _frame(entry, index, (width, height), path, finder, poses)
        missing += lost
        if frame is not None:
            pose = opencv_pose(poses[frame.name], path, frame.name, remarks)
            frames.append(replace(frame, pose=pose))
    check_scales(path, poses)
    if missing and (settings.missing != "skip" or not frames):
        found = f"{len(missing)} files or poses are missing: {some(missing)}"
        raise DataError(path, found, "restore them, or set dataset.missing=skip")
    if missing:
        remarks.add(f"{len(missing)} files or poses are missing, left out: {some(missing)}")
    if len({frame.name for frame in frames}) < len(frames):
        raise DataError(path, "lists an image twice", "list each image once")
    if any(frame.relative_depth for frame in frames):
        remarks.add("mono_depth_path: depth without a scale, used as target_relative_depth alone")
    to_files = _similarity(meta, path)
    return ParsedScene(
        folder,
        "sdfstudio",
        tuple(frames),
        region=_region(meta, path, settings, remarks),
        to_files=to_files,
        normal=NormalConvention("camera", estimated=True),
        notes=remarks.lines,
    )


def _frame(
    entry: Mapping[str, Any],
    index: int,
    size: tuple[int, int],
    path: Path,
    finder: FileFinder,
    poses: dict[str, Float[np.ndarray, "4 4"]],
) -> tuple[Frame | None, list[str]]:
    """Return the frame, and what is missing; the frame is None without an image or a pose.

    Its pose as stored, in OpenGL axes, is added to ``poses`` by the frame's name.
    """
    where = text(entry, "rgb_path", path, f"frames[{index}]")
    if where is None:
        raise DataError(path, f"frames[{index}] has no rgb_path", "name its image")
    image = finder.find(where, key="rgb_path")
    if image is None:
        return None, [where]
    pose = matrix_of(entry.get("camtoworld"), path, f"camtoworld of {where}")
    if not np.isfinite(pose).all():
        return None, [f"pose of {where}"]
    pose[:, 1:3] *= -1  # to the OpenGL axes that opencv_pose takes
    camera = _camera(entry.get("intrinsics"), size, path, where)
    frame = Frame(name_of_view(without_ending(where)), image, camera, pose[:3])
    poses[frame.name] = pose
    lost, given = [], {}
    for key, field in MAPS.items():
        name = text(entry, key, path, where)
        file = None if name is None else finder.find(name, MAP_ENDINGS, key=key)
        if file is not None:
            given[field] = file
        elif name is not None:
            lost.append(name)
    return replace(frame, **given), lost


def _camera(value: Any, size: tuple[int, int], path: Path, where: str) -> Camera:
    rows = value[:3] if isinstance(value, list) else []
    numbers = [[as_number(x) for x in row] if isinstance(row, list) else [] for row in rows]
    if len(numbers) != 3 or any(len(row) < 3 or None in row for row in numbers):
        found = f"intrinsics of {where} are {shown(value)}"
        raise DataError(path, found, "give a matrix with fx, fy, cx, cy in pixels")
    matrix = np.array([row[:3] for row in numbers], dtype=np.float64)
    fx, fy, cx, cy = (float(matrix[i]) for i in ((0, 0), (1, 1), (0, 2), (1, 2)))
    inside = -size[0] <= cx <= 2 * size[0] and -size[1] <= cy <= 2 * size[1]
    sane = 1e-2 <= fx / size[0] <= 1e4 and 1e-2 <= fy / size[1] <= 1e4 and inside
    if not sane or abs(matrix[0, 1]) > 1e-3 * fx or abs(matrix[2, 2] - 1) > 1e-6:
        found = f"intrinsics of {where} are {matrix.tolist()} for {size[0]} x {size[1]} pixels"
        raise DataError(path, found, "give fx, fy, cx, cy in pixels, without skew")
    return Camera.pinhole(*size, fx, fy, cx, cy)


def _similarity(meta: Mapping[str, Any], path: Path) -> Float[np.ndarray, "4 4"] | None:
    """Return ``worldtogt``, None if the file has none."""
    if meta.get("worldtogt") is None:
        return None
    matrix = matrix_of(meta["worldtogt"], path, "worldtogt")
    usable = np.isfinite(matrix).all() and np.abs(matrix).max() < FARTHEST
    if not usable or np.linalg.det(matrix[:3, :3]) <= 0:
        raise DataError(path, "worldtogt is no similarity", "repair or remove the entry")
    return matrix


def _region(
    meta: Mapping[str, Any], path: Path, settings: ParseSettings, remarks: Remarks
) -> Float[np.ndarray, "4 4"] | None:
    """Return the ball in ``scene_box.aabb``; about the origin with the radius of the settings."""
    if settings.scene_radius is not None:
        return np.diag([*[settings.scene_radius] * 3, 1.0])
    box = meta.get("scene_box")
    if not isinstance(box, dict) or box.get("aabb") is None:
        return None
    sides = box["aabb"] if isinstance(box["aabb"], list) else []
    numbers = [[as_number(x) for x in side] if isinstance(side, list) else [] for side in sides]
    if len(numbers) != 2 or any(len(side) != 3 or None in side for side in numbers):
        raise DataError(path, f"scene_box.aabb is {shown(box['aabb'])}", "give two corners")
    low, high = np.array(numbers, dtype=np.float64)
    radius = float((high / 2 - low / 2).max())
    if not 1e-9 < radius < FARTHEST or (high <= low).any():
        raise DataError(
            path, f"scene_box.aabb is {shown(box['aabb'])}", "give low and high corners"
        )
    remarks.add(f"the region is the ball in scene_box.aabb, with radius {radius:g}")
    region = np.diag([radius, radius, radius, 1.0])
    region[:3, 3] = (low + high) / 2
    return region
