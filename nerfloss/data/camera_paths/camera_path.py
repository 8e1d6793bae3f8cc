"""A camera path: one posed camera per frame of a video."""

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float

from nerfloss.data.cameras.camera import Camera
from nerfloss.data.cameras.cameras import Cameras

CameraType = Literal["perspective", "fisheye", "equirectangular"]
CAMERA_TYPES = get_args(CameraType)


@dataclass(frozen=True)
class CameraPath:
    """The cameras of a video, one per frame.

    ``poses`` are camera-to-world, in OpenCV axes (x right, y down, z forward). ``fov`` is the
    vertical field of view of each frame in degrees, without meaning for an equirectangular camera.
    ``closed`` says that the last frame is followed by the first. ``notes`` are what was assumed.
    """

    poses: Float[np.ndarray, "frames 3 4"]
    fov: Float[np.ndarray, "frames"]
    width: int
    height: int
    fps: float
    camera_type: CameraType = "perspective"
    closed: bool = False
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.poses)

    @property
    def seconds(self) -> float:
        """The duration of the video."""
        return len(self) / self.fps

    def camera(self, frame: int) -> Camera:
        """Return the camera of one frame, with its principal point in the middle."""
        width, height = self.width, self.height
        if self.camera_type == "equirectangular":
            return Camera("EQUIRECTANGULAR", width, height)
        focal = 0.5 * height / math.tan(math.radians(float(self.fov[frame])) / 2)
        middle = (width / 2, height / 2)
        if self.camera_type == "fisheye":
            return Camera("OPENCV_FISHEYE", width, height, (focal, focal, *middle, 0, 0, 0, 0))
        return Camera.pinhole(width, height, focal, focal, *middle)

    def cameras(self) -> Cameras:
        """Return the cameras of all frames."""
        return Cameras.of([self.camera(frame) for frame in range(len(self))], self.poses)

    def mapped(self, similarity: Float[np.ndarray, "4 4"]) -> "CameraPath":
        """Return the path in other coordinates; orientations stay rotations."""
        scale = float(np.cbrt(np.linalg.det(similarity[:3, :3])))
        turn = similarity[:3, :3] / scale
        centers = self.poses[:, :, 3] @ similarity[:3, :3].T + similarity[:3, 3]
        poses = np.concatenate([turn @ self.poses[:, :, :3], centers[:, :, None]], axis=2)
        return replace(self, poses=poses)
