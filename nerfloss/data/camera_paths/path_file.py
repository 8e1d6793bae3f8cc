"""Camera paths as JSON files of nerfstudio's viewer."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from nerfloss.data.camera_paths.camera_path import CAMERA_TYPES, CameraPath, CameraType
from nerfloss.data.errors import DataError
from nerfloss.data.formats.json_values import number, objects, read_json, shown, text, whole_number
from nerfloss.data.formats.remarks import Remarks
from nerfloss.data.formats.transforms_pose import matrix_of, opencv_pose
from nerfloss.files import atomic_write

CONTENT = "a camera path as nerfstudio's viewer writes it (camera_path, render_width ...)"
WHOLE, FRAMES = "the file", "camera_path"
REMEDY = "export the path again, or repair the entry"
KEYFRAMES = 12  # at most, written for viewers that edit them


def read_path(path: Path) -> CameraPath:
    """Read a camera path, in the coordinates in which the file has its poses.

    ``fov`` is the vertical field of view in degrees; matrices are flat rows of 16 numbers or 4 x 4,
    camera-to-world with OpenGL axes. Keys without effect here are named in the notes. Raises
    DataError, with the key and a remedy, for what is missing or broken.
    """
    if not path.is_file():
        raise DataError(path, "no such file", f"give {CONTENT}, or orbit, spiral or interpolate")
    values = read_json(path, CONTENT)
    frames = objects(values, FRAMES, path)
    width, height = (_side(values, key, path) for key in ("render_width", "render_height"))
    remarks = Remarks(len(frames))
    poses = [_pose(frame, index, path, remarks) for index, frame in enumerate(frames)]
    kind = _camera_type(values, path)
    panorama = kind == "equirectangular"
    fov = [180.0 if panorama else _fov(frame, i, kind, path) for i, frame in enumerate(frames)]
    notes = [*remarks.lines, *_ignored(values, frames, width / height)]
    fps = _fps(values, len(frames), path, notes)
    closed = values.get("is_cycle") is True
    return CameraPath(
        np.stack(poses), np.array(fov), width, height, fps, kind, closed, tuple(notes)
    )


def write_path(path: Path, found: CameraPath) -> None:
    """Write a camera path that `read_path` and nerfstudio's viewer and ns-render read."""
    poses = np.zeros((len(found), 4, 4))
    poses[:, :3], poses[:, 3, 3] = found.poses, 1
    poses[:, :, 1:3] *= -1  # from OpenCV axes to OpenGL
    aspect = found.width / found.height
    views = [
        {"fov": float(fov), "aspect": aspect, "pose": pose.reshape(-1).tolist()}
        for fov, pose in zip(found.fov, poses, strict=True)
    ]
    count = min(len(views), KEYFRAMES)
    spread = np.linspace(0, len(views), count, endpoint=False).astype(int).tolist()
    content = {
        "camera_type": found.camera_type,
        "render_height": found.height,
        "render_width": found.width,
        "fps": found.fps,
        "seconds": found.seconds,
        "is_cycle": found.closed,
        "smoothness_value": 0.0,
        "default_fov": float(found.fov[0]),
        "default_transition_sec": found.seconds / count,
        "keyframes": [_entry("matrix", views[index]) for index in spread],
        "camera_path": [_entry("camera_to_world", view) for view in views],
    }
    atomic_write(path, json.dumps(content, indent=1).encode())


def read_dataparser_transforms(path: Path) -> Float[np.ndarray, "4 4"]:
    """Read nerfstudio's dataparser_transforms.json: the similarity from the data to its scene.

    Raises DataError, with the key and a remedy, for what is missing or broken.
    """
    values = read_json(path, "the dataparser_transforms.json of a run of nerfstudio")
    if "transform" not in values:
        raise DataError(path, "no transform", "give nerfstudio's dataparser_transforms.json")
    matrix = matrix_of(values["transform"], path, "transform")
    scale = number(values, "scale", path, WHOLE)
    if scale is None or scale <= 0:
        raise DataError(path, f"scale is {shown(values.get('scale'))}, not above 0", REMEDY)
    if not np.isfinite(matrix).all() or np.linalg.det(matrix[:3, :3]) <= 0:
        raise DataError(path, "transform is no rotation with a shift", REMEDY)
    matrix[:3] *= scale
    return matrix


