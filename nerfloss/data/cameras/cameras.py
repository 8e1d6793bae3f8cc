"""The cameras of one split: OpenCV axes, camera-to-world, in normalised scene units."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nerfloss.data.cameras.camera import Camera
from nerfloss.geometry import Rays
from nerfloss.kernels.lens import direction_to_pixel, pixel_to_direction
from nerfloss.kernels.pixel_ops import pinhole_rays


@dataclass(frozen=True)
class Cameras:
    """The cameras of one split.

    x points right, y down, z forward. A pixel's centre lies at its integer index plus one half.
    ``width`` and ``height`` are those of the largest image: smaller ones are stored in the top left
    corner of that size. ``sizes`` are the (width, height) of each image, None if all are of one
    size. ``lens`` describes each camera with its distortion (`nerfloss.kernels.lens`), None if all
    are pinholes. ``intrinsics`` hold the focal lengths and principal points in either case.
    """

    intrinsics: Float[Tensor, "views 3 3"]
    poses: Float[Tensor, "views 3 4"]
    width: int
    height: int
    sizes: Int[Tensor, "views 2"] | None = None
    lens: Float[Tensor, "views 17"] | None = None

    @classmethod
    def of(cls, cameras: Sequence[Camera], poses: Float[np.ndarray, "views 3 4"]) -> "Cameras":
        """Return the cameras of single views, with their poses in scene units."""
        lens = torch.tensor([camera.row for camera in cameras], dtype=torch.float64)
        intrinsics = torch.zeros(len(cameras), 3, 3)
        intrinsics[:, 0, 0], intrinsics[:, 1, 1], intrinsics[:, 2, 2] = lens[:, 1], lens[:, 2], 1
        intrinsics[:, :2, 2] = lens[:, 3:5].float()
        sizes = torch.tensor([(camera.width, camera.height) for camera in cameras])
        width, height = (int(most) for most in sizes.amax(0))
        return cls(
            intrinsics,
            torch.from_numpy(poses).float(),
            width,
            height,
            sizes if bool((sizes != sizes[0]).any()) else None,
            lens if any(camera.distorted for camera in cameras) else None,
        )

    def __len__(self) -> int:
        return self.poses.shape[0]

    def __getitem__(self, which: slice | Tensor) -> "Cameras":
        return self._replace_each(lambda value: value[which])

    def to(self, device: torch.device | str) -> "Cameras":
        return self._replace_each(lambda value: value.to(device))

    def _replace_each(self, function: Callable[[Tensor], Tensor]) -> "Cameras":
        names = ("intrinsics", "poses", "sizes", "lens")
        values = {name: getattr(self, name) for name in names}
        changed = {name: function(v) for name, v in values.items() if v is not None}
        return replace(self, **changed)

    def size(self, view: int) -> tuple[int, int]:
        """Return width and height of the image of one view."""
        if self.sizes is None:
            return self.width, self.height
        width, height = self.sizes[view].tolist()
        return width, height

    @cached_property
    def all_sizes(self) -> Int[Tensor, "views 2"]:
        """Width and height of each image, on the host."""
        if self.sizes is not None:
            return self.sizes.cpu()
        return torch.tensor([[self.width, self.height]]).expand(len(self), 2)

    @property
    def common_size(self) -> tuple[int, int]:
        """The largest width and height that all images have, from the top left."""
        width, height = self.all_sizes.amin(0).tolist()
        return width, height

    def in_image(self, pixels: Float[Tensor, "points 2"], view: int) -> Bool[Tensor, "points"]:
        """Return which pixels (column, row) lie in the image of one view."""
        size = pixels.new_tensor(self.size(view))
        return (pixels >= 0).all(-1) & (pixels < size).all(-1)

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
        """Return rays from the camera centres through pixels (column, row).

        Directions have unit length. The rays' own ``pixel`` is where a pinhole camera with the same
        intrinsics would see them, to which `nerfloss.data.undistortion` resamples the images.
        """
        if self.lens is not None:
            origins = self.poses[:, :, 3].index_select(0, view)
            local = pixel_to_direction(pixel, self.lens.index_select(0, view))
            rotation = self.poses[:, :, :3].double().index_select(0, view)
            world = (rotation * local[:, None, :]).sum(-1)
            pinhole = self._pinhole_pixel(local, view).to(pixel.dtype)
            return Rays(origins, world.to(self.poses.dtype), pinhole, view, background)
        origins, directions = pinhole_rays(view, pixel, self._pixel_to_direction, self.poses)
        return Rays(origins, directions, pixel, view, background)

    def _pinhole_pixel(
        self, local: Float[Tensor, "rays 3"], view: Int[Tensor, "rays"]
    ) -> Float[Tensor, "rays 2"]:
        """Return the pixels of directions without distortion; far outside for those behind."""
        x, y, z = local.unbind(-1)
        matrix = self.intrinsics.index_select(0, view).to(local.dtype)
        forward = z.clamp_min(1e-3)
        column = matrix[:, 0, 0] * x / forward + matrix[:, 0, 2]
        row = matrix[:, 1, 1] * y / forward + matrix[:, 1, 2]
        return torch.stack([column, row], -1)

    def project(
        self, points: Float[Tensor, "points 3"], view: int
    ) -> tuple[Float[Tensor, "points 2"], Float[Tensor, "points"]]:
        """Return the pixels (column, row) at which one camera sees points, and their depth.

        Depth is along the camera's z axis; for fisheye and equirectangular cameras it is the
        distance. Where it is not positive the camera cannot see the point, as behind a pinhole, and
        the pixel means nothing.
        """
        rotation, center = self.poses[view, :, :3], self.poses[view, :, 3]
        if self.lens is not None:
            local = (points - center).double() @ rotation.double()
            pixel, depth = direction_to_pixel(local, self.lens[view].expand(len(points), -1))
            return pixel.to(points.dtype), depth.to(points.dtype)
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
