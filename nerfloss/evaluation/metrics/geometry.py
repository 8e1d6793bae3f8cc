"""Metrics of a reconstructed surface against the true one.

The positional parameters of a geometry metric are members of a `SurfacePair`, its keyword-only
parameters are settings. Distances are in the units of the meshes.
"""

import numpy as np
import torch
import trimesh
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from nerfloss.evaluation.errors import UndefinedMetric
from nerfloss.evaluation.mesh_occupancy import inside_grid
from nerfloss.evaluation.metrics.metadata import (
    ANGLE,
    CORRELATION,
    DEGREES,
    FRACTION,
    NOT_NEGATIVE,
    RATIO,
    SCENE_UNITS,
    SQUARED_SCENE_UNITS,
    metric,
)
from nerfloss.maths.transport import sinkhorn_divergence

EXACT = 2048  # samples up to which the best assignment is computed
SINKHORN_STEPS = 20  # iterations at the final blur


@metric(unit=SCENE_UNITS, better="lower", range=NOT_NEGATIVE)
def accuracy(to_target: Float[np.ndarray, "points"]) -> float:
    """Mean distance from the prediction to the target: high where there is excess surface."""
    return float(to_target.mean())


@metric(unit=SCENE_UNITS, better="lower", range=NOT_NEGATIVE)
def completeness(to_prediction: Float[np.ndarray, "points"]) -> float:
    """Mean distance from the target to the prediction: high where surface is missing."""
    return float(to_prediction.mean())


@metric(unit=SCENE_UNITS, better="lower", range=NOT_NEGATIVE)
def chamfer_l1(
    to_target: Float[np.ndarray, "points"], to_prediction: Float[np.ndarray, "points"]
) -> float:
    """Mean of accuracy and completeness.

    With n samples on an area A, equal surfaces score about ``0.5 sqrt(A / n)``, not 0.
    """
    return float(0.5 * (to_target.mean() + to_prediction.mean()))


@metric(unit=SQUARED_SCENE_UNITS, better="lower", range=NOT_NEGATIVE)
def chamfer_l2(
    to_target: Float[np.ndarray, "points"], to_prediction: Float[np.ndarray, "points"]
) -> float:
    """Mean of the two mean *squared* distances, in squared units."""
    return float(0.5 * (np.square(to_target).mean() + np.square(to_prediction).mean()))


@metric(unit=SCENE_UNITS, better="lower", range=NOT_NEGATIVE)
def scan_chamfer(
    seen_to_target: Float[np.ndarray, "_"], seen_to_prediction: Float[np.ndarray, "_"]
) -> float:
    """Chamfer distance of what the training cameras see of both surfaces.

    Backs that no camera sees, inner walls, and how the meshes are tessellated do not count.
    """
    return float(0.5 * (seen_to_target.mean() + seen_to_prediction.mean()))


@metric(unit=SCENE_UNITS, better="lower", range=NOT_NEGATIVE)
def cloud_chamfer(
    cloud_to_target: Float[np.ndarray, "_"], target_to_cloud: Float[np.ndarray, "_"]
) -> float:
    """Chamfer distance of rendered depths, as points, and what cameras see of the true surface.

    It needs no level of the field at which a mesh is extracted.
    """
    return float(0.5 * (cloud_to_target.mean() + target_to_cloud.mean()))


@metric(unit=SCENE_UNITS, better="lower", range=NOT_NEGATIVE)
def emd(
    points: Float[np.ndarray, "_ 3"],
    target_points: Float[np.ndarray, "_ 3"],
    *,
    count: int = 1024,
    blur: float = 0.01,
) -> float:
    """Earth mover's distance of the first ``count`` samples: mean distance of the best assignment.

    Exact up to 2048 samples; above, the Sinkhorn divergence with a ``blur`` in scene units. Two
    samplings of one surface of area A are about ``sqrt(A / count)`` apart (a sphere, 1024 samples:
    0.11), so the exact value says nothing of surfaces that differ by less.

    Reference: Rubner, Tomasi and Guibas, "The Earth Mover's Distance as a Metric for Image
    Retrieval", IJCV 2000; Feydy et al., AISTATS 2019, for the divergence.
    """
    fewer = min(count, len(points), len(target_points))
    ours, theirs = points[:fewer], target_points[:fewer]
    if fewer > EXACT:
        x, y = (torch.from_numpy(each.astype(np.float32)) for each in (ours, theirs))
        return float(sinkhorn_divergence(x, y, blur, SINKHORN_STEPS))
    cost = cdist(ours, theirs)
    return float(cost[linear_sum_assignment(cost)].mean())


