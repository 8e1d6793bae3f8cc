"""Cut off what lies outside of the masks of the views, as comparisons of surfaces ask for."""

import numpy as np
import torch
import trimesh
from jaxtyping import Bool, Float
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from nerfloss.data.views import Views
from nerfloss.evaluation.errors import EmptyMesh
from nerfloss.evaluation.mesh_components import faces_of

DILATION = 50  # pixels, of images as wide as DTU's; others in proportion
WIDTH = 1600
OPAQUE = 128
CHUNK = 1_000_000  # vertices that are projected at once


def cull_by_masks(mesh: trimesh.Trimesh, views: Views, dilation: int = DILATION) -> trimesh.Trimesh:
    """Return the faces whose vertices lie in the dilated mask of every view that has them in it.

    Mesh and cameras are in one frame. ``dilation`` is in pixels of images 1600 wide. Views without
    a mask cull nothing. Raises EmptyMesh where no face is left.
    """
    if views.mask is None:
        return mesh
    vertices = torch.from_numpy(np.asarray(mesh.vertices, dtype=np.float32))
    keep = torch.ones(len(vertices), dtype=torch.bool)
    for view in range(len(views)):
        width, height = views.cameras.size(view)
        mask = views.mask[view].cpu().numpy()[:height, :width] >= OPAQUE
        wide = _dilated(mask, round(dilation * width / WIDTH))
        for start in range(0, len(vertices), CHUNK):
            part = slice(start, start + CHUNK)
            keep[part] &= _in_mask(vertices[part], views, view, torch.from_numpy(wide))
    faces = np.asarray(keep.numpy()[mesh.faces].all(axis=1), dtype=bool)
    if not faces.any():
        raise EmptyMesh(
            "no face lies in the masks of all views: are cameras and mesh in one frame?"
        )
    return faces_of(mesh, faces)


def _in_mask(
    points: Float[Tensor, "points 3"], views: Views, view: int, mask: Bool[Tensor, "height width"]
) -> Bool[Tensor, "points"]:
    """Return which points are in the mask, or not in the image at all."""
    cameras = views.cameras.to("cpu")
    pixel, depth = cameras.project(points, view)
    outside = ~cameras.in_image(pixel, view) | (depth <= 0)
    at = torch.where(outside[:, None], torch.zeros_like(pixel), pixel).long()
    return outside | mask[at[:, 1], at[:, 0]]


def _dilated(mask: np.ndarray, radius: int) -> np.ndarray:
    """Return a mask widened by a disc of some pixels."""
    if radius < 1 or not mask.any():
        return mask
    return np.asarray(distance_transform_edt(~mask)) <= radius
