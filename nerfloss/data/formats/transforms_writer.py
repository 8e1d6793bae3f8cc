"""Write a parsed scene in the layout of nerfstudio: transforms.json, images/, masks and maps."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nerfloss.data.cameras.camera import Camera
from nerfloss.data.formats.file_copies import copy_file
from nerfloss.data.formats.parsed_scene import Frame, ParsedScene
from nerfloss.data.formats.point_writer import write_points
from nerfloss.data.formats.transforms_frames import with_unique_names
from nerfloss.kernels.lens import COEFFICIENTS, EQUIRECTANGULAR, FISHEYE

# The field of `Frame`, the key in the file, and the folder.
MAPS = (
    ("ignore_mask", "mask_path", "masks"),
    ("object_mask", "object_mask_path", "object_masks"),
    ("depth", "depth_file_path", "depths"),
    ("normal", "normal_file_path", "normals"),
)
# Coefficients of `Camera.lens` and their keys; k4 of a file is d1 of a perspective lens.
KEYS: dict[str, str] = {"k1": "k1", "k2": "k2", "k3": "k3", "p1": "p1", "p2": "p2"}
DENOMINATOR: dict[str, str] = {"d1": "k4", "d2": "k5", "d3": "k6"}


def write_transforms(scene: ParsedScene, folder: Path, *, link: bool = False) -> Path:
    """Write a scene in nerfstudio's layout and return the path of its transforms.json.

    Images, masks and maps are copied, or hard-linked with ``link``. Poses keep their coordinates;
    ``to_files`` becomes ``applied_transform`` and ``applied_scale``. nerfstudio does not know
    ``object_mask_path`` and the model FULL_OPENCV; a scene with them reads back here.
    """
    folder.mkdir(parents=True, exist_ok=True)
    frames = uniquely_named(scene)
    cameras = [camera_keys(frame.camera) for frame in frames]
    same = all(each == cameras[0] for each in cameras)
    content: dict[str, Any] = dict(cameras[0]) if same else {}
    content |= _whole_file(scene)
    entries, names = [], []
    for frame, camera in zip(frames, cameras, strict=True):
        name = _copy(frame.image, folder, "images", frame.name, link)
        pose = np.vstack([frame.pose, (0.0, 0.0, 0.0, 1.0)])
        pose[:, 1:3] *= -1  # from OpenCV axes to OpenGL
        entry = {"file_path": name, **({} if same else camera)}
        entry["transform_matrix"] = pose.tolist()
        for field, key, place in MAPS:
            file = vars(frame)[field]
            if file is not None:
                entry[key] = _copy(file, folder, place, frame.name, link)
        sure = frame.depth_confidence
        if sure is not None and sure != frame.depth:
            # Found beside the depth: no key of nerfstudio names it.
            _copy(sure, folder, "depths", f"{frame.name}_confidence", link)
        entries.append(entry)
        names.append(name)
    if scene.test is not None:
        test = [names[index] for index in scene.test]
        content["train_filenames"] = [name for name in names if name not in set(test)]
        content["val_filenames"] = content["test_filenames"] = test
    if scene.points is not None:
        content["ply_file_path"] = "sparse_pc.ply"
        scale = content.get("applied_scale", 1.0)
        # As nerfstudio stores them: with applied_transform, without applied_scale.
        stored = replace(scene.points, positions=scene.points.positions / scale)
        write_points(stored, folder / "sparse_pc.ply")
    path = folder / "transforms.json"
    path.write_text(json.dumps({**content, "frames": entries}, indent=2))
    return path


def camera_keys(camera: Camera) -> dict[str, Any]:
    """Return the keys of a camera, in the words of nerfstudio."""
    lens: dict[str, float] = dict(zip(COEFFICIENTS, camera.lens, strict=True))
    size = {"w": camera.width, "h": camera.height}
    if camera.projection == EQUIRECTANGULAR:
        sphere = {"fl_x": camera.width / 2, "fl_y": float(camera.height)}
        center = {"cx": camera.width / 2, "cy": camera.height / 2}
        return {**size, **sphere, **center, "camera_model": "EQUIRECTANGULAR"}
    focal = {"fl_x": camera.fx, "fl_y": camera.fy}
    keys: dict[str, Any] = {**size, **focal, "cx": camera.cx, "cy": camera.cy}
    if camera.projection == FISHEYE:
        prism = camera.model == "THIN_PRISM_FISHEYE"
        names: dict[str, str] = {name: name for name in ("k1", "k2", "k3", "k4")}
        names |= {"p1": "p1", "p2": "p2", "s1": "sx1", "s2": "sy1"} if prism else {}
        keys["camera_model"] = camera.model if prism else "OPENCV_FISHEYE"
    else:
        full = any(lens[name] for name in DENOMINATOR)
        names = {**KEYS, **(DENOMINATOR if full else {})}
        keys["camera_model"] = "FULL_OPENCV" if full else "OPENCV"
    return keys | {key: lens[name] for name, key in names.items()}


def uniquely_named(scene: ParsedScene) -> list[Frame]:
    """Return the frames with names that are unique in the whole scene."""
    frames, held = list(scene.frames), set(scene.test or ())
    if len({frame.name for frame in frames}) < len(frames):
        splits = ["test" if index in held else "train" for index in range(len(frames))]
        names = [f"{split}/{frame.name}" for split, frame in zip(splits, frames, strict=True)]
        return with_unique_names(frames, names)
    return frames


def _whole_file(scene: ParsedScene) -> dict[str, Any]:
    """Return the keys of the whole file other than cameras, splits and points."""
    content: dict[str, Any] = {"depth_unit_scale_factor": scene.depth.unit}
    if any(frame.normal is not None for frame in scene.frames):
        content["normal_frame"] = scene.normal.frame
    if scene.up is not None:
        content["up"] = scene.up.tolist()
    if scene.to_files is not None:
        applied = np.linalg.inv(scene.to_files)
        scale = float(np.cbrt(np.linalg.det(applied[:3, :3])))
        content["applied_transform"] = (applied[:3] / scale).tolist()
        content["applied_scale"] = scale
        # Depth of the file is in original units.
        content["depth_unit_scale_factor"] = scene.depth.unit / scale
    return content


def _copy(source: Path, folder: Path, place: str, name: str, link: bool) -> str:
    """Copy a file to ``folder/place/name`` with its own ending, and return the relative path."""
    target = folder / place / (name if name.endswith(source.suffix) else name + source.suffix)
    copy_file(source, target, link=link)
    return target.relative_to(folder).as_posix()
