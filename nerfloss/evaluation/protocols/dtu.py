"""DTU's comparison of a surface with the scanner's points, within what the scanner observed.

Distances from the reconstruction to the scan are accuracy, the others completeness; both drop what
is 20 mm away or more, and the reported figure is their mean.

Reference: Jensen et al., "Large Scale Multi-view Stereopsis Evaluation", CVPR 2014; the details
(thinning, box, observation mask, plane) follow the benchmark's published evaluation.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import trimesh
from jaxtyping import Bool, Float

from nerfloss.evaluation.errors import UndefinedMetric
from nerfloss.evaluation.nearest_neighbours import nearest, tree_of
from nerfloss.evaluation.protocols.sampling import sample_in_rounds
from nerfloss.evaluation.protocols.thinning import thin

SPACING = 0.2  # mm between the points that are compared
FARTHEST = 20.0  # mm, at which a distance no longer counts
PATCH = 60.0  # mm around the observed box that still belong to the reconstruction: below it, and
ABOVE = 2  # times that above it
CHUNK = 500_000  # points whose nearest neighbours are looked up at once


@dataclass(frozen=True)
class DtuReference:
    """The scanner's points, and where it observed the scene; in mm.

    ``observed`` are cells of edge ``resolution`` whose first one is centred on ``box[0]``.
    ``plane`` (a, b, c, d) is the table; scanned points count where ``a x + b y + c z + d > 0``.
    """

    points: Float[np.ndarray, "points 3"]
    observed: Bool[np.ndarray, "x y z"]
    box: Float[np.ndarray, "2 3"]
    resolution: float
    plane: Float[np.ndarray, "4"]

    def in_box(self, points: Float[np.ndarray, "points 3"]) -> Bool[np.ndarray, "points"]:
        """Return which points lie in the widened box."""
        low, high = self.box[0] - PATCH, self.box[1] + ABOVE * PATCH
        return ((points >= low) & (points < high)).all(1)

    def is_observed(self, points: Float[np.ndarray, "points 3"]) -> Bool[np.ndarray, "points"]:
        """Return which points lie in observed cells."""
        cells = np.around((points - self.box[0]) / self.resolution).astype(np.int64)
        inside = ((cells >= 0) & (cells < self.observed.shape)).all(1)
        result = np.zeros(len(points), dtype=bool)
        result[inside] = self.observed[tuple(cells[inside].T)]
        return result

    def above_plane(self) -> Float[np.ndarray, "above 3"]:
        """Return the scanned points above the table."""
        return self.points[self.points @ self.plane[:3] + self.plane[3] > 0]


@dataclass(frozen=True)
class DtuScores:
    """Mean distances in mm, and how many points they are of."""

    accuracy: float
    completeness: float
    predicted: int
    scanned: int

    @property
    def overall(self) -> float:
        """Return the figure that papers report: the mean of the two."""
        return 0.5 * (self.accuracy + self.completeness)


def dtu_scores(mesh: trimesh.Trimesh, reference: DtuReference, *, seed: int = 0) -> DtuScores:
    """Return the scores of a mesh in the scanner's coordinates, in mm.

    The mesh is sampled uniformly by area, four times per square of 0.2 mm, and thinned to 0.2 mm.
    """
    rounds = sample_in_rounds(mesh, SPACING, seed=seed)
    return dtu_scores_of_points((r[reference.in_box(r)] for r in rounds), reference)


def dtu_scores_of_points(
    batches: Iterable[Float[np.ndarray, "_ 3"]], reference: DtuReference
) -> DtuScores:
    """Return the scores of a cloud that comes in batches, thinned to 0.2 mm in their order.

    Raises UndefinedMetric where no point counts on a side.
    """
    points = thin(batches, SPACING)
    points = points[reference.in_box(points)]
    observed = points[reference.is_observed(points)]
    above = reference.above_plane()
    return DtuScores(
        _mean_distance(observed, reference.points, "the reconstruction, where it is observed,"),
        _mean_distance(above, points, "the scan, above the table,"),
        len(observed),
        len(above),
    )


def _mean_distance(
    points: Float[np.ndarray, "points 3"], others: Float[np.ndarray, "others 3"], whose: str
) -> float:
    """Return the mean distance to the nearest other point, of those that are below 20 mm."""
    if len(points) == 0:
        raise UndefinedMetric(f"{whose} has no points: is the mesh in the scanner's coordinates?")
    if len(others) == 0:
        raise UndefinedMetric("the other side has no points: are both in one frame and unit?")
    tree = tree_of(others)
    parts = [nearest(tree, points[i : i + CHUNK])[0][:, 0] for i in range(0, len(points), CHUNK)]
    distance = np.concatenate(parts)
    near = distance[distance < FARTHEST]
    if len(near) == 0:
        raise UndefinedMetric(f"{whose} is {FARTHEST:g} mm or more away everywhere")
    return float(near.mean())
