"""Quantities of the points of a run's surface, beside its loss terms."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from nerfloss.assembly.loss_maps.surface import Surface
from nerfloss.evaluation.colormaps import INFERNO, RED_BLUE, VIRIDIS
from nerfloss.evaluation.point_to_triangle import distances_to_surface
from nerfloss.initialization.initialization import restrict_pixels
from nerfloss.maths.directions import length

Values = Float[np.ndarray, "vertices"]
AREA = 0.01  # scene units along a side: the square in which training rays are counted


@dataclass(frozen=True)
class SurfaceQuantity:
    """A number per vertex: its unit, its colours, and the function that computes it.

    ``needs`` are quantities of the field; ``truth`` says that the true mesh has to be known.
    """

    unit: str
    compute: Callable[[Surface], Values]
    needs: frozenset[str] = frozenset()
    colors: str = INFERNO
    truth: bool = False

    def reason_against(self, surface: Surface) -> str | None:
        """Return why the run has no such quantity; None where it has."""
        if not self.needs <= surface.opened.run.model.field.offers:
            return "its field is no signed distance (model=neus, model=volsdf)"
        if self.truth and surface.opened.run.scene.mesh is None:
            return "the scene has no true mesh"
        return None


def eikonal_error(surface: Surface) -> Values:
    """Return ``| |g| - 1 |`` of the gradient g of the signed distance."""
    return (length(surface.at_points({"gradients"})["gradients"]) - 1).abs().cpu().numpy()


def mean_curvature(surface: Surface) -> Values:
    """Return the mean curvature of the level set, per unit of the files; positive where convex.

    ``(tr H - g^T H g / |g|^2) / (2 |g|)``, with gradient g and Hessian H of the signed distance.

    Reference: Goldman, "Curvature formulas for implicit curves and surfaces", CAGD 22, 2005.
    """
    found = surface.at_points({"gradients", "laplacian", "hessian_gradients"})
    gradient = found["gradients"]
    size = length(gradient)
    along = (gradient * found["hessian_gradients"]).sum(-1) / size.square()
    return ((found["laplacian"] - along) / (2 * size) / surface.opened.scale).cpu().numpy()


def normal_disagreement(surface: Surface) -> Values:
    """Return the angle between the field's gradient and the mesh's normal, in degrees."""
    gradient = surface.at_points({"gradients"})["gradients"]
    cosine = (gradient * surface.normals).sum(-1) / length(gradient)
    return torch.rad2deg(cosine.clamp(-1, 1).acos()).cpu().numpy()


def visibility(surface: Surface) -> Values:
    """Return the share of the training views (32 at most are asked) that see a point."""
    return surface.views_that_see.mean(0).cpu().numpy()


def training_rays(surface: Surface) -> Values:
    """Return the expected number of training rays through a square of 0.01 scene units a side.

    A view that sees a point has ``fx fy |n . p| / z^3`` pixels per area of the surface, with the
    point p and the normal n in the camera's frame and depth z; each pixel was drawn as often as
    there were rays for each that can be. Lens distortion is ignored.
    """
    run, cameras = surface.opened.run, surface.visibility.cameras
    restrict_pixels(run.batches, run.model)
    drawn = run.trainer.rays_seen / run.batches.positions
    total = torch.zeros(len(surface.points), device=surface.points.device)
    for view, seen in zip(surface.visibility.views, surface.views_that_see, strict=True):
        pose, matrix = cameras.poses[view], cameras.intrinsics[view]
        from_camera = surface.points - pose[:, 3]
        depth = (from_camera @ pose[:, 2]).clamp_min(1e-3)
        facing = (from_camera * surface.normals).sum(-1).abs()
        total += seen * matrix[0, 0] * matrix[1, 1] * facing / depth**3
    every = len(cameras) / len(surface.visibility.views)
    return (total * (drawn * every * AREA**2)).cpu().numpy()


def distance_to_truth(surface: Surface) -> Values:
    """Return the distance to the true mesh, in the units of the files."""
    truth = surface.opened.run.scene.mesh
    assert truth is not None
    return distances_to_surface(np.asarray(surface.mesh.vertices), truth)


_SDF = frozenset({"gradients"})
QUANTITIES: Mapping[str, SurfaceQuantity] = {
    "eikonal_error": SurfaceQuantity("| |gradient| - 1 |", eikonal_error, _SDF),
    "mean_curvature": SurfaceQuantity(
        "per unit of the files; convex is positive",
        mean_curvature,
        _SDF | {"laplacian", "hessian_gradients"},
        RED_BLUE,
    ),
    "normal_disagreement": SurfaceQuantity(
        "degrees between the field's gradient and the mesh's normal", normal_disagreement, _SDF
    ),
    "visibility": SurfaceQuantity("share of the training views", visibility, colors=VIRIDIS),
    "training_rays": SurfaceQuantity(
        f"expected rays through a square of {AREA:g} scene units", training_rays, colors=VIRIDIS
    ),
    "distance_to_truth": SurfaceQuantity("units of the files", distance_to_truth, truth=True),
}
