"""Orthographic views of a scene: axes by the up direction, and what must fit into the frame."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nerfloss.data.inspection.inspection import Inspection
from nerfloss.data.posed_cameras import PosedCameras, spread
from nerfloss.data.region import rotation_between

POINTS = 20000
CORNERS = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))


@dataclass(frozen=True)
class PlottedScene:
    """What the overview draws, moved and turned: z points up, 0 is in the middle of everything.

    ``frusta`` are, for each view, the camera's position and the far corners of its frustum.
    ``center`` and ``radius`` are those of the region, ``scene_radius`` is 1 in scene units, about
    the same centre. ``extent`` is the half-width that shows the region and all cameras but a few
    that are far away.
    """

    frusta: Float[np.ndarray, "views 5 3"]
    points: Float[np.ndarray, "points 3"]
    colors: Float[np.ndarray, "points 3"]
    hull: Float[np.ndarray, "hull 3"]
    center: Float[np.ndarray, "3"]
    radius: float
    scene_radius: float
    extent: float


def plotted_scene(inspection: Inspection) -> PlottedScene:
    """Return the scene in the axes of the plots, of many points some."""
    region, parsed = inspection.region, inspection.parsed
    turn = rotation_between(np.asarray(inspection.up, dtype=np.float64), np.array([0.0, 0.0, 1.0]))

    middle, extent = _frame(
        inspection.posed.centers @ turn.T, region.center @ turn.T, region.radius
    )

    def moved(positions: np.ndarray) -> np.ndarray:
        return positions @ turn.T - middle

    length = 0.09 * extent
    frusta = np.stack([_frustum(inspection.posed, i, length) for i in range(len(inspection.posed))])
    points, colors = np.zeros((0, 3)), np.zeros((0, 3))
    if parsed.points is not None and len(parsed.points.positions):
        chosen = spread(len(parsed.points.positions), POINTS)
        points = moved(parsed.points.positions[chosen])
        grey = np.full_like(points, 0.45)
        colors = grey if parsed.points.colors is None else parsed.points.colors[chosen]
    hull = np.zeros((0, 3)) if inspection.hull is None else moved(inspection.hull)
    center = moved(region.center)
    radii = region.radius, inspection.scene.radius
    return PlottedScene(moved(frusta), points, colors, hull, center, *radii, extent)


def _frame(
    centers: Float[np.ndarray, "views 3"], center: Float[np.ndarray, "3"], radius: float
) -> tuple[Float[np.ndarray, "3"], float]:
    """Return the middle and the half-width of a cube that holds the cameras and the region."""
    low = np.minimum(np.quantile(centers, 0.02, axis=0), center - radius)
    high = np.maximum(np.quantile(centers, 0.98, axis=0), center + radius)
    return (low + high) / 2, 0.58 * float((high - low).max())


def _frustum(posed: PosedCameras, view: int, length: float) -> Float[np.ndarray, "5 3"]:
    """Return the position of a camera and the corners of its image at a distance."""
    camera, center = posed.cameras[view], posed.centers[view]
    size = np.array([camera.width, camera.height])
    pixels = np.array(CORNERS) * size
    local = posed.directions(pixels, view)
    if not np.isfinite(local).all():
        local = posed.directions(0.5 * size + 0.5 * (pixels - 0.5 * size), view)
    return np.concatenate([center[None], center + length * np.nan_to_num(local)])


def view_colors(inspection: Inspection) -> list[str]:
    """Return a colour of each view: red if suspicious, blue if held out, else orange to green."""
    test = set(inspection.parsed.test or ())
    suspicious = inspection.suspicious_views
    total = max(len(inspection.posed) - 1, 1)
    ramp = [(214, 137, 16), (34, 139, 84)]
    colors = []
    for view in range(len(inspection.posed)):
        mixed = [round(a + (b - a) * view / total) for a, b in zip(*ramp, strict=True)]
        color = "#{:02x}{:02x}{:02x}".format(*mixed)
        color = "#2f6fde" if view in test else color
        colors.append("#d11f2e" if view in suspicious else color)
    return colors
