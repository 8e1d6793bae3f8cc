"""Depth maps of a known surface fuse into it, and what no view sees stays open."""

import numpy as np
import pytest
import torch
import trimesh

from nerfloss.evaluation.errors import EmptyMesh
from nerfloss.evaluation.sparse_lattice import SparseLattice
from nerfloss.evaluation.surfaces.holes import watertight_fault
from nerfloss.evaluation.surfaces.tsdf import DepthView, Fusion
from nerfloss.maths.compositing import median_distance

BOX = np.array([[-1.0, -1, -1], [1, 1, 1]])
RADIUS = 0.5
DIRECTIONS = np.concatenate([np.eye(3), -np.eye(3)])


def view_of_sphere(direction) -> DepthView:
    """The exact distance to a sphere along each ray; 0 where the ray misses it."""
    center = torch.tensor(3.0 * direction, dtype=torch.float32)

    def lookup(points):
        away = points - center
        along = away / away.norm(dim=1, keepdim=True)
        middle = -(along * center).sum(1)
        inside = RADIUS**2 - (center + middle[:, None] * along).square().sum(1)
        depth = torch.where(inside > 0, middle - inside.clamp_min(0).sqrt(), 0.0)
        return depth, torch.ones_like(depth, dtype=torch.bool)

    return DepthView(center, lookup)


def fuse(directions) -> trimesh.Trimesh:
    fusion = Fusion(SparseLattice.over(BOX, 48), nodes_at_once=10_000)
    return fusion(map(view_of_sphere, directions), torch.device("cpu"))


def test_views_from_all_sides_give_a_closed_surface_within_a_cell():
    mesh = fuse(DIRECTIONS)
    assert watertight_fault(mesh) is None
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * RADIUS**3, rel=0.1), "outward, and as large"
    distance = np.linalg.norm(mesh.vertices, axis=1) - RADIUS
    assert np.abs(distance).max() < 2 / 48


def test_what_no_view_sees_stays_open():
    mesh = fuse(DIRECTIONS[:1])
    assert mesh.vertices[:, 0].min() > -0.2, "the back is not there"
    assert "holes" in watertight_fault(mesh)


def test_nothing_seen_is_no_mesh():
    nothing = DepthView(
        torch.tensor([3.0, 0, 0]),
        lambda points: (torch.zeros(len(points)), torch.ones(len(points), dtype=torch.bool)),
    )
    fusion = Fusion(SparseLattice.over(BOX, 16))
    with pytest.raises(EmptyMesh, match="shows no surface"):
        fusion([nothing], torch.device("cpu"))


def test_the_median_distance_lies_where_half_of_the_light_is_absorbed():
    starts = torch.tensor([[1.0, 2, 3]]).repeat(4, 1)
    weights = torch.tensor([[0.0, 1, 0], [0.25, 0.5, 0.25], [0.5, 0, 0.5], [0.2, 0.1, 0.1]])
    found = median_distance(weights, starts, starts + 1)
    torch.testing.assert_close(found, torch.tensor([2.5, 2.5, 2.0, 0.0]))