@metric(unit=SCENE_UNITS, better="lower", range=NOT_NEGATIVE)
def hausdorff(
    to_target: Float[np.ndarray, "points"], to_prediction: Float[np.ndarray, "points"]
) -> float:
    """Largest distance of a sample, in either direction, to the other surface."""
    return float(max(to_target.max(), to_prediction.max()))


@metric(unit=RATIO, better="higher", range=FRACTION)
def precision(to_target: Float[np.ndarray, "points"], *, threshold: float = 0.01) -> float:
    """Fraction of the prediction that is closer than ``threshold`` to the target."""
    return float((to_target < threshold).mean())


@metric(unit=RATIO, better="higher", range=FRACTION)
def recall(to_prediction: Float[np.ndarray, "points"], *, threshold: float = 0.01) -> float:
    """Fraction of the target that is closer than ``threshold`` to the prediction."""
    return float((to_prediction < threshold).mean())


@metric(unit=RATIO, better="higher", range=FRACTION)
def fscore(
    to_target: Float[np.ndarray, "points"],
    to_prediction: Float[np.ndarray, "points"],
    *,
    threshold: float = 0.01,
) -> float:
    """Harmonic mean of precision and recall at ``threshold``; 0 where both are 0.

    Reference: Knapitsch et al., "Tanks and Temples", SIGGRAPH 2017.
    """
    p = precision(to_target, threshold=threshold)
    r = recall(to_prediction, threshold=threshold)
    return 2 * p * r / (p + r) if p + r > 0 else 0.0


@metric(unit=RATIO, better="higher", range=CORRELATION)
def normal_consistency(
    cosines_to_target: Float[np.ndarray, "points"],
    cosines_to_prediction: Float[np.ndarray, "points"],
) -> float:
    """Mean absolute cosine of nearest normals, both ways; 1 where they agree up to sign.

    Reference: Mescheder et al., "Occupancy Networks", CVPR 2019.
    """
    return float(0.5 * (np.abs(cosines_to_target).mean() + np.abs(cosines_to_prediction).mean()))


@metric(unit=DEGREES, better="lower", range=ANGLE)
def mesh_normal_angle(
    cosines_to_target: Float[np.ndarray, "points"],
    cosines_to_prediction: Float[np.ndarray, "points"],
) -> float:
    """Mean angle between nearest normals, both ways, in degrees; 180 for an inverted mesh."""
    both = (cosines_to_target, cosines_to_prediction)
    return float(np.mean([np.degrees(np.arccos(np.clip(c, -1, 1))).mean() for c in both]))


@metric(unit=SCENE_UNITS, better="lower", range=NOT_NEGATIVE)
def point_to_surface(target_to_surface: Float[np.ndarray, "points"]) -> float:
    """Mean exact distance of target points to the predicted triangles (P2S)."""
    return float(target_to_surface.mean())


@metric(unit=RATIO, better="higher", range=FRACTION)
def box_iou(mesh: trimesh.Trimesh, target_mesh: trimesh.Trimesh) -> float:
    """Intersection over union of the axis-aligned bounding boxes."""
    low = np.maximum(mesh.bounds[0], target_mesh.bounds[0])
    high = np.minimum(mesh.bounds[1], target_mesh.bounds[1])
    intersection = float(np.prod(np.maximum(high - low, 0)))
    union = float(np.prod(mesh.extents) + np.prod(target_mesh.extents)) - intersection
    if union <= 0:
        raise UndefinedMetric("both bounding boxes are flat")
    return intersection / union


@metric(unit=RATIO, better="higher", range=FRACTION)
def volume_iou(
    mesh: trimesh.Trimesh, target_mesh: trimesh.Trimesh, *, resolution: int = 128
) -> float:
    """Intersection over union of the solids, on a grid over both with cubic cells.

    Raises UndefinedMetric where a mesh is not watertight: it bounds no solid.
    """
    for which, each in (("reconstructed", mesh), ("true", target_mesh)):
        if not each.is_watertight:
            raise UndefinedMetric(f"the {which} mesh is not watertight, so it bounds no solid")
    low = np.minimum(mesh.bounds[0], target_mesh.bounds[0])
    high = np.maximum(mesh.bounds[1], target_mesh.bounds[1])
    cell = float((high - low).max()) / resolution
    predicted = inside_grid(mesh, low, high, cell)
    target = inside_grid(target_mesh, low, high, cell)
    union = np.count_nonzero(predicted | target)
    if union == 0:
        raise UndefinedMetric("both solids are thinner than a cell of the grid")
    return np.count_nonzero(predicted & target) / union
