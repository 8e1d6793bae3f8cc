"""A spiral in front of the scene, as forward-facing captures are shown."""

import numpy as np
from jaxtyping import Float

from nerfloss.data.camera_paths.look_at import look_at, unit

# The sum of unit viewing directions, divided by their number: below, cameras do not face one way.
FACING = 0.6
TURNS, DEPTH_RATE = 2, 0.5
# The position of the focus between the inverse depths of the far and the near end of the scene.
NEAR_WEIGHT = 0.25
# Radius of a spiral at one camera, in parts of its distance to the focus.
SMALL = 0.15


def faces_one_way(poses: Float[np.ndarray, "views 3 4"]) -> bool:
    """Tell whether cameras look in about one direction, as a forward-facing capture."""
    return float(np.linalg.norm(poses[:, :, 2].mean(0))) > FACING


def spiral(
    poses: Float[np.ndarray, "views 3 4"], near: float, far: float, frames: int
) -> Float[np.ndarray, "frames 3 4"]:
    """Return a spiral around the mean pose of forward-facing cameras.

    ``c(a) = center + R (r_x cos a, r_y sin a, r_z sin(a / 2))`` over two turns, where ``R`` is the
    mean orientation and ``r`` the 90 % quantiles of the cameras' offsets along its axes. All frames
    look at one point, at the weighted mean of the inverse depths of ``near`` and ``far`` (in front
    of the mean pose). Of one camera, or cameras that do not face one way, it goes around the
    first with 15 % of the distance to that point as radius.

    Reference: Mildenhall et al., "Local Light Field Fusion", SIGGRAPH 2019; its load_llff.py.
    """
    facing = faces_one_way(poses)
    middle = mean_pose(poses) if facing else poses[0]
    rotation, center = middle[:, :3], middle[:, 3]
    focus = 1 / (NEAR_WEIGHT / far + (1 - NEAR_WEIGHT) / near)
    offsets = np.abs((poses[:, :, 3] - center) @ rotation)
    radii = np.quantile(offsets, 0.9, axis=0) if facing else np.zeros(3)
    if radii.max() < 1e-6 * focus:
        radii = SMALL * focus * np.array([1.0, 1.0, 0.5])
    angle = 2 * np.pi * TURNS * np.arange(frames) / frames
    local = np.stack([np.cos(angle), np.sin(angle), np.sin(DEPTH_RATE * angle)], axis=1) * radii
    positions = center + local @ rotation.T
    target = center + focus * rotation[:, 2]
    return look_at(positions, np.broadcast_to(target, positions.shape), -rotation[:, 1])


def mean_pose(poses: Float[np.ndarray, "views 3 4"]) -> Float[np.ndarray, "3 4"]:
    """Return the pose at the mean position, with the mean viewing direction and level."""
    center, forward = poses[:, :, 3].mean(0), unit(poses[:, :, 2].mean(0))
    return look_at(center[None], (center + forward)[None], unit(-poses[:, :, 1].mean(0)))[0]
