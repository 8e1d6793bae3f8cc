"""The transform of exported geometry: another axis up, another unit."""

import numpy as np
from jaxtyping import Float

from nerfloss.assembly.export.mesh_settings import Axes
from nerfloss.assembly.export.opened_run import OpenedRun
from nerfloss.data.common_view import estimate_up
from nerfloss.data.region import rotation_between
from nerfloss.evaluation.surfaces.file_axes import axis_vector, nearest_axis


def file_transform(opened: OpenedRun, axes: Axes) -> tuple[Float[np.ndarray, "4 4"], str | None]:
    """Return the transform from the files' coordinates to those written, and a note on up.

    Up in the files is what the training cameras, held level, suggest. If it is within 14 degrees of
    an axis it is taken to be that axis, so that axes are exchanged and not tilted.
    """
    transform, note = np.eye(4), None
    if axes.up is not None:
        found = upward_in_files(opened)
        name = nearest_axis(found)
        start = found if name is None else axis_vector(name)
        transform[:3, :3] = rotation_between(start, axis_vector(axes.up))
        words = name or "(" + ", ".join(f"{value:.3g}" for value in found) + ")"
        note = f"up in the files is {words}, by the training cameras; it becomes {axes.up}"
    transform[:3, :3] *= axes.unit_scale
    return transform, note


def upward_in_files(opened: OpenedRun) -> Float[np.ndarray, "3"]:
    """Return the unit direction that is up, in the coordinates of the files."""
    poses = opened.scene.train.cameras.poses.double().cpu().numpy()
    up = opened.to_files[:3, :3] @ estimate_up(poses)
    return up / np.linalg.norm(up)
