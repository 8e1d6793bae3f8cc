"""Images as pinhole cameras of one size would see them, for losses that project between views."""

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn.functional import grid_sample

from nerfloss.data.cameras.cameras import Cameras, pixel_centers
from nerfloss.data.views import Views
from nerfloss.kernels.lens import direction_to_pixel


def pinhole_images(
    views: Views,
    images: UInt8[Tensor, "views height width *channel"],
    *,
    unseen: int | None = None,
) -> UInt8[Tensor, "views rows columns *channel"]:
    """Return images of the views, such that projections ``K [R | t]`` hold for their pixels.

    Images of several sizes are cropped to the smallest width and height, from the top left, so that
    one size bounds all. Distorted images are resampled bilinearly with the same ``K``; pixels that
    they do not show are ``unseen``, or by default like the nearest one that they do, since an edge
    there would be texture. Images that need neither are returned themselves.
    """
    width, height = views.cameras.common_size
    if (height, width) != images.shape[1:3]:
        images = images[:, :height, :width]
    if views.cameras.lens is None:
        return images
    resampled = torch.empty_like(images, memory_format=torch.contiguous_format)
    for view, image in enumerate(images):
        where, shown = _distorted_pixels(views.cameras, view, width, height)
        resampled[view] = _sampled(image, where.to(image.device))
        if unseen is not None:
            resampled[view][~shown.to(image.device)] = unseen
    return resampled


def _distorted_pixels(
    cameras: Cameras, view: int, width: int, height: int
) -> tuple[Float[Tensor, "height width 2"], Bool[Tensor, "height width"]]:
    """Return the pixels of the image that the pixels of a pinhole camera show, and if it has them.

    A direction that the lens does not see has the pixel of the image's centre.
    """
    camera = cameras[torch.tensor([view], device=cameras.poses.device)].to("cpu")
    centers = pixel_centers(width, height)
    ones = torch.ones(len(centers), 1)
    local = (
        torch.cat([centers, ones], 1).double() @ torch.linalg.inv(camera.intrinsics[0].double()).T
    )
    assert camera.lens is not None
    pixel, depth = direction_to_pixel(local, camera.lens[0].expand(len(local), -1))
    pixel, seen = pixel.float(), depth > 0
    pixel[~seen] = pixel.new_tensor([width / 2, height / 2])
    shown = seen & camera.in_image(pixel, 0)
    return pixel.reshape(height, width, 2), shown.reshape(height, width)


def _sampled(image: Tensor, pixel: Float[Tensor, "height width 2"]) -> Tensor:
    """Return the image at pixels, bilinearly; outside that of the nearest pixel."""
    height, width = image.shape[:2]
    channels = image.reshape(height, width, -1).permute(2, 0, 1)[None].float()
    grid = 2 * pixel / pixel.new_tensor([width, height]) - 1
    found = grid_sample(channels, grid[None], padding_mode="border", align_corners=False)
    return found[0].permute(1, 2, 0).round().to(torch.uint8).reshape(image.shape)
