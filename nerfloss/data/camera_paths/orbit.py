"""A circle around the region of interest, at the mean height and distance of given cameras."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nerfloss.data.camera_paths.look_at import look_at, unit

# Closer to up, a circle is a rotation in place.
STEEPEST = 85.0  # degrees


@dataclass(frozen=True)
class Orbit:
    """A circle of cameras that face the origin.

    ``elevation`` is the angle above the plane at right angles to up, in degrees; ``distance`` is
    that of the cameras from the origin; ``covered`` is the part of the circle, in degrees, from
    which given cameras look.
    """

    poses: Float[np.ndarray, "frames 3 4"]
    elevation: float
    distance: float
    covered: float


def orbit(centers: Float[np.ndarray, "views 3"], up: Float[np.ndarray, "3"], frames: int) -> Orbit:
    """Return a circle around the origin and ``up``, beginning at the azimuth of the first camera.

    Its elevation and distance are the means of those of the cameras at ``centers``. The elevation
    is at most 85 degrees. The last frame is one step before the first.
    """
    up = unit(up)
    distances = np.linalg.norm(centers, axis=1)
    height = centers @ up
    elevations = np.degrees(
        np.arctan2(height, np.linalg.norm(centers - height[:, None] * up, axis=1))
    )
    elevation = round(float(np.clip(elevations.mean(), -STEEPEST, STEEPEST)), 6) + 0.0
    start = _horizontal(centers[0], up)
    azimuths = _azimuths(centers, up, start)
    angle = 2 * np.pi * np.arange(frames) / frames
    around = np.cos(angle)[:, None] * start + np.sin(angle)[:, None] * np.cross(up, start)
    tilt = np.radians(elevation)
    positions = distances.mean() * (np.cos(tilt) * around + np.sin(tilt) * up)
    poses = look_at(positions, np.zeros_like(positions), up)
    return Orbit(poses, elevation, float(distances.mean()), 360.0 - _widest_gap(azimuths))


def _horizontal(
    vector: Float[np.ndarray, "3"], up: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "3"]:
    """Return the unit direction of a vector at right angles to up; any, if it is along up."""
    across = vector - (vector @ up) * up
    if np.linalg.norm(across) < 1e-6 * max(float(np.linalg.norm(vector)), 1e-12):
        across = np.eye(3)[np.abs(up).argmin()]
        across = across - (across @ up) * up
    return unit(across)


def _azimuths(
    centers: Float[np.ndarray, "views 3"],
    up: Float[np.ndarray, "3"],
    start: Float[np.ndarray, "3"],
) -> Float[np.ndarray, "views"]:
    return np.degrees(np.arctan2(centers @ np.cross(up, start), centers @ start)) % 360


def _widest_gap(azimuths: Float[np.ndarray, "views"]) -> float:
    """Return the largest angle, in degrees, between neighbours on a circle."""
    ordered = np.sort(azimuths)
    return float(np.diff([*ordered, ordered[0] + 360.0]).max())
