"""Export a point cloud with colours, normals and confidence, of any model."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from nerfloss.assembly.export.mesh_settings import Axes
from nerfloss.assembly.export.opened_run import OpenedRun
from nerfloss.assembly.export.rendered_surface import random_surfaces
from nerfloss.assembly.export.upward import file_transform
from nerfloss.data.formats.parsed_scene import ParsedPoints
from nerfloss.data.formats.point_writer import write_points
from nerfloss.evaluation.errors import EmptyMesh


def check_point_file(path: Path, count: int) -> None:
    """Raise ValueError for another ending than .ply, and for a number of points below 1."""
    if path.suffix.lower() != ".ply":
        raise ValueError(f"--points {path}: points are written as .ply")
    if count < 1:
        raise ValueError(f"--point-count must be at least 1, got {count}")


def export_points(opened: OpenedRun, path: Path, count: int, axes: Axes) -> list[str]:
    """Write the surface points of ``count`` pixels of the training views; return notes.

    A point lies where half of the light of its pixel's ray is absorbed; pixels that absorb less,
    and points outside of the model's box, have none. ``confidence`` is the opacity. Normals are
    composited, where the model has any; 0 where they are unknown. Raises EmptyMesh without points.
    """
    check_point_file(path, count)
    points, columns, dropped = _surface_points(opened, count)
    if len(points) == 0:
        raise EmptyMesh(
            f"{opened.folder}: no pixel of the training views absorbs half of its light"
        )
    transform, note = file_transform(opened, axes)
    transform = transform @ opened.to_files
    moved = points.double().cpu().numpy() @ transform[:3, :3].T + transform[:3, 3]
    cloud = ParsedPoints(
        moved,
        colors=columns["rgb"].clamp(0, 1).cpu().numpy(),
        normals=None if "normal" not in columns else _turned(columns["normal"], transform),
        confidence=columns["opacity"].clamp(0, 1).cpu().numpy(),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_points(cloud, path)
    notes = [] if note is None else [note]
    if dropped:
        notes.append(f"{dropped} pixels show no surface within the model's box")
    known = "colours, normals, confidence" if "normal" in columns else "colours, confidence"
    return [*notes, f"{len(points)} points with {known}"]


def _surface_points(
    opened: OpenedRun, count: int
) -> tuple[Float[Tensor, "points 3"], dict[str, Tensor], int]:
    """Return points in scene units, their rendered quantities, and the number of empty pixels."""
    low, high = opened.model.box
    points, columns, empty = [torch.zeros(0, 3, device=low.device)], {}, 0
    for surface in random_surfaces(opened, count):
        at = surface.points
        keep = (surface.depth > 0) & (at >= low).all(1) & (at <= high).all(1)
        empty += int((~keep).sum())
        points.append(at[keep])
        for name, value in surface.values.items():
            columns.setdefault(name, []).append(value[keep])
    return torch.cat(points), {name: torch.cat(parts) for name, parts in columns.items()}, empty


def _turned(
    normals: Float[Tensor, "points 3"], transform: Float[np.ndarray, "4 4"]
) -> Float[np.ndarray, "points 3"]:
    """Return unit normals in the frame of the file."""
    rotation = transform[:3, :3] / np.cbrt(np.linalg.det(transform[:3, :3]))
    return normalize(normals.double(), dim=1).cpu().numpy() @ rotation.T
