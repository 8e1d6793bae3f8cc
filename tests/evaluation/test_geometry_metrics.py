"""Geometry metrics meet closed forms: concentric spheres, shifted planes, overlapping boxes."""

import math

import numpy as np
import pytest
import trimesh

from nerfloss.evaluation.errors import EmptyMesh, UndefinedMetric
from nerfloss.evaluation.metrics import geometry as metrics
from nerfloss.evaluation.point_to_triangle import distances_to_surface
from nerfloss.evaluation.surface_samples import Surface, SurfacePair, sample_surface

POINTS = 20_000


def sphere(radius=0.5, subdivisions=5):
    return trimesh.creation.icosphere(subdivisions=subdivisions, radius=radius)


def plane(z=0.0, *, up=True):
    faces = [[0, 1, 2], [0, 2, 3]] if up else [[0, 2, 1], [0, 3, 2]]
    corners = [[0, 0, z], [1, 0, z], [1, 1, z], [0, 1, z]]
    return trimesh.Trimesh(corners, faces, process=False)


def pair(ours, theirs, points=POINTS):
    return SurfacePair(Surface(ours, points, 3), Surface(theirs, points, 4), exact_points=2000)


def test_samples_lie_on_the_surface_uniformly_by_area():
    samples = sample_surface(trimesh.creation.box((1, 2, 4)), points=50_000, seed=0)
    on_a_face = np.isclose(np.abs(samples.points), [0.5, 1, 2])
    assert on_a_face.any(1).all()
    # Areas of the pairs of faces across x, y and z: 16, 8 and 4 of 28.
    np.testing.assert_allclose(on_a_face.mean(0), np.array([16, 8, 4]) / 28, atol=0.01)


def test_samples_depend_on_the_seed_only():
    first, second, other = (sample_surface(sphere(), points=100, seed=s).points for s in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_concentric_spheres_are_apart_by_the_difference_of_their_radii():
    two = pair(sphere(0.55), sphere(0.5))
    # Sampling leaves about 0.5 sqrt(area / n) = 0.006 across, which adds in quadrature.
    assert metrics.accuracy(two.to_target) == pytest.approx(0.05, abs=1.5e-3)
    assert metrics.completeness(two.to_prediction) == pytest.approx(0.05, abs=1.5e-3)
    assert metrics.chamfer_l1(two.to_target, two.to_prediction) == pytest.approx(0.05, abs=1.5e-3)
    assert metrics.chamfer_l2(two.to_target, two.to_prediction) == pytest.approx(0.0025, abs=1e-4)
    assert metrics.hausdorff(two.to_target, two.to_prediction) == pytest.approx(0.05, abs=0.01)
    assert metrics.point_to_surface(two.target_to_surface) == pytest.approx(0.05, abs=1e-3)
    consistency = metrics.normal_consistency(two.cosines_to_target, two.cosines_to_prediction)
    assert consistency == pytest.approx(1, abs=2e-3)


def test_equal_surfaces_are_apart_by_the_sampling_only():
    same = pair(plane(), plane())
    floor = 0.5 * math.sqrt(1 / POINTS)
    found = metrics.chamfer_l1(same.to_target, same.to_prediction)
    assert found == pytest.approx(floor, rel=0.05)
    assert metrics.point_to_surface(same.target_to_surface) == pytest.approx(0, abs=1e-12)


def test_precision_and_recall_tell_excess_from_absence():
    both = trimesh.util.concatenate([plane(0), plane(1)])
    excess, absence = pair(both, plane(0)), pair(plane(0), both)
    settings = {"threshold": 0.1}
    assert metrics.precision(excess.to_target, **settings) == pytest.approx(0.5, abs=0.02)
    assert metrics.recall(excess.to_prediction, **settings) == 1
    assert metrics.precision(absence.to_target, **settings) == 1
    assert metrics.recall(absence.to_prediction, **settings) == pytest.approx(0.5, abs=0.02)
    f = metrics.fscore(excess.to_target, excess.to_prediction, **settings)
    assert f == pytest.approx(2 / 3, abs=0.02)


def test_fscore_is_zero_where_nothing_is_near():
    far = np.ones(5)
    assert metrics.fscore(far, far) == 0


def test_a_mesh_inside_out_is_180_degrees_off_and_yet_consistent():
    turned = pair(plane(up=False), plane(up=True))
    cosines = turned.cosines_to_target, turned.cosines_to_prediction
    assert metrics.mesh_normal_angle(*cosines) == pytest.approx(180)
    assert metrics.normal_consistency(*cosines) == pytest.approx(1)


def test_the_normal_angle_of_a_tilted_plane_is_its_tilt():
    tilted = plane()
    tilted.apply_transform(trimesh.transformations.rotation_matrix(math.radians(7), [1, 0, 0]))
    two = pair(tilted, plane())
    angle = metrics.mesh_normal_angle(two.cosines_to_target, two.cosines_to_prediction)
    assert angle == pytest.approx(7)


def to_segment(points, start, end):
    t = np.clip((points - start) @ (end - start) / ((end - start) @ (end - start)), 0, 1)
    return np.linalg.norm(points - start - t[:, None] * (end - start), axis=1)


def to_triangle(points, triangle):
    """Return distances to the plane above the inside of a triangle, else to its edges."""
    a, b, c = triangle
    edges = ((a, b), (b, c), (c, a))
    normal = np.cross(b - a, c - a)
    above = np.all([np.cross(end - start, points - start) @ normal >= 0 for start, end in edges], 0)
    plane = np.abs((points - a) @ normal) / np.linalg.norm(normal)
    return np.where(above, plane, np.min([to_segment(points, *edge) for edge in edges], axis=0))


@pytest.mark.parametrize("mesh", [sphere(subdivisions=2), trimesh.creation.box((0.1, 2, 3))])
def test_distances_to_a_mesh_equal_those_to_all_its_triangles(mesh):
    points = np.random.default_rng(1).uniform(-1.5, 1.5, (200, 3))
    expected = np.min([to_triangle(points, triangle) for triangle in mesh.triangles], axis=0)
    np.testing.assert_allclose(distances_to_surface(points, mesh), expected, atol=1e-9)


def test_box_iou_of_half_overlapping_boxes_is_a_third():
    ours, theirs = trimesh.creation.box((1, 1, 1)), trimesh.creation.box((1, 1, 1))
    theirs.apply_translation([0.5, 0, 0])
    assert metrics.box_iou(ours, theirs) == pytest.approx(1 / 3)


def test_volume_iou_of_concentric_spheres_is_the_ratio_of_their_volumes():
    found = metrics.volume_iou(sphere(0.4), sphere(0.5))
    assert found == pytest.approx(0.8**3, abs=0.005)


def test_volume_iou_of_boxes_aligned_with_the_grid_is_exact():
    ours, theirs = trimesh.creation.box((1, 1, 1)), trimesh.creation.box((1, 1, 1))
    theirs.apply_translation([0.5, 0, 0])
    assert metrics.volume_iou(ours, theirs, resolution=96) == pytest.approx(1 / 3)


def test_volume_iou_of_an_open_mesh_says_so():
    with pytest.raises(UndefinedMetric, match="reconstructed mesh is not watertight"):
        metrics.volume_iou(plane(), sphere())


def test_an_empty_mesh_has_no_samples_and_says_so():
    empty = trimesh.Trimesh(np.zeros((0, 3)), np.zeros((0, 3), dtype=int))
    with pytest.raises(EmptyMesh, match="no surface"):
        _ = pair(empty, sphere()).to_target
    with pytest.raises(EmptyMesh, match="no surface"):
        _ = pair(empty, sphere()).target_to_surface
