"""The visual hull of the masks, as a grid, a signed distance and a mesh."""

import numpy as np
import torch
import trimesh
from jaxtyping import Bool, Float, UInt8
from scipy.ndimage import distance_transform_edt, maximum_filter
from skimage.measure import marching_cubes
from torch import Tensor

from nerfloss.data.cameras.cameras import Cameras
from nerfloss.data.errors import DataError
from nerfloss.data.views import Views
from nerfloss.kernels.numba.visual_hull import carve

# Half opaque or more is object.
OPAQUE = 128
# Of photographs, one view in this many must see a cell outside of its mask, and at most so many.
VIEWS_PER_VOTE, MAX_VOTES = 20, 3


def visual_hull(
    views: Views,
    box: Float[Tensor, "2 3"],
    resolution: int,
    dilate: int = 0,
    votes: int | None = None,
) -> Bool[Tensor, "x y z"]:
    """Return the cells of a box that fewer than ``votes`` views see outside of their masks.

    With one vote, those whose centres project into the mask of every view. By default one, and for
    photographs, of which single masks may be wrong, one in 20 views, at most 3. Views in which a
    cell lies outside of the image are ignored. ``dilate`` widens the masks by that many pixels, to
    keep parts thinner than a cell. Raises ValueError without masks.
    """
    if views.mask is None:
        raise ValueError("a visual hull needs masks, and these views have none; use the whole box")
    cameras, masks = views.cameras.to("cpu"), views.mask.cpu()
    votes = default_votes(views) if votes is None else votes
    if cameras.lens is not None:
        # Cell by cell: the image of a block of cells has no straight edges.
        centers = cell_centers(box.cpu(), resolution)
        inside = points_in_masks(centers, masks, cameras, dilate, votes)
        return inside.reshape((resolution,) * 3)
    matrices = _cell_to_pixel(cameras, box, resolution)
    sizes = cameras.sizes
    return carve(
        masks, matrices, resolution, opaque=OPAQUE, dilate=dilate, votes=votes, sizes=sizes
    )


def default_votes(views: Views) -> int:
    """Return the number of views that have to see a cell outside of their masks to carve it."""
    photographs = views.behind is not None
    return min(max(len(views) // VIEWS_PER_VOTE, 1), MAX_VOTES) if photographs else 1


def points_in_masks(
    points: Float[Tensor, "points 3"],
    masks: UInt8[Tensor, "views height width"],
    cameras: Cameras,
    dilate: int,
    votes: int,
) -> Bool[Tensor, "points"]:
    """Return the points that fewer than ``votes`` views see outside of their masks.

    Views in which a point lies outside of the image are ignored. ``dilate`` widens the masks by
    that many pixels.
    """
    kept, needed = torch.arange(len(points)), torch.full((len(points),), votes)
    for view, mask in enumerate(masks):
        wide = maximum_filter(mask.numpy(), size=2 * dilate + 1, mode="constant")
        pixel, depth = cameras.project(points[kept], view)
        seen = (depth > 0) & cameras.in_image(pixel, view)
        column, row = pixel[seen].long().unbind(-1)
        outside = torch.zeros_like(seen)
        outside[seen] = torch.from_numpy(wide)[row, column] < OPAQUE
        needed[kept[outside]] -= 1
        kept = kept[needed[kept] > 0]
    inside = torch.zeros(len(points), dtype=torch.bool)
    inside[kept] = True
    return inside


def hull_distance(
    inside: Bool[Tensor, "x y z"], box: Float[Tensor, "2 3"]
) -> Float[Tensor, "x y z"]:
    """Return signed distances of cell centres to the hull's border, negative inside.

    Distances are measured between cell centres; half a cell is subtracted on each side, so that the
    zero level set lies between inside and outside cells. Raises ValueError for an empty hull.
    """
    if not inside.any():
        raise ValueError(
            "the visual hull is empty: masks and cameras do not agree; check the poses"
        )
    cell = ((box[1] - box[0]) / torch.tensor(inside.shape)).tolist()
    # A border of outside cells closes a hull that fills the grid.
    padded = torch.nn.functional.pad(inside, (1,) * 6)
    outer, inner = (_distance_to_false(kind, cell)[1:-1, 1:-1, 1:-1] for kind in (~padded, padded))
    half = 0.5 * sum(cell) / 3
    return torch.where(inside, half - inner, outer - half)


def _distance_to_false(cells: Bool[Tensor, "x y z"], cell: list[float]) -> Float[Tensor, "x y z"]:
    """Return the distance from each cell's centre to that of the nearest False cell."""
    distance = distance_transform_edt(cells.numpy(), sampling=cell)
    return torch.from_numpy(np.asarray(distance, dtype=np.float32))


def hull_mesh(inside: Bool[Tensor, "x y z"], box: Float[Tensor, "2 3"]) -> trimesh.Trimesh:
    """Return the hull's border as a closed mesh in scene units, faces oriented outward."""
    cell = ((box[1] - box[0]) / torch.tensor(inside.shape)).numpy()
    values = hull_distance(inside, box).numpy()
    # A border of outside values closes the mesh.
    values = np.pad(values, 1, constant_values=float(cell.max()))
    vertices, faces, _, _ = marching_cubes(values, 0.0, spacing=tuple(cell.tolist()))
    corner = box[0].numpy() - 0.5 * cell
    return trimesh.Trimesh(vertices + corner, faces, process=False)


def fit_box(
    views: Views, margin: float = 0.05, resolution: int = 64, dilate: int = 1
) -> Float[Tensor, "2 3"]:
    """Return the hull's bounding box, grown by ``margin`` and clipped to [-1, 1]^3.

    Masks are widened by ``dilate`` pixels. Without masks, [-1, 1]^3. Raises DataError if the hull
    is empty.
    """
    whole = torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])
    if views.mask is None:
        return whole
    centers = cell_centers(whole, resolution)
    inside = visual_hull(views, whole, resolution, dilate=dilate).reshape(-1)
    # The object lies in the unit ball; the corners of the cube are visible in few images.
    inside &= centers.square().sum(-1) <= 1.0
    if not inside.any():
        found = "no point of the unit ball lies inside every mask"
        raise DataError("masks and poses", found, "check the axes, the units and the scene radius")
    centers = centers[inside]
    grow = margin + 1.0 / resolution
    return torch.stack([centers.amin(0) - grow, centers.amax(0) + grow]).clamp(-1.0, 1.0)


def cell_centers(box: Float[Tensor, "2 3"], resolution: int) -> Float[Tensor, "cells 3"]:
    """Return the centres of ``resolution``^3 equal cells of a box, z varying fastest."""
    share = (torch.arange(resolution) + 0.5) / resolution
    axes = [box[0, i] + share * (box[1, i] - box[0, i]) for i in range(3)]
    return torch.cartesian_prod(*axes)


def _cell_to_pixel(
    cameras: Cameras, box: Float[Tensor, "2 3"], resolution: int
) -> Float[Tensor, "views 3 4"]:
    """Return the matrices from cell indices to (column, row, 1) times depth."""
    lower, upper = box.cpu().double()
    cell = (upper - lower) / resolution
    poses = cameras.poses.cpu().double()
    turn = cameras.intrinsics.cpu().double() @ poses[:, :, :3].mT
    first = turn @ (lower + 0.5 * cell - poses[:, :, 3])[:, :, None]
    return torch.cat([turn * cell, first], dim=-1)
