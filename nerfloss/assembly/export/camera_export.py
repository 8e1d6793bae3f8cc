"""Export the cameras of a run, as it refined them, in the words of nerfstudio's transforms.json."""

import json
from pathlib import Path

import numpy as np
from jaxtyping import Float

from nerfloss.assembly.export.mesh_settings import Axes
from nerfloss.assembly.export.opened_run import OpenedRun
from nerfloss.assembly.export.upward import file_transform
from nerfloss.assembly.instantiation import build
from nerfloss.assembly.refined_scene_files import refined_scene_files
from nerfloss.data.cameras.camera import Camera
from nerfloss.data.formats.folder_dataset import FolderDataset
from nerfloss.data.formats.transforms_writer import camera_keys
from nerfloss.data.views import Views
from nerfloss.files import atomic_write

# A view: the file of its image, its camera, and its camera-to-world pose in OpenCV axes.
ViewCamera = tuple[str, Camera, Float[np.ndarray, "3 4"]]


def check_camera_file(path: Path) -> None:
    """Raise ValueError for another ending than .json."""
    if path.suffix.lower() != ".json":
        raise ValueError(f"--cameras {path}: cameras are written as .json (nerfstudio's layout)")


def export_cameras(opened: OpenedRun, path: Path, axes: Axes) -> list[str]:
    """Write the cameras of all views, and return notes.

    Poses are camera-to-world in OpenGL axes, as in nerfstudio, and in the coordinates of the files,
    as exported meshes and points are; image files are named by their absolute paths. Images are not
    written: ``nerfloss convert`` writes a whole scene.
    """
    check_camera_file(path)
    views, notes = _views_of(opened)
    transform, note = file_transform(opened, axes)
    entries = [
        {
            "file_path": file,
            **camera_keys(camera),
            "transform_matrix": _opengl(pose, transform).tolist(),
        }
        for file, camera, pose in views
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"frames": entries}, indent=2)
    atomic_write(path, f"{text}\n".encode())
    return [*notes, *([] if note is None else [note]), f"{len(entries)} cameras"]


def _views_of(opened: OpenedRun) -> tuple[list[ViewCamera], list[str]]:
    """Return the views with the cameras of the run's scene, and notes of what these are."""
    dataset = build(opened.config.dataset)
    if not isinstance(dataset, FolderDataset):
        splits = (opened.scene.train, opened.scene.test)
        found = [view for split in splits for view in _synthetic(split, opened.to_files)]
        return found, ["the scene is synthetic: its views have names, and no files"]
    if opened.config.get("cameras") is None:
        parsed, note = dataset.parsed, "the cameras are those of the scene: the run refined none"
    else:
        parsed = refined_scene_files(opened.folder)
        note = parsed.notes[-1]
    frames = parsed.frames
    return [(str(frame.image.resolve()), frame.camera, frame.pose) for frame in frames], [note]


def _synthetic(views: Views, to_files: Float[np.ndarray, "4 4"]) -> list[ViewCamera]:
    """Return the cameras of a synthetic scene, which are pinholes."""
    found, cameras = [], views.cameras
    for index, name in enumerate(views.names):
        width, height = cameras.size(index)
        matrix = cameras.intrinsics[index].double().cpu().numpy()
        center = matrix[0, 2], matrix[1, 2]
        camera = Camera.pinhole(width, height, matrix[0, 0], matrix[1, 1], *map(float, center))
        pose = cameras.poses[index].double().cpu().numpy()
        found.append((name, camera, _moved(pose, to_files)))
    return found


def _moved(
    pose: Float[np.ndarray, "3 4"], transform: Float[np.ndarray, "4 4"]
) -> Float[np.ndarray, "3 4"]:
    """Return a camera-to-world pose after a similarity of the world."""
    scale = float(np.cbrt(np.linalg.det(transform[:3, :3])))
    center = transform[:3, :3] @ pose[:, 3] + transform[:3, 3]
    return np.column_stack([transform[:3, :3] @ pose[:, :3] / scale, center])


def _opengl(
    pose: Float[np.ndarray, "3 4"], transform: Float[np.ndarray, "4 4"]
) -> Float[np.ndarray, "4 4"]:
    matrix = np.vstack([_moved(pose, transform), (0.0, 0.0, 0.0, 1.0)])
    matrix[:, 1:3] *= -1
    return matrix
