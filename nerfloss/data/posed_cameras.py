"""Cameras with poses in float64: projection, viewing directions, and a frame without units."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float

from nerfloss.data.cameras.camera import Camera
from nerfloss.kernels.lens import direction_to_pixel, pixel_to_direction


@dataclass(frozen=True)
class Ball:
    """A ball in the coordinates of the cameras that it belongs to."""

    center: Float[np.ndarray, "3"]
    radius: float

    def mapped(self, similarity: Float[np.ndarray, "4 4"]) -> "Ball":
        """Return the ball in other coordinates."""
        scale = float(np.linalg.norm(similarity[:3, 0]))
        center = similarity[:3, :3] @ self.center + similarity[:3, 3]
        return Ball(center, scale * self.radius)


@dataclass(frozen=True)
class PosedCameras:
    """Cameras and their poses: camera-to-world, OpenCV axes, any unit, float64."""

    poses: Float[np.ndarray, "views 3 4"]
    cameras: Sequence[Camera]

    def __len__(self) -> int:
        return len(self.poses)

    @property
    def centers(self) -> Float[np.ndarray, "views 3"]:
        """The positions of the cameras."""
        return self.poses[:, :, 3]

    @property
    def axes(self) -> Float[np.ndarray, "views 3"]:
        """The viewing directions of the cameras, of unit length."""
        return self.poses[:, :, 2]

    @cached_property
    def _lens(self) -> Float[torch.Tensor, "views 17"]:
        # The row of a distorted camera costs a millisecond, and most views share one.
        rows = {camera: camera.row for camera in set(self.cameras)}
        return torch.tensor([rows[camera] for camera in self.cameras], dtype=torch.float64)

    def project(
        self, points: Float[np.ndarray, "points 3"], view: int
    ) -> tuple[Float[np.ndarray, "points 2"], Float[np.ndarray, "points"]]:
        """Return the pixels (column, row) at which one camera sees points, and their depth.

        Where the depth is not positive the camera cannot see the point, and its pixel means
        nothing.
        """
        local = (points - self.centers[view]) @ self.poses[view, :, :3]
        if not (camera := self.cameras[view]).distorted:
            return _pinhole_pixels(local, camera)
        lens = self._lens[view].expand(len(points), -1)
        pixel, depth = direction_to_pixel(torch.from_numpy(local), lens)
        return pixel.numpy(), depth.numpy()

    def directions(
        self, pixels: Float[np.ndarray, "pixels 2"], view: int
    ) -> Float[np.ndarray, "pixels 3"]:
        """Return the unit directions of one camera's rays through pixels (column, row)."""
        lens = self._lens[view].expand(len(pixels), -1)
        local = pixel_to_direction(torch.from_numpy(np.ascontiguousarray(pixels)), lens)
        return local.numpy() @ self.poses[view, :, :3].T

    def visible(
        self, points: Float[np.ndarray, "points 3"], view: int
    ) -> Float[np.ndarray, "points"]:
        """Return 1 where a point lies in the image of one camera, else 0."""
        pixel, depth = self.project(points, view)
        size = (self.cameras[view].width, self.cameras[view].height)
        inside = (depth > 0) & (pixel >= 0).all(1) & (pixel < size).all(1)
        return inside.astype(np.float64)

    def visible_fraction(
        self, points: Float[np.ndarray, "points 3"], most: int = 200
    ) -> Float[np.ndarray, "points"]:
        """Return the fraction of the cameras whose image holds each point, of at most ``most``."""
        views = spread(len(self), most)
        return sum((self.visible(points, i) for i in views), np.zeros(len(points))) / len(views)

    def without_units(self) -> tuple["PosedCameras", Float[np.ndarray, "4 4"]]:
        """Return the same cameras in a frame of their own, and the similarity back from it.

        The origin is the mean of the positions, their root mean square distance from it is 1 (of
        cameras at one place the scale is kept), and the axes are those of the first camera. What is
        computed there is the same for any unit, place and rotation of the input.
        """
        origin = self.centers.mean(0)
        moved = self.centers - origin
        scale = float(np.sqrt(np.square(moved).sum(1).mean()))
        # Differences below the rounding of the positions are no movement.
        if scale <= 1e-9 * float(np.abs(self.centers).max(initial=0.0)):
            scale, moved = 1.0, np.zeros_like(moved)
        back = np.eye(4)
        back[:3, :3], back[:3, 3] = scale * self.poses[0, :, :3], origin
        turn = self.poses[0, :, :3].T
        poses = np.concatenate(
            [turn @ self.poses[:, :, :3], (moved @ turn.T / scale)[..., None]], 2
        )
        return replace(self, poses=poses), back


def spread(count: int, most: int) -> list[int]:
    """Return at most ``most`` of the indices below ``count``, evenly spaced."""
    if count <= most:
        return list(range(count))
    return np.linspace(0, count - 1, most).round().astype(int).tolist()


def _pinhole_pixels(
    local: Float[np.ndarray, "points 3"], camera: Camera
) -> tuple[Float[np.ndarray, "points 2"], Float[np.ndarray, "points"]]:
    """Return the pixels of points in the camera frame, and their depth, as `direction_to_pixel`."""
    x, y, z = local.T
    # A point in the camera's own plane has no pixel; the floor only keeps the division finite.
    inverse = 1 / np.where(np.abs(z) < 1e-12, 1e-12, z)
    across = x * inverse * camera.fx + camera.cx
    return np.stack([across, y * inverse * camera.fy + camera.cy], 1), z
