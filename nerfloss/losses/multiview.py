"""Multi-view terms: photometric consistency of surface patches, and the visual hull."""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Bool, Float, Int, Integer
from torch import Tensor

from nerfloss.kernels.directions import unit
from nerfloss.kernels.patch_consistency import patch_consistency
from nerfloss.losses.requirements import requires
from nerfloss.losses.settings_checks import condition, count, not_negative
from nerfloss.maths.projections import NEAREST, project

# Pairs of a view and a point that are projected at once.
PROJECTED = 2**20


@requires(
    condition("an odd patch >= 3", lambda patch: patch >= 3 and patch % 2 == 1),
    count("best"),
    count("rays"),
    smallest_image=lambda patch: patch,
    most_rays=lambda rays: rays,
)
def patch_ncc(
    field: Callable[..., Mapping[str, Tensor]],
    surface_points: Float[Tensor, "rays 3"],
    surface_hit: Bool[Tensor, "rays"],
    pixel: Float[Tensor, "rays 2"],
    view: Int[Tensor, "rays"],
    view_images: Integer[Tensor, "views height width 3"],
    view_projections: Float[Tensor, "views 3 4"],
    view_neighbours: Int[Tensor, "views sources"],
    *,
    patch: int = 11,
    best: int = 4,
    rays: int = 512,
) -> Float[Tensor, "rays"]:
    """Return ``1 - NCC^2`` of grey patches in the views that see a surface point, in [0, 1].

    The ``patch`` x ``patch`` pixels around a ray's own are projected onto the plane through its
    surface point, perpendicular to the SDF's gradient there, and from there into each source view
    (the neighbours of its view). ``NCC^2 = cov^2 / (var var' + 1e-5)``, with sums over the patch of
    grey values in [0, 1], so that patches with a deviation below about half a percent count as
    different. The value is the mean over the ``best`` sources, as the others may be occluded;
    sources that do not see the whole patch from the front are left out, and a ray without any costs
    0, as does one without a hit.

    At most ``rays`` of the rays that hit are compared; their values are scaled so that the mean
    over all hits (``where: surface_hit``) equals theirs. Differentiable with respect to the surface
    points and the field's gradient there. Raises ValueError for images smaller than a patch.

    Reference: Fu et al., "Geo-Neus: Geometry-Consistent Neural Implicit Surfaces Learning for
    Multi-view Reconstruction", NeurIPS 2022, and its released code for the square; the code
    stops the gradient into the normal, which is let through here.
    """
    height, width = view_images.shape[1:3]
    if patch > min(height, width):
        raise ValueError(
            f"patch_ncc compares patches of patch={patch} pixels, but the images are {width} x "
            f"{height}: lower loss.terms.<name>.fn.patch"
        )
    hits = surface_hit.nonzero().squeeze(-1)
    chosen = hits[torch.linspace(0, len(hits) - 1, min(rays, len(hits))).long().to(hits.device)]
    values = surface_points.new_zeros(len(surface_points))
    if not len(chosen):
        return values + 0 * surface_points.sum()
    points, own, sources = surface_points[chosen], view[chosen], view_neighbours[view[chosen]]
    normals = unit(field(points, {"gradients"})["gradients"])
    costs = patch_consistency(
        points,
        normals,
        pixel[chosen],
        own,
        sources,
        view_images,
        view_projections,
        patch=patch,
        best=best,
    )
    return values.index_put((chosen,), costs * (len(hits) / len(chosen)))


@requires(not_negative("margin"))
def visual_hull(
    space_sdf: Float[Tensor, "points"],
    space_points: Float[Tensor, "points 3"],
    view_masks: Integer[Tensor, "views height width"],
    view_projections: Float[Tensor, "views 3 4"],
    *,
    margin: float | int = 0.01,
) -> Float[Tensor, "points"]:
    """Return ``max(0, margin - sdf)`` at points outside the visual hull of the masks, 0 elsewhere.

    A point is outside where at least one view that sees it has a mask below one half at its pixel;
    views that do not see it are ignored. ``margin`` in scene units is the SDF from which on a point
    counts as outside.

    Reference: Laurentini, "The Visual Hull Concept for Silhouette-Based Image Understanding",
    TPAMI 16, 1994.
    """
    carved = torch.zeros_like(space_sdf, dtype=torch.bool)
    at_once = max(1, PROJECTED // max(1, len(space_points)))
    for masks, cameras in zip(
        view_masks.split(at_once), view_projections.split(at_once), strict=True
    ):
        carved |= _outside_mask(space_points, masks, cameras).any(0)
    return (margin - space_sdf).clamp_min(0) * carved


@torch.no_grad()
def _outside_mask(points: Tensor, masks: Tensor, cameras: Tensor) -> Bool[Tensor, "views points"]:
    """Return True for views that see a point outside their mask."""
    height, width = masks.shape[1:]
    pixels, depth = project(points, cameras[:, None])
    column, row = pixels.clamp(-1, max(height, width)).floor().long().unbind(-1)
    sees = (column >= 0) & (column < width) & (row >= 0) & (row < height) & (depth > NEAREST)
    index = row.clamp(0, height - 1) * width + column.clamp(0, width - 1)
    return sees & (masks.flatten(1).gather(1, index) < 128)