def _entry(key: str, view: dict[str, Any]) -> dict[str, Any]:
    return {key: view["pose"], "fov": view["fov"], "aspect": view["aspect"]}


def _side(values: dict[str, Any], key: str, path: Path) -> int:
    value = whole_number(values, key, path, WHOLE)
    if value is None:
        raise DataError(path, f"no {key}", f"add '{key}', a number of pixels")
    return value


def _pose(
    frame: dict[str, Any], index: int, path: Path, remarks: Remarks
) -> Float[np.ndarray, "3 4"]:
    where = f"frame {index}"
    value = frame.get("camera_to_world")
    if value is None:
        found = f"{where} of camera_path has no camera_to_world"
        raise DataError(path, found, "add it, 16 numbers row by row: " + REMEDY)
    if isinstance(value, list) and len(value) == 16:
        value = [value[row : row + 4] for row in range(0, 16, 4)]
    matrix = matrix_of(value, path, f"camera_to_world of {where}")
    if not np.isfinite(matrix).all():
        raise DataError(path, f"camera_to_world of {where} holds no finite number", REMEDY)
    return opencv_pose(matrix, path, where, remarks)


def _camera_type(values: dict[str, Any], path: Path) -> CameraType:
    kind = (text(values, "camera_type", path, WHOLE) or "perspective").lower()
    for known in CAMERA_TYPES:
        if kind == known:
            return known
    raise DataError(path, f"camera_type is {kind!r}", f"take one of {', '.join(CAMERA_TYPES)}")


def _fov(frame: dict[str, Any], index: int, kind: CameraType, path: Path) -> float:
    fov = number(frame, "fov", path, f"frame {index}")
    most = 180 if kind == "perspective" else 360
    if fov is None or not 0 < fov < most:
        found = f"fov of frame {index} is {shown(frame.get('fov'))}"
        remedy = f"give the vertical field of view in degrees, above 0 and below {most}"
        raise DataError(path, found, remedy)
    return fov


def _fps(values: dict[str, Any], frames: int, path: Path, notes: list[str]) -> float:
    """Return the frame rate: as stated, else from the duration, else 24 with a note."""
    fps, seconds = number(values, "fps", path, WHOLE), number(values, "seconds", path, WHOLE)
    for key, value in {"fps": fps, "seconds": seconds}.items():
        if value is not None and value <= 0:
            raise DataError(path, f"{key} is {value:g}", f"give {key} above 0, or remove it")
    if fps is None and seconds is None:
        notes.append("the path states neither fps nor seconds: 24 frames per second are taken")
        return 24.0
    if fps is None:
        assert seconds is not None
        return frames / seconds
    if seconds is not None and abs(frames - fps * seconds) > 1:
        notes.append(
            f"the path has {frames} frames, but fps * seconds is {fps * seconds:g}: "
            f"all frames are shown at {fps:g} per second"
        )
    return fps


def _ignored(values: dict[str, Any], frames: list[dict[str, Any]], aspect: float) -> list[str]:
    """Return a note for each thing of the file that has no effect here."""
    notes = []
    if values.get("crop") is not None:
        notes.append("crop of the path is not applied: the whole scene is shown")
    if any("render_time" in frame for frame in frames):
        notes.append("render_time of the path has no effect: the scene does not move")
    stated = [frame.get("aspect") for frame in frames]
    if any(isinstance(each, int | float) and abs(each / aspect - 1) > 0.01 for each in stated):
        notes.append(f"aspect differs from render_width / render_height: {aspect:.4g} is taken")
    return notes
