"""Hold out the views in a range of azimuth around the region of interest."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from nerfloss.data.errors import DataError

REMEDY = "write {sector: [begin, end]} in degrees, less than a full turn"


def azimuth_range(rule: Mapping[str, Any], folder: Path) -> tuple[float, float] | None:
    """Return begin and end in degrees, None for a rule that is no range of azimuth.

    Raises DataError for a list that is not two numbers less than a turn apart.
    """
    values = rule.get("sector")
    if set(rule) != {"sector"} or isinstance(values, str) or not isinstance(values, Sequence):
        return None
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    usable = len(numbers) == len(values) == 2 and all(map(math.isfinite, numbers))
    if not usable or not 0 < abs(numbers[1] - numbers[0]) < 360:
        found = f"hold_out={{sector: {list(values)}}} is no range of azimuth"
        raise DataError(folder, found, REMEDY)
    return float(numbers[0]), float(numbers[1])


def azimuth_sector(
    between: tuple[float, float],
    folder: Path,
    centers: Float[np.ndarray, "views 3"] | None,
    up: Float[np.ndarray, "3"] | None,
) -> tuple[set[int], str]:
    """Return the views from the first azimuth to the second, counted upward, and a description.

    Raises DataError where centres or ``up`` are unknown, and where no view lies in the range.
    """
    if centers is None or up is None:
        found = "a sector needs the camera centres and the direction up, which are unknown"
        raise DataError(folder, found, "choose {every: n} or a list of names")
    begin, end = between
    azimuth = azimuths(centers, up)
    held = np.flatnonzero((azimuth - begin) % 360 <= (end - begin) % 360)
    if not len(held):
        found = f"no view has an azimuth from {begin:g} to {end:g} degrees"
        shown = np.sort(azimuth)[:: max(1, len(azimuth) // 8)]
        listed = ", ".join(f"{value:.0f}" for value in shown)
        raise DataError(folder, found, f"change dataset.hold_out; some azimuths are {listed}")
    views = f"{len(held)} view{'s' if len(held) > 1 else ''}"
    text = f"a sector of {views} with an azimuth from {begin:g} to {end:g} degrees (extrapolation)"
    return {int(view) for view in held}, text


def azimuths(
    centers: Float[np.ndarray, "views 3"], up: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "views"]:
    """Return the angles of camera centres around ``up``, in degrees from 0 to 360.

    0 is the direction of the x axis, or of the y axis where x points up.
    """
    start = np.eye(3)[1 if abs(up[0]) > 0.9 else 0]
    start = start - (start @ up) * up
    start /= np.linalg.norm(start)
    side = np.cross(up, start)
    # Rounded, so that a camera at the very end of a range is in it.
    return np.round(np.degrees(np.arctan2(centers @ side, centers @ start)), 6) % 360
