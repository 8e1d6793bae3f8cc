"""Meshes are closed, outward and equal to dense marching cubes, with few evaluations."""

import math

import numpy as np
import pytest
import torch
import trimesh
from skimage.measure import marching_cubes

from nerfloss.evaluation.errors import EmptyMesh, UndefinedMetric
from nerfloss.evaluation.mesh_extraction import (
    MeshExtraction,
    transformed,
    with_vertex_colors,
)
from nerfloss.evaluation.mesh_files import write_mesh
from nerfloss.evaluation.sparse_lattice import SparseLattice

BOX = torch.tensor([[-1.0, -1, -1], [1, 1, 1]])


class Counted:
    """A field that counts where it was evaluated, and how many points at most at once."""

    def __init__(self, field):
        self.field, self.count, self.most = field, 0, 0

    def __call__(self, points):
        self.count += len(points)
        self.most = max(self.most, len(points))
        return self.field(points)


def ball(points):
    return points.norm(dim=1) - 0.6


def torus(points):
    return torch.hypot(points[:, :2].norm(dim=1) - 0.6, points[:, 2]) - 0.25


def wavy(points):
    """No exact distance: its slope reaches 1.9."""
    return ball(points) + 0.03 * torch.sin(30 * points).sum(1)


def gentle(points):
    """One connected surface, slopes up to 1.4."""
    return ball(points) + 0.03 * torch.sin(8 * points).sum(1)


def dense(field, resolution):
    lattice = SparseLattice.over(BOX.numpy(), resolution)
    index = np.stack(np.indices(lattice.shape), -1).reshape(-1, 3)
    values = field(torch.from_numpy(lattice.positions(index).astype(np.float32))).numpy()
    found = marching_cubes(values.reshape(lattice.shape), 0.0, spacing=tuple(lattice.spacing))
    return found[0] + lattice.low, found[1]


def in_order(points):
    points = np.round(points, 5)
    return points[np.lexsort(points.T)]


@pytest.mark.parametrize("field", [ball, torus, wavy])
def test_the_sparse_mesh_is_the_dense_mesh(field):
    sparse = MeshExtraction(resolution=64, components="all")(field, BOX).mesh
    vertices, faces = dense(field, 64)
    assert sparse.faces.shape == faces.shape
    np.testing.assert_allclose(in_order(sparse.vertices), in_order(vertices), atol=2e-5)


def test_a_field_steeper_than_promised_still_leaves_no_hole():
    found = MeshExtraction(resolution=64, lipschitz=0.3)(gentle, BOX).mesh
    assert found.is_watertight
    assert len(found.faces) == len(dense(gentle, 64)[1])


@pytest.mark.parametrize(
    ("field", "volume"),
    [(ball, 4 / 3 * math.pi * 0.6**3), (torus, 2 * math.pi**2 * 0.6 * 0.25**2)],
)
def test_meshes_are_watertight_outward_and_of_the_right_volume(field, volume):
    mesh = MeshExtraction(resolution=96)(field, BOX).mesh
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.volume == pytest.approx(volume, rel=0.01), "negative means inside out"


def test_few_of_the_nodes_are_evaluated_and_few_at_once():
    field = Counted(ball)
    MeshExtraction(resolution=128, chunk=4096)(field, BOX)
    assert field.count < 0.15 * 129**3
    assert field.most <= 4096


def test_a_density_is_meshed_at_its_level_wherever_it_is():
    place = torch.tensor([0.7, 0.7, 0.7])

    def threshold_minus_density(points):
        return 5.0 - 10 * torch.exp(-25 * (points - place).square().sum(1))

    mesh = MeshExtraction(resolution=64, lipschitz=None)(threshold_minus_density, BOX).mesh
    radius = np.linalg.norm(mesh.vertices - place.numpy(), axis=1)
    np.testing.assert_allclose(radius, math.sqrt(math.log(2) / 25), atol=2e-3)
    assert mesh.volume > 0


@pytest.mark.parametrize("field", [ball, torus])
def test_signs_alone_find_the_same_mesh_without_looking_everywhere(field):
    by_signs = Counted(field)
    found = MeshExtraction(resolution=64, lipschitz=None)(by_signs, BOX).mesh
    expected = MeshExtraction(resolution=64)(field, BOX).mesh
    assert len(found.faces) == len(expected.faces)
    assert found.is_watertight
    assert by_signs.count < 0.3 * 65**3


