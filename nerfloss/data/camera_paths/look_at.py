"""Camera poses from positions and the points that they look at."""

import numpy as np
from jaxtyping import Float

# Below this sine of the angle between the view and up, up gives no direction to the right.
PARALLEL = 1e-6


def look_at(
    positions: Float[np.ndarray, "frames 3"],
    targets: Float[np.ndarray, "frames 3"],
    up: Float[np.ndarray, "3"],
) -> Float[np.ndarray, "frames 3 4"]:
    """Return camera-to-world poses in OpenCV axes, level with respect to ``up``.

    A camera that looks along ``up`` has its x axis along the scene axis most at right angles to it.
    """
    forward = unit(targets - positions)
    right = np.cross(forward, up)
    along_up = np.linalg.norm(right, axis=1) < PARALLEL
    other = np.eye(3)[np.abs(up).argmin()]
    right[along_up] = np.cross(up, other)
    right = unit(right)
    down = np.cross(forward, right)
    return np.stack([right, down, forward, positions], axis=2)


def unit(vectors: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
    """Return vectors of length 1 in the same directions. Raises ValueError for a zero vector."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    if not (length > 0).all():
        raise ValueError("a vector of length 0 has no direction: a camera lies where it looks at")
    return vectors / length
