"""Tanks and Temples: register, crop, average in voxels, and count what is closer than a threshold.

Reference: Knapitsch et al., "Tanks and Temples: Benchmarking Large-Scale Scene Reconstruction",
SIGGRAPH 2017, section 5.
"""

from dataclasses import dataclass, field

import numpy as np
import trimesh
from jaxtyping import Bool, Float
from skimage.measure import points_in_poly

from nerfloss.evaluation.errors import UndefinedMetric
from nerfloss.evaluation.nearest_neighbours import nearest, tree_of
from nerfloss.evaluation.protocols.registration import moved, refined
from nerfloss.evaluation.protocols.sampling import sample_in_rounds

# Thresholds of the training scenes in metres, by the benchmark.
THRESHOLDS = {
    "Barn": 0.01,
    "Caterpillar": 0.005,
    "Church": 0.025,
    "Courthouse": 0.025,
    "Ignatius": 0.003,
    "Meetingroom": 0.01,
    "Truck": 0.005,
}
STAGES = (20.0, 3.0)  # farthest pairs of the registration, in thresholds
REGISTERED = 100_000  # points that the registration uses
CHUNK = 500_000


@dataclass(frozen=True)
class Crop:
    """A prism: a polygon in two axes, from ``low`` to ``high`` along the third."""

    axis: int
    low: float
    high: float
    polygon: Float[np.ndarray, "corners 2"]

    @classmethod
    def of_corners(cls, corners: Float[np.ndarray, "corners 3"]) -> "Crop":
        """Return the prism whose first half of corners is its lower face, the second the upper."""
        lower, upper = np.split(corners, 2)
        flat = [a for a in range(3) if np.ptp(lower[:, a]) == 0 and np.ptp(upper[:, a]) == 0]
        axis = max(flat, key=lambda a: upper[0, a] - lower[0, a])
        polygon = np.delete(lower, axis, axis=1)
        return cls(axis, float(lower[0, axis]), float(upper[0, axis]), polygon)

    def contains(self, points: Float[np.ndarray, "points 3"]) -> Bool[np.ndarray, "points"]:
        """Return which points lie in the prism."""
        along = points[:, self.axis]
        inside = (along >= self.low) & (along <= self.high)
        flat = np.delete(points[inside], self.axis, axis=1)
        inside[inside] = points_in_poly(flat, self.polygon)
        return inside


@dataclass(frozen=True)
class TanksReference:
    """The scanned points, the volume that is scored, and the threshold; in the scanner's units.

    ``start`` brings the reconstruction near the scan; iterated closest points refine it.
    """

    points: Float[np.ndarray, "points 3"]
    crop: Crop
    threshold: float
    start: Float[np.ndarray, "4 4"] = field(default_factory=lambda: np.eye(4))
    register: bool = True


@dataclass(frozen=True)
class TanksScores:
    """Fractions of points closer than the threshold, their counts, and the registration."""

    precision: float
    recall: float
    predicted: int
    scanned: int
    transform: Float[np.ndarray, "4 4"]

    @property
    def fscore(self) -> float:
        """Return the harmonic mean; 0 where both are 0."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total > 0 else 0.0


def tanks_scores(mesh: trimesh.Trimesh, reference: TanksReference, *, seed: int = 0) -> TanksScores:
    """Return the scores of a mesh: samples uniform by area, four per square of half a threshold."""
    scale = float(np.cbrt(np.linalg.det(reference.start[:3, :3])))
    spacing = reference.threshold / 2 / scale
    rounds = [voxel_means(each, spacing) for each in sample_in_rounds(mesh, spacing, seed=seed)]
    return tanks_scores_of_points(np.concatenate(rounds), reference, seed=seed)


def tanks_scores_of_points(
    points: Float[np.ndarray, "points 3"], reference: TanksReference, *, seed: int = 0
) -> TanksScores:
    """Return the scores of a cloud, in its own coordinates.

    Raises UndefinedMetric where no point of a side lies in the crop volume.
    """
    tau = reference.threshold
    true = voxel_means(reference.points[reference.crop.contains(reference.points)], tau / 2)
    if len(true) == 0:
        raise UndefinedMetric("no scanned point lies in the crop volume")
    transform = _registered(points, true, reference, seed)
    placed = moved(points, transform)
    ours = voxel_means(placed[reference.crop.contains(placed)], tau / 2)
    if len(ours) == 0:
        raise UndefinedMetric("no point of the reconstruction lies in the crop volume")
    return TanksScores(
        _closer(ours, true, tau), _closer(true, ours, tau), len(ours), len(true), transform
    )


def voxel_means(
    points: Float[np.ndarray, "points 3"], edge: float
) -> Float[np.ndarray, "voxels 3"]:
    """Return the mean of the points in each voxel that holds any."""
    if len(points) == 0:
        return points
    cells = np.floor((points - points.min(0)) / edge).astype(np.int64)
    _, index, count = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    index = index.reshape(-1)
    sums = [np.bincount(index, weights=points[:, axis]) for axis in range(3)]
    return np.stack(sums, 1) / count[:, None]


def _registered(
    points: Float[np.ndarray, "points 3"],
    true: Float[np.ndarray, "others 3"],
    reference: TanksReference,
    seed: int,
) -> Float[np.ndarray, "4 4"]:
    """Return the registration: iterated closest points inside the crop volume, in two stages."""
    transform = reference.start
    if not reference.register:
        return transform
    chosen = np.random.default_rng(seed).permutation(len(points))[:REGISTERED]
    for stage in STAGES:
        inside = reference.crop.contains(moved(points[chosen], transform))
        farthest = stage * reference.threshold
        transform = refined(points[chosen][inside], true, start=transform, farthest=farthest)
    return transform


def _closer(
    points: Float[np.ndarray, "points 3"], others: Float[np.ndarray, "others 3"], tau: float
) -> float:
    tree = tree_of(others)
    parts = [points[i : i + CHUNK] for i in range(0, len(points), CHUNK)]
    return sum(int((nearest(tree, part)[0] < tau).sum()) for part in parts) / len(points)
