"""Maps on photographs, as the error of a rendering or a loss, projected into other views."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample

from nerfloss.assembly.eval_adapter import view_at
from nerfloss.assembly.viewer.progressive_rendering import ChunkRows, Images, rendered
from nerfloss.data.cameras.cameras import Cameras
from nerfloss.data.scene import Scene
from nerfloss.evaluation.frame_pictures import HIT
from nerfloss.evaluation.inputs import EvaluatedModel

LARGEST = 128  # pixels of the longer side of a map
# A point is seen by the photograph unless something is nearer to it, by more than so many scene
# units: the depth of a small map is coarse at slanted surfaces.
TOLERANCE = 0.04
DIRECTION_WEIGHT = 1.0  # of the viewing direction against the position, in the nearest camera


@dataclass(frozen=True)
class PhotographMap:
    """A map over the pixels of one photograph, and the model's depth there.

    ``values`` are NaN where there is none; ``high`` is the value at the bright end of the colours.
    """

    values: Float[Tensor, "height width"]
    depth: Float[Tensor, "height width"]
    cameras: Cameras
    high: float

    def seen_from(
        self, images: Images
    ) -> tuple[Float[Tensor, "rows columns"], Bool[Tensor, "rows columns"]]:
        """Return the map at the surface points of another view, and where the photograph has them.

        ``images`` hold depth and opacity. Points that the photograph does not see, and rays that
        hit nothing, have no value.
        """
        depth, opacity = images.quantities["depth"], images.quantities["opacity"]
        points = images.origins + depth[..., None] * images.directions
        flat = points.reshape(-1, 3)
        pixels, along = self.cameras.project(flat, 0)
        height, width = self.values.shape
        scaled = 2 * pixels / pixels.new_tensor([width, height]) - 1
        stacked = torch.stack([self.values, self.depth])[None]
        found = grid_sample(stacked, scaled[None, None], align_corners=False, mode="bilinear")
        values, nearest = found[0, :, 0]
        distance = (flat - self.cameras.poses[0, :, 3]).norm(dim=-1)
        seen = self.cameras.in_image(pixels, 0) & (along > 0)
        seen &= (nearest > distance - TOLERANCE) & (opacity.reshape(-1) > HIT)
        seen &= values.isfinite()
        return values.where(seen, 0).reshape(depth.shape), seen.reshape(depth.shape)


def nearest_photograph(pose: Float[np.ndarray, "3 4"], scene: Scene) -> int:
    """Return the training view whose camera is nearest: in position and viewing direction."""
    poses = scene.train.cameras.poses.double().cpu().numpy()
    moved = np.linalg.norm(poses[:, :, 3] - pose[:, 3], axis=1)
    turned = np.linalg.norm(poses[:, :, 2] - pose[:, 2], axis=1)
    return int((moved + DIRECTION_WEIGHT * turned).argmin())


def small_cameras(scene: Scene, index: int, downscale: int) -> Cameras:
    """Return the camera of one photograph of which each square of so many pixels became one.

    Rows and columns that fill no square are left out.
    """
    cameras = scene.train.cameras[index : index + 1].to("cpu")
    width, height = (side // downscale for side in cameras.size(0))
    intrinsics = cameras.intrinsics.clone()
    intrinsics[:, :2] /= downscale
    lens = cameras.lens
    if lens is not None:  # columns: projection, fx, fy, cx, cy, coefficients
        lens = lens.clone()
        lens[:, 1:5] /= downscale
    return Cameras(intrinsics, cameras.poses, width, height, None, lens)


def downscale_of(scene: Scene, index: int) -> int:
    """Return the downscale by which a photograph has at most 128 pixels a side."""
    return -(-max(scene.train.cameras.size(index)) // LARGEST)


def error_map(
    subject: EvaluatedModel, scene: Scene, index: int, background: str, chunk: ChunkRows
) -> Iterator[PhotographMap | None]:
    """Yield None after every step, and at last the error of the rendered photograph.

    It is the mean absolute difference of the three colours; a fifth is the bright end.
    """
    downscale = downscale_of(scene, index)
    cameras = small_cameras(scene, index, downscale)
    images = None
    for images in rendered(subject, cameras, 0, {"rgb", "depth"}, background, chunk):
        if images is None:
            yield None
    assert images is not None
    seen = view_at(scene, "train", index)
    target = seen.as_image(seen.batch.targets["target_rgb"].float().cpu())
    small = avg_pool2d(target.permute(2, 0, 1), downscale)
    error = (images.quantities["rgb"] - small.permute(1, 2, 0)).abs().mean(-1)
    yield PhotographMap(error, images.quantities["depth"], cameras, high=0.2)


class NoMap(Exception):
    """A mode has no map of a photograph; the message is the reason."""


MapSource = Callable[[str, int], Iterator[PhotographMap | None]]
