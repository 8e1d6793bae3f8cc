"""Key frames of a camera path that is made in the viewer, and the path through them."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float

from nerfloss.assembly.viewer.progressive_rendering import ViewPoint
from nerfloss.data.camera_paths.camera_path import CameraPath
from nerfloss.data.camera_paths.interpolation import interpolate
from nerfloss.data.camera_paths.path_file import write_path

FOLDER = "camera_paths"
FPS = 30.0
# What comes from a browser and becomes the name of a file.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass
class KeyFrames:
    """Cameras that a path leads through, in order."""

    views: list[ViewPoint] = field(default_factory=list)

    def path(self, size: tuple[int, int], seconds: float) -> CameraPath:
        """Return the path through all key frames in scene units, at 30 frames per second.

        ``size`` is (width, height). The field of view changes linearly from key to key along the
        frames. Raises ValueError for fewer than two key frames or a duration that no video has.
        """
        if len(self.views) < 2:
            raise ValueError(f"a path leads through at least 2 key frames, got {len(self.views)}")
        if not 0 < seconds <= 600:
            raise ValueError(f"a path takes up to 600 seconds, got {seconds:g}")
        frames = max(2, round(seconds * FPS))
        poses = interpolate(np.stack([view.pose for view in self.views]), frames)
        keys = np.array([view.fov for view in self.views])
        fov = np.interp(np.linspace(0, len(keys) - 1, frames), np.arange(len(keys)), keys)
        return CameraPath(poses, fov, *size, FPS)


def path_file(folder: Path, name: str) -> Path:
    """Return where the path of a name is saved in a run's folder.

    Raises ValueError for a name with anything but letters, digits, - and _.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"'{name}' is no name of a path: letters, digits, - and _, at most 64")
    return folder / FOLDER / f"{name}.json"


def save_path(
    folder: Path, name: str, path: CameraPath, to_files: Float[np.ndarray, "4 4"]
) -> Path:
    """Write a path as nerfstudio's viewer does, in the coordinates of the data's files.

    Returns the file, which ``nerfloss render --path`` reads. Raises ValueError as `path_file`.
    """
    file = path_file(folder, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_path(file, path.mapped(to_files))
    return file
