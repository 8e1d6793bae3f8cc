"""Meshes for other programs: clean, closed up to a size, watertight by name, smaller, turned."""

import math

import numpy as np
import pytest
import trimesh

from nerfloss.data.region import rotation_between
from nerfloss.evaluation.errors import EmptyMesh
from nerfloss.evaluation.mesh_files import write_mesh
from nerfloss.evaluation.surfaces.decimation import decimated
from nerfloss.evaluation.surfaces.file_axes import AXES, axis_vector, nearest_axis
from nerfloss.evaluation.surfaces.holes import (
    boundary_loops,
    watertight_fault,
    with_holes_filled,
    with_shared_edges_replaced,
)
from nerfloss.evaluation.surfaces.mesh_cleaning import cleaned
from nerfloss.evaluation.surfaces.vertex_culling import culled


def mesh_of(vertices, faces) -> trimesh.Trimesh:
    return trimesh.Trimesh(vertices, faces, process=False)


def sphere(subdivisions: int = 3) -> trimesh.Trimesh:
    return trimesh.creation.icosphere(subdivisions)


def without_caps(*heights: float) -> trimesh.Trimesh:
    """A sphere without what lies above a height, on either side of it."""
    mesh = sphere()
    z = mesh.triangles_center[:, 2]
    keep = (z < heights[0]) & (z > -heights[1] if len(heights) > 1 else True)
    return mesh_of(mesh.vertices, mesh.faces[keep])


def test_duplicate_and_degenerate_faces_and_vertices_are_removed():
    mesh = sphere()
    count = len(mesh.vertices)
    vertices = np.concatenate([mesh.vertices, mesh.vertices + 1e-13])
    turned = mesh.faces[:10, [1, 2, 0]] + count
    line = [[0, 0, 1], [2, 2, 2]]
    broken = mesh_of(vertices, np.concatenate([mesh.faces, turned, line]))
    found = cleaned(broken)
    assert (len(found.vertices), len(found.faces)) == (count, len(mesh.faces))
    assert found.volume == pytest.approx(mesh.volume)
    assert watertight_fault(found) is None
    assert found.is_watertight


def test_faces_that_face_both_ways_bound_nothing():
    mesh = sphere(1)
    both = mesh_of(mesh.vertices, np.concatenate([mesh.faces, mesh.faces[:1, ::-1]]))
    assert len(cleaned(both).faces) == len(mesh.faces) - 1


def test_small_holes_are_closed_and_large_ones_stay():
    mesh = without_caps(0.9, 0.5)
    assert len(boundary_loops(mesh)) == 2
    small, filled = with_holes_filled(mesh, 1.3)
    assert filled == 1
    assert "it has a hole of size" in watertight_fault(small)
    closed, filled = with_holes_filled(mesh, math.inf)
    assert filled == 2
    assert watertight_fault(closed) is None
    assert closed.is_watertight
    assert closed.is_winding_consistent
    assert 0 < closed.volume < sphere().volume


def test_holes_that_touch_in_a_vertex_are_closed_apart():
    mesh = sphere(2)
    vertex = 20
    around = np.flatnonzero((mesh.faces == vertex).any(1))
    others = [f for f in around if not set(mesh.faces[f]) & set(mesh.faces[around[0]]) - {vertex}]
    keep = np.ones(len(mesh.faces), dtype=bool)
    keep[[around[0], others[0]]] = False
    open_mesh = mesh_of(mesh.vertices, mesh.faces[keep])
    assert sorted(map(len, boundary_loops(open_mesh))) == [3, 3]
    closed, _ = with_holes_filled(open_mesh, math.inf)
    assert closed.is_watertight
    assert closed.volume == pytest.approx(mesh.volume)


@pytest.mark.parametrize(
    ("faces", "fault"),
    [
        (lambda f: f[:-1], "a hole of size"),
        (lambda f: np.concatenate([f, [[f[0, 0], f[0, 1], f[40, 2]]]]), "more than two faces"),
        (lambda f: np.concatenate([f[:1, ::-1], f[1:]]), "oriented in opposite ways"),
        (lambda f: f[:0], "no faces"),
    ],
)
def test_what_is_not_watertight_is_named(faces, fault):
    mesh = sphere(2)
    assert fault in watertight_fault(mesh_of(mesh.vertices, faces(mesh.faces)))


def test_an_edge_of_three_faces_is_replaced():
    mesh = sphere(2)
    fin = [mesh.faces[0, 0], mesh.faces[0, 1], mesh.faces[0, 2] + 50]
    repaired = with_shared_edges_replaced(mesh_of(mesh.vertices, np.vstack([mesh.faces, fin])))
    assert watertight_fault(repaired) is None
    assert repaired.volume == pytest.approx(mesh.volume, rel=0.05)


@pytest.mark.parametrize("faces", [800, 301, 40])
def test_decimation_keeps_shape_and_closure(faces):
    pytest.importorskip("fast_simplification", reason="needs the extra 'export'")
    mesh = sphere(4)
    mesh.apply_translation([1000.0, 0, 0])
    found = decimated(mesh, faces)
    assert faces * 0.9 <= len(found.faces) <= faces
    assert found.is_watertight
    distance = np.linalg.norm(found.vertices - [1000, 0, 0], axis=1)
    # A cap over a regular triangle is as high as a third of its edge's square, halved.
    cap = 16 * math.pi / (math.sqrt(3) * faces) / 6
    assert np.abs(distance - 1).max() < 1.5 * cap
    assert decimated(mesh, 10**6) is mesh


def test_a_cull_that_leaves_nothing_is_refused_by_name():
    mesh = sphere(1)
    half, note = culled(mesh, mesh.vertices[:, 2] > -0.01, "region")
    assert half.bounds[0, 2] > -0.01
    assert 0 < half.area < mesh.area
    assert "--cull region cut" in note
    with pytest.raises(EmptyMesh, match="--cull masks leaves nothing"):
        culled(mesh, np.zeros(len(mesh.vertices), dtype=bool), "masks")


@pytest.mark.parametrize("name", AXES)
def test_axes_are_exchanged_and_not_mirrored(name):
    turn = rotation_between(axis_vector("z"), axis_vector(name))
    assert np.linalg.det(turn) == pytest.approx(1)
    assert nearest_axis(turn @ [0.05, 0.0, 1.0]) == name
    assert set(np.abs(turn).round(12).ravel()) <= {0, 1}


def test_a_direction_between_axes_is_none_of_them():
    assert nearest_axis(np.array([1.0, 1.0, 0.0])) is None
    with pytest.raises(ValueError, match="--up w is none of x, y, z"):
        axis_vector("w")


@pytest.mark.parametrize("ending", ["ply", "obj", "glb", "stl"])
def test_every_format_is_read_back_by_a_second_program(tmp_path, ending):
    mesh = sphere()
    mesh.visual.vertex_colors = (255 * (mesh.vertices * 0.5 + 0.5)).astype(np.uint8)
    path = write_mesh(mesh, tmp_path / f"mesh.{ending}")
    read = trimesh.load_mesh(path)
    read = read.to_mesh() if isinstance(read, trimesh.Scene) else read
    assert len(read.faces) == len(mesh.faces)
    assert read.volume == pytest.approx(mesh.volume, rel=1e-5)
    assert (read.visual.kind == "vertex") == (ending != "stl")
    if ending != "stl":
        top = read.visual.vertex_colors[read.vertices[:, 2].argmax()]
        assert top[2] > 250


def test_an_ending_without_a_format_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"\.ply, \.obj, \.glb, \.stl; got 'mesh.fbx'"):
        write_mesh(sphere(1), tmp_path / "mesh.fbx")
