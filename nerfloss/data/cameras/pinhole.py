"""Pinhole cameras: OpenCV axes, camera-to-world, in normalised scene units."""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nerfloss.geometry import Rays


@dataclass(frozen=True)
class Cameras:
    """The cameras of one split, all of one image size.

    x points right, y down, z forward. A pixel's centre lies at its integer index plus one half.
    """

    intrinsics: Float[Tensor, "views 3 3"]
    poses: Float[Tensor, "views 3 4"]
    width: int
    height: int

    def __len__(self) -> int:
        return self.poses.shape[0]

    def __getitem__(self, which: slice | Tensor) -> "Cameras":
        return replace(self, intrinsics=self.intrinsics[which], poses=self.poses[which])

    def to(self, device: torch.device | str) -> "Cameras":
        return replace(self, intrinsics=self.intrinsics.to(device), poses=self.poses.to(device))

    @cached_property
    def _pixel_to_direction(self) -> Float[Tensor, "views 3 3"]:
        # R K^-1 in one matrix: a ray then costs one gather and one small product.
        inverse = torch.linalg.inv(self.intrinsics.double())
        return (self.poses[:, :, :3].double() @ inverse).to(self.poses.dtype)

    def rays(
        self,
        view: Int[Tensor, "rays"],
        pixel: Float[Tensor, "rays 2"],
        background: Float[Tensor, "rays 3"],
    ) -> Rays:
        """Rays from the camera centres through pixels (column, row), directions of unit length."""
        # (R K^-1) (u, v, 1): a sum of three columns is cheaper than many tiny matrix products.
        columns = self._pixel_to_direction.index_select(0, view)
        along = columns[:, :, 0] * pixel[:, :1] + columns[:, :, 1] * pixel[:, 1:] + columns[:, :, 2]
        # As sums of columns, too: torch's norm over three numbers takes four times as long.
        x, y, z = along.unbind(-1)
        directions = along / (x * x + y * y + z * z).sqrt()[:, None]
        origins = self.poses[:, :, 3].index_select(0, view)
        return Rays(origins, directions, pixel, view, background)

    def project(
        self, points: Float[Tensor, "points 3"], view: int
    ) -> tuple[Float[Tensor, "points 2"], Float[Tensor, "points"]]:
        """Pixels (column, row) at which one camera sees points, and their depth along its z axis.

        Where the depth is not positive the point lies behind the camera: its pixel means nothing.
        """
        rotation, center = self.poses[view, :, :3], self.poses[view, :, 3]
        seen = (points - center) @ (self.intrinsics[view] @ rotation.T).T
        depth = seen[:, 2]
        # A point in the camera's own plane has no pixel; the floor only keeps the division finite.
        safe = torch.where(depth.abs() < 1e-12, 1e-12, depth)
        return seen[:, :2] / safe[:, None], depth


def pixel_centers(
    width: int, height: int, device: torch.device | str = "cpu"
) -> Float[Tensor, "pixels 2"]:
    """Centres (column, row) of all pixels of an image, in row-major order."""
    rows = torch.arange(height, device=device) + 0.5
    columns = torch.arange(width, device=device) + 0.5
    row, column = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([column.reshape(-1), row.reshape(-1)], dim=-1)
