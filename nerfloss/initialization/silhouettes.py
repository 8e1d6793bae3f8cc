"""Silhouettes of a region of space, used to choose pixels where there are no masks."""

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn.functional import max_pool2d, max_pool3d

from nerfloss.data.cameras.cameras import Cameras
from nerfloss.data.visual_hull import cell_centers

OPAQUE = 255


def silhouettes(
    region: Bool[Tensor, "x y z"], box: Float[Tensor, "2 3"], cameras: Cameras
) -> UInt8[Tensor, "views height width"]:
    """Return masks (0 or 255) that cover the projection of a region, and a few pixels more.

    They are made of square blocks of the projected size of the nearest cell. The mask of a camera
    inside the region is 255 everywhere.
    """
    points = cell_centers(box, len(region))[_border(region).reshape(-1)]
    cell = float((box[1] - box[0]).max()) / len(region)
    images = torch.zeros(len(cameras), cameras.height, cameras.width, dtype=torch.uint8)
    for view, image in enumerate(images):
        width, height = cameras.size(view)
        pixel, depth = cameras.project(points, view)
        near = float(depth[depth > 0].min()) if bool((depth > 0).any()) else 0.0
        if near < 2 * cell:
            image[:height, :width] = OPAQUE if len(points) else 0
            continue
        block = max(1, round(float(cameras.intrinsics[view, :2, :2].max()) * cell / near))
        image[:height, :width] = _blocks(pixel[depth > 0], block, height, width)
    return images


def _border(region: Bool[Tensor, "x y z"]) -> Bool[Tensor, "x y z"]:
    """Return the cells of the region next to an outside cell or the border of the grid."""
    outside = torch.nn.functional.pad((~region).float(), (1,) * 6, value=1.0)
    return region & (max_pool3d(outside[None], 3, stride=1)[0] > 0)


def _blocks(
    pixel: Float[Tensor, "points 2"], block: int, height: int, width: int
) -> UInt8[Tensor, "height width"]:
    """Mark the blocks that contain pixels, and their neighbours; pixels may lie outside."""
    rows, columns = -(-height // block), -(-width // block)
    # Padded by one block: pixels there have neighbouring blocks inside the image.
    column = (pixel[:, 0] / block).floor().clamp(-1, columns).long() + 1
    row = (pixel[:, 1] / block).floor().clamp(-1, rows).long() + 1
    hit = torch.zeros(rows + 2, columns + 2)
    hit[row, column] = 1.0
    wide = max_pool2d(hit[None], 3, stride=1)[0].bool()
    fine = wide.repeat_interleave(block, 0).repeat_interleave(block, 1)
    return OPAQUE * fine[:height, :width].to(torch.uint8)
