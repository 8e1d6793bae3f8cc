"""Checks of a region that settings or files state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from jaxtyping import Float

from nerfloss.data.errors import DataError


@dataclass(frozen=True)
class RegionSettings:
    """What the settings say about the region, in the coordinates of the files; None: nothing."""

    center: Float[np.ndarray, "3"] | None = None
    radius: float | None = None
    up: Float[np.ndarray, "3"] | None = None


def region_settings(override: Mapping[str, Any] | None) -> RegionSettings:
    """Return the checked settings of a region. Raises DataError for what is no region."""
    if override is None:
        return RegionSettings()
    if not isinstance(override, Mapping):
        raise DataError("dataset.region", f"{override!r} is no mapping", "set center and radius")
    unknown = sorted(str(name) for name in override if name not in ("center", "radius", "up"))
    if unknown:
        remedy = "it takes center, radius and up"
        raise DataError("dataset.region", f"{', '.join(unknown)} is no setting", remedy)
    radius = override.get("radius")
    if radius is not None and not (_is_number(radius) and 0 < radius < np.inf):
        raise DataError("dataset.region.radius", f"{radius!r}", "give a length above 0")
    up = _vector(override.get("up"), "up")
    if up is not None and np.linalg.norm(up) < 1e-12:
        raise DataError("dataset.region.up", "has no length", "give the direction, e.g. [0, 0, 1]")
    center = _vector(override.get("center"), "center")
    return RegionSettings(center, None if radius is None else float(radius), up)


def _vector(value: Any, name: str) -> Float[np.ndarray, "3"] | None:
    if value is None:
        return None
    numbers = isinstance(value, Sequence | np.ndarray) and not isinstance(value, str)
    if not numbers or len(value) != 3 or not all(_is_number(each) for each in value):
        raise DataError(f"dataset.region.{name}", f"{value!r}", "give three numbers: [x, y, z]")
    vector = np.array([float(each) for each in value])
    if not np.isfinite(vector).all():
        raise DataError(f"dataset.region.{name}", f"{value!r} is not finite", "give three numbers")
    return vector


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def check_stated(matrix: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "4 4"]:
    """Return the similarity that files state. Raises DataError for what is none."""
    matrix = np.asarray(matrix, dtype=np.float64)
    remedy = "set dataset.region.center and dataset.region.radius"
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise DataError("region", "the files' matrix is not 4 x 4 and finite", remedy)
    axes = matrix[:3, :3]
    scale = float(np.linalg.norm(axes, axis=0).mean())
    if not scale > 0 or not np.allclose(matrix[3], [0, 0, 0, 1], atol=1e-6):
        raise DataError("region", "the files' matrix is no similarity", remedy)
    if not np.allclose(axes.T @ axes / scale**2, np.eye(3), atol=1e-3):
        raise DataError("region", "the files' matrix is not a uniform scale and rotation", remedy)
    if np.linalg.det(axes) < 0:
        raise DataError("region", "the files' matrix mirrors the scene", remedy)
    return matrix
