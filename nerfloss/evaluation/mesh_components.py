"""Connected parts of a mesh: keep those that the training views support, drop floaters."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import trimesh
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

Components = Literal["supported", "largest", "all"]
COMPONENTS = ("supported", "largest", "all")
MIN_AREA = 1e-4  # of the whole area: smaller parts are noise of the field
MIN_VISIBLE = 1 / 4  # of a part's points have to be visible
POINTS, MIN_POINTS, MAX_POINTS = 8192, 4, 32  # sampled in all, and per part

# Which points the training views see; the distance is how far a rendered surface may be off them.
VisiblePoints = Callable[[Float[Tensor, "points 3"], float], Bool[Tensor, "points"]]


@dataclass(frozen=True)
class ComponentReport:
    """Number of connected parts of a mesh, and those that were dropped with their area."""

    rule: str
    parts: int = 1
    dropped: int = 0
    dropped_area: float = 0.0  # fraction of the extracted area

    def __str__(self) -> str:
        if self.parts == 1:
            return "one connected part"
        kept = self.parts - self.dropped
        return (
            f"kept {kept} of {self.parts} connected parts, dropped {self.dropped} with "
            f"{100 * self.dropped_area:.3g} % of the area (eval.mesh.components={self.rule})"
        )


def select_components(
    mesh: trimesh.Trimesh,
    rule: Components,
    *,
    visible: VisiblePoints | None = None,
    tolerance: float = 0.0,
    device: torch.device | str = "cpu",
) -> tuple[trimesh.Trimesh, ComponentReport]:
    """Return the parts of a mesh that a rule keeps.

    ``all`` keeps every part, ``largest`` the one with the most area. ``supported`` keeps those with
    at least 0.01 % of the area of whose points at least a quarter are ``visible`` from the training
    views; without ``visible`` the area alone counts. The largest part is always kept.
    ``tolerance`` is the distance, in scene units, at which a rendered surface still counts as the
    part's own.
    """
    part = component_of_faces(mesh)
    area = np.bincount(part, weights=mesh.area_faces)
    keep = np.ones(len(area), dtype=bool)
    if rule == "largest":
        keep[:] = False
    elif rule == "supported" and len(area) > 1:
        keep = area >= MIN_AREA * area.sum()
        if visible is not None:
            tested = np.flatnonzero(keep)
            tested = tested[np.argsort(-area[tested])][: POINTS // MIN_POINTS]
            points = points_of_components(mesh, part, tested)
            keep[:] = False
            keep[tested] = _are_visible(points, visible, tolerance, device)
    keep[area.argmax()] = True
    dropped_area = float(area[~keep].sum() / max(area.sum(), 1e-300))
    report = ComponentReport(rule, len(area), int((~keep).sum()), dropped_area)
    return (mesh if keep.all() else faces_of(mesh, keep[part])), report


def component_of_faces(mesh: trimesh.Trimesh) -> Int[np.ndarray, "faces"]:
    """Return the number of the connected part that each face belongs to; parts share no vertex."""
    count = len(mesh.vertices)
    edges = mesh.faces[:, [0, 1, 1, 2]].reshape(-1, 2).T
    graph = coo_array((np.ones(edges.shape[1], dtype=bool), tuple(edges)), shape=(count, count))
    labels = connected_components(graph, directed=False)[1][mesh.faces[:, 0]]
    return np.unique(labels, return_inverse=True)[1]


def points_of_components(
    mesh: trimesh.Trimesh, part: Int[np.ndarray, "faces"], parts: Int[np.ndarray, "parts"]
) -> Float[np.ndarray, "parts points 3"]:
    """Return centres of faces, drawn with a fixed seed and with probability by area, per part."""
    count = int(np.clip(POINTS // max(len(parts), 1), MIN_POINTS, MAX_POINTS))
    generator = np.random.default_rng(0)
    order = np.argsort(part, kind="stable")
    first = np.searchsorted(part[order], parts)
    last = np.searchsorted(part[order], parts, side="right") - 1
    total = np.cumsum(mesh.area_faces[order])
    before = np.where(first > 0, total[first - 1], 0.0)
    drawn = (
        before[:, None] + generator.random((len(parts), count)) * (total[last] - before)[:, None]
    )
    position = np.searchsorted(total, drawn, side="right")
    chosen = order[np.clip(position, first[:, None], last[:, None])]
    return np.asarray(mesh.triangles)[chosen].mean(2)


def _are_visible(
    points: Float[np.ndarray, "parts points 3"],
    visible: VisiblePoints,
    tolerance: float,
    device: torch.device | str,
) -> Bool[np.ndarray, "parts"]:
    flat = torch.from_numpy(points.reshape(-1, 3).astype(np.float32)).to(device)
    seen = visible(flat, tolerance).cpu().numpy().reshape(points.shape[:2])
    return seen.mean(1) >= MIN_VISIBLE


def faces_of(mesh: trimesh.Trimesh, keep: Bool[np.ndarray, "faces"]) -> trimesh.Trimesh:
    """Return the mesh of some faces, without the vertices that only others use."""
    used, faces = np.unique(mesh.faces[keep], return_inverse=True)
    return trimesh.Trimesh(mesh.vertices[used], faces.reshape(-1, 3), process=False)
