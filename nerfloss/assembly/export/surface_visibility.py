"""Training views that see points of a mesh, and how well: by a depth buffer of the mesh per view.

A view counts where its camera sees the point before all other parts of the mesh, at less than 85
degrees from the normal, away from outlines of the mesh, from the image's border, and from pixels
outside of the object's mask or to be ignored.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
import trimesh
from jaxtyping import Bool, Float, Int, Shaped
from scipy.ndimage import distance_transform_edt, maximum_filter, minimum_filter
from torch import Tensor

from nerfloss.data.cameras.cameras import Cameras
from nerfloss.data.views import Views
from nerfloss.kernels.numba.rasterize import rasterize

LARGEST = 1024  # pixels of the longer side of a depth buffer
CACHE = 2**30  # bytes of maps that are kept; those of further views are made again
OPAQUE = 128  # of 255: the object's own pixels
# Cosine between normal and ray below which a view does not count.
GRAZING = 0.09
# A step of depth between two pixels that is an outline, in footprints of a pixel. A surface that is
# seen at 80 degrees has 5.7 between two pixels.
STEP = 6.0
# Pixels over which a weight grows from 0, at outlines and borders, to 1.
RAMP = 4.0
# Power of a view's resolution on the surface in its weight: the best views dominate.
SHARPNESS = 8


@dataclass(frozen=True)
class Seen:
    """Points that one view sees: their index, pixel and unit direction from the camera.

    ``weight`` is the share of a view in a mean: the number of its pixels on a unit of area, to a
    power, times ``support``, which is from 0 to 1 and becomes 0 where the view ceases to count.
    """

    view: int
    index: Int[Tensor, "seen"]
    pixel: Float[Tensor, "seen 2"]
    direction: Float[Tensor, "seen 3"]
    weight: Float[Tensor, "seen"]
    support: Float[Tensor, "seen"]


@dataclass(frozen=True)
class _Map:
    """One view in blocks of ``stride`` pixels: largest depth of neighbours, and weight of pixels.

    A point on the mesh that the camera sees is not behind the farthest of the neighbours.
    """

    stride: int
    depth: Float[Tensor, "rows columns"]
    share: Float[Tensor, "rows columns"]


class SurfaceVisibility:
    """Views that see points on a mesh in scene units. Maps of views are made when first asked."""

    def __init__(self, mesh: trimesh.Trimesh, views: Views) -> None:
        self.views = views
        given = views.cameras.to("cpu")
        self.cameras: Cameras = replace(
            given, intrinsics=given.intrinsics.double(), poses=given.poses.double()
        )
        self._vertices = torch.from_numpy(np.array(mesh.vertices, dtype=np.float64))
        self._faces = np.asarray(mesh.faces)
        self._maps: dict[int, _Map] = {}
        self._kept = 0

    def __call__(
        self, points: Float[Tensor, "points 3"], normals: Float[Tensor, "points 3"]
    ) -> Iterator[Seen]:
        """Yield, view by view, the points that it sees. Positions are float64, on the host."""
        for view in range(len(self.cameras)):
            pixel, depth = self.cameras.project(points, view)
            toward = points - self.cameras.poses[view, :, 3]
            distance = toward.norm(dim=1)
            direction = toward / distance[:, None].clamp_min(1e-12)
            cosine = -(direction * normals).sum(1)
            near = (cosine > GRAZING) & (depth > 0) & self.cameras.in_image(pixel, view)
            index = near.nonzero()[:, 0]
            if not len(index):
                continue
            share = self._share(view, pixel[index], depth[index])
            cosine, depth = cosine[index], depth[index]
            support = share * (cosine - GRAZING) / (1 - GRAZING)
            resolution = cosine * (self._focal(view) / depth).square()
            weight = support * resolution**SHARPNESS
            keep = support > 0
            index = index[keep]
            yield Seen(
                view, index, pixel[index], direction[index], weight[keep], support[keep].clamp(0, 1)
            )

    def _focal(self, view: int) -> float:
        return float(self.cameras.intrinsics[view, 0, 0])

    def _share(
        self, view: int, pixel: Float[Tensor, "points 2"], depth: Float[Tensor, "points"]
    ) -> Float[Tensor, "points"]:
        """Return the weight of a view's pixels, 0 where another part of the mesh is before them."""
        found = self._map(view)
        rows, columns = found.depth.shape
        place = pixel.double() / found.stride
        column, row = place.long().unbind(1)
        nearest = found.depth[row.clamp_max(rows - 1), column.clamp_max(columns - 1)]
        hidden = depth > nearest * (1 + found.stride / self._focal(view))
        return torch.where(hidden, 0.0, interpolated(found.share, place))

    def _map(self, view: int) -> _Map:
        if view in self._maps:
            return self._maps[view]
        width, height = self.cameras.size(view)
        stride = -(-max(width, height) // LARGEST)
        columns, rows = max(width // stride, 1), max(height // stride, 1)
        pixels, z = self.cameras.project(self._vertices, view)
        buffer, _ = rasterize(pixels.numpy() / stride, z.numpy(), self._faces, columns, rows)
        usable = _reduced(self._counted(view), stride, rows, columns)
        farthest = maximum_filter(buffer, size=3)
        step = STEP * stride / self._focal(view)
        usable &= _inside(minimum_filter(buffer, size=3), farthest, step)
        # The border of the image ends the usable pixels, too.
        distance = np.asarray(distance_transform_edt(np.pad(usable, 1)))[1:-1, 1:-1]
        share = ((distance - 1) / RAMP).clip(0, 1)
        made = _Map(stride, *(torch.from_numpy(np.float32(each)) for each in (farthest, share)))
        size = made.depth.nbytes + made.share.nbytes
        if self._kept + size <= CACHE:
            self._maps[view], self._kept = made, self._kept + size
        return made

    def _counted(self, view: int) -> Bool[np.ndarray, "height width"]:
        width, height = self.cameras.size(view)
        counts = self.views.counts(view)
        counted = np.ones((height, width), bool) if counts is None else counts[:height, :width]
        if self.views.mask is not None:
            counted = counted & (self.views.mask[view, :height, :width].cpu().numpy() >= OPAQUE)
        return counted


def _reduced(
    counted: Bool[np.ndarray, "height width"], stride: int, rows: int, columns: int
) -> Bool[np.ndarray, "rows columns"]:
    """Return which blocks of pixels count as a whole."""
    blocks = counted[: rows * stride, : columns * stride].reshape(rows, stride, columns, stride)
    return np.asarray(blocks.all((1, 3)))


def _inside(
    nearest: Float[np.ndarray, "rows columns"],
    farthest: Float[np.ndarray, "rows columns"],
    step: float,
) -> Bool[np.ndarray, "rows columns"]:
    """Return the pixels of the mesh whose neighbours are neither much nearer nor much farther."""
    known = np.isfinite(farthest)
    return known & (np.where(known, farthest, 1.0) <= np.where(known, nearest, 0.0) * (1 + step))


def interpolated(
    image: Shaped[Tensor, "rows columns *channels"], place: Float[Tensor, "points 2"]
) -> Float[Tensor, "points *channels"]:
    """Return values at (column, row), between the centres of pixels, in double precision."""
    last = place.new_tensor([image.shape[1] - 1, image.shape[0] - 1])
    at = (place.double() - 0.5).clamp_min(0).minimum(last.double())
    first = at.floor().minimum((last - 1).clamp_min(0))
    share = at - first
    (left, top), step = first.long().unbind(1), (last >= 1).long()
    extra = (1,) * (image.ndim - 2)
    total = torch.zeros(len(place), *image.shape[2:], dtype=torch.float64)
    for down in (0, 1):
        for right in (0, 1):
            along = share[:, 0] if right else 1 - share[:, 0]
            across = share[:, 1] if down else 1 - share[:, 1]
            value = image[top + down * step[1], left + right * step[0]].cpu().double()
            total += (along * across).reshape(-1, *extra) * value
    return total
