"""A smooth path through given cameras."""

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation, Slerp

# Samples per stretch between two cameras by which the length of the curve is measured.
FINE = 32
# Files are in the order of a walk where no tour is that much shorter than they are.
TOUR_GAIN = 0.6
# Between keys, a camera turns by at most so many degrees and moves by such a part of its distance
# from the origin, if there are cameras between them: a wider chord leads through the object.
WIDEST_TURN, WIDEST_STEP = 30.0, 0.5


def interpolate(
    poses: Float[np.ndarray, "keys 3 4"], frames: int
) -> Float[np.ndarray, "frames 3 4"]:
    """Return a path at constant speed through the poses, from the first to the last.

    Positions follow a centripetal Catmull-Rom curve, which passes all keys without loops and
    overshoots; orientations are spherical linear interpolations between keys. A stretch between
    keys at one place takes the time of its rotation.

    Reference: Yuksel et al., "Parameterization and applications of Catmull-Rom curves", 2011.
    """
    if len(poses) < 2:
        raise ValueError(f"a path leads through at least 2 cameras, got {len(poses)}")
    fine = np.linspace(0, len(poses) - 1, (len(poses) - 1) * FINE + 1)
    curve = _catmull_rom(poses[:, :, 3], fine)
    length = np.linalg.norm(np.diff(curve, axis=0), axis=1)
    # Cameras that turn on the spot have no length: a little for rotations keeps time going.
    turned = np.repeat(_angles(poses) / FINE, FINE)
    typical = max(float(length.sum()), 1e-9) / max(float(turned.sum()), 1e-9)
    cost = length + (0.1 * typical if length.sum() > 0 else 1.0) * turned + 1e-12
    passed = np.concatenate([[0.0], np.cumsum(cost)])
    at = np.interp(np.linspace(0, passed[-1], frames), passed, fine)
    at = np.clip(at, 0, len(poses) - 1)
    rotations = Slerp(np.arange(len(poses)), Rotation.from_matrix(poses[:, :, :3]))(at)
    centers = _catmull_rom(poses[:, :, 3], at)
    return np.concatenate([rotations.as_matrix(), centers[:, :, None]], axis=2)


def tour(poses: Float[np.ndarray, "views 3 4"]) -> tuple[Int[np.ndarray, "views"], bool]:
    """Return an order of cameras for a path, and whether it is not the given one.

    The given order is kept, unless going to the nearest camera each time makes the path much
    shorter, as for cameras in random order.
    """
    centers = poses[:, :, 3]
    remaining, order = set(range(1, len(centers))), [0]
    while remaining:
        left = np.array(sorted(remaining))
        distance = np.linalg.norm(centers[left] - centers[order[-1]], axis=1)
        order.append(int(left[distance.argmin()]))
        remaining.remove(order[-1])
    found = np.array(order)
    if _length(centers[found]) < TOUR_GAIN * _length(centers):
        return found, True
    return np.arange(len(centers)), False


def thinned(poses: Float[np.ndarray, "views 3 4"], count: int) -> Int[np.ndarray, "keys"]:
    """Return the indices, in order, of the cameras that a curve leads through.

    Every k-th camera, so that ``count`` (at least 2) cover all; closer ones where k steps turn by
    more than 30 degrees or move by more than half of the distance from the origin. Then these may
    be more than ``count``.
    """
    last = len(poses) - 1
    stride, keys = max(1, -(-last // (count - 1))), [0]
    while keys[-1] < last:
        here = keys[-1]
        ahead = range(here + 1, min(here + stride, last) + 1)
        near = [j for j in ahead if _is_near(poses[here], poses[j])]
        keys.append(near[-1] if near else ahead[0])
    return np.array(keys)


def turn_between(first: Float[np.ndarray, "3 4"], second: Float[np.ndarray, "3 4"]) -> float:
    """Return the angle between the viewing directions of two poses, in degrees."""
    return float(np.degrees(np.arccos(np.clip(first[:, 2] @ second[:, 2], -1, 1))))


def _is_near(first: Float[np.ndarray, "3 4"], second: Float[np.ndarray, "3 4"]) -> bool:
    step = float(np.linalg.norm(first[:, 3] - second[:, 3]))
    near = step <= WIDEST_STEP * float(np.linalg.norm(first[:, 3]))
    return near and turn_between(first, second) <= WIDEST_TURN


def _length(points: Float[np.ndarray, "points 3"]) -> float:
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())


def _angles(poses: Float[np.ndarray, "keys 3 4"]) -> Float[np.ndarray, "stretches"]:
    """Return the angles between successive orientations, in radians."""
    rotations = Rotation.from_matrix(poses[:, :, :3])
    return (rotations[:-1].inv() * rotations[1:]).magnitude()


def _catmull_rom(
    points: Float[np.ndarray, "keys 3"], at: Float[np.ndarray, "frames"]
) -> Float[np.ndarray, "frames 3"]:
    """Return points of the centripetal curve; ``at`` counts keys, 0.5 is between the first two.

    Barry and Goldman's pyramid: three linear interpolations of neighbours, two, then one, with
    knots that grow by the root of the distance. The ends are continued by reflection.
    """
    first, last = 2 * points[0] - points[1], 2 * points[-1] - points[-2]
    padded = np.vstack([first, points, last])
    # The floor keeps knots of coincident points apart.
    steps = np.sqrt(np.maximum(np.linalg.norm(np.diff(padded, axis=0), axis=1), 1e-12))
    index = np.clip(at.astype(int), 0, len(points) - 2)
    p = [padded[index + k] for k in range(4)]
    gaps = [steps[index + k] for k in range(3)]
    t0 = np.zeros(len(at))
    t1, t2 = gaps[0], gaps[0] + gaps[1]
    t3 = t2 + gaps[2]
    t = t1 + (at - index) * (t2 - t1)
    knots = (t0, t1, t2, t3)

    def between(a: np.ndarray, b: np.ndarray, begin: int, end: int) -> np.ndarray:
        share = ((t - knots[begin]) / (knots[end] - knots[begin]))[:, None]
        return (1 - share) * a + share * b

    a1, a2, a3 = between(p[0], p[1], 0, 1), between(p[1], p[2], 1, 2), between(p[2], p[3], 2, 3)
    b1, b2 = between(a1, a2, 0, 2), between(a2, a3, 1, 3)
    return between(b1, b2, 1, 2)