def test_a_level_moves_the_surface():
    mesh = MeshExtraction(resolution=64, level=0.1)(ball, BOX).mesh
    np.testing.assert_allclose(np.linalg.norm(mesh.vertices, axis=1), 0.7, atol=2e-3)


def test_a_box_that_is_no_cube_is_filled_exactly():
    box = torch.tensor([[-0.7, -1.0, -0.65], [0.7, 1.0, 0.9]])
    mesh = MeshExtraction(resolution=64)(ball, box).mesh
    assert mesh.is_watertight
    np.testing.assert_allclose(np.linalg.norm(mesh.vertices, axis=1), 0.6, atol=2e-3)
    lattice = SparseLattice.over(box.numpy(), 64)
    np.testing.assert_allclose(lattice.positions(lattice.cells), box[1].numpy(), atol=1e-6)


@pytest.mark.parametrize(("offset", "low"), [(3.0, r"3\.2"), (-9.0, r"-8\.7")])
def test_a_field_without_surface_says_what_its_values_are(offset, low):
    with pytest.raises(EmptyMesh, match=rf"no surface at level 0 inside the box.*from {low}"):
        MeshExtraction(resolution=32)(lambda points: ball(points) + offset, BOX)


def test_a_field_that_is_not_finite_says_so():
    with pytest.raises(UndefinedMetric, match="not finite everywhere"):
        MeshExtraction(resolution=32)(lambda points: ball(points) * math.nan, BOX)


def test_colours_are_those_of_the_vertices_and_survive_both_files(tmp_path):
    mesh = with_vertex_colors(
        MeshExtraction(resolution=32)(ball, BOX).mesh,
        lambda _, normals, directions: (normals - directions + 2) / 4,
        device=torch.device("cpu"),
    )
    outward = np.asarray(mesh.vertices) / np.linalg.norm(mesh.vertices, axis=1, keepdims=True)
    expected = 255 * (outward + 1) / 2
    assert np.abs(mesh.visual.vertex_colors[:, :3] - expected).mean() < 4
    ply = trimesh.load_mesh(write_mesh(mesh, tmp_path / "mesh.ply"), process=False)
    np.testing.assert_array_equal(ply.visual.vertex_colors, mesh.visual.vertex_colors)
    glb = trimesh.load_mesh(write_mesh(mesh, tmp_path / "mesh.glb"), process=False)
    stored = np.asarray(glb.visual.vertex_colors)[:, :3] / 255
    # glTF holds linear light: 0.5 in an image is 0.214 there.
    back = np.where(stored <= 0.0031308, stored * 12.92, 1.055 * stored ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(255 * back, mesh.visual.vertex_colors[:, :3], atol=7)
    for loaded in (ply, glb):
        assert loaded.volume == pytest.approx(mesh.volume, rel=1e-4)


@pytest.mark.parametrize("mirror", [1, -1])
def test_the_world_transform_is_applied_and_keeps_faces_outward(mirror):
    mesh = MeshExtraction(resolution=32)(ball, BOX).mesh
    moved = transformed(
        mesh, np.array([[2, 0, 0, 5], [0, 2 * mirror, 0, 6], [0, 0, 2, 7], [0, 0, 0, 1.0]])
    )
    np.testing.assert_allclose(moved.bounds.mean(0), [5, 6, 7], atol=1e-3)
    assert moved.volume == pytest.approx(8 * mesh.volume, rel=1e-6)


def test_an_empty_mesh_is_not_written(tmp_path):
    empty = trimesh.Trimesh(np.zeros((0, 3)), np.zeros((0, 3), dtype=int))
    with pytest.raises(EmptyMesh, match="no surface to write"):
        write_mesh(empty, tmp_path / "mesh.ply")


def test_an_unknown_ending_is_named(tmp_path):
    mesh = MeshExtraction(resolution=32)(ball, BOX).mesh
    with pytest.raises(ValueError, match=r"written as \.ply, .*\.stl; got 'mesh\.off'"):
        write_mesh(mesh, tmp_path / "mesh.off")
