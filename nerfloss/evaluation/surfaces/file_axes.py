"""Turn and scale what leaves the program: another axis up, another unit."""

import numpy as np
from jaxtyping import Float

AXES = ("x", "y", "z", "-x", "-y", "-z")
# Cosine from which a direction counts as one of the axes.
NEARLY = 0.97


def axis_vector(name: str) -> Float[np.ndarray, "3"]:
    """Return the unit vector of ``x``, ``-x``, ``y`` ...; raises ValueError for another name."""
    if name not in AXES:
        raise ValueError(f"--up {name} is none of {', '.join(AXES)}")
    return np.eye(3)["xyz".index(name[-1])] * (-1.0 if name[0] == "-" else 1.0)


def nearest_axis(direction: Float[np.ndarray, "3"]) -> str | None:
    """Return the axis that a direction is within 14 degrees of; None if there is none."""
    unit = direction / np.linalg.norm(direction)
    return next((name for name in AXES if axis_vector(name) @ unit > NEARLY), None)
