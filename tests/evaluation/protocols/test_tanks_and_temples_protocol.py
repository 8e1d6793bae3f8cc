"""Tanks and Temples on clouds whose scores are known: crop, voxels, threshold, registration."""

import numpy as np
import pytest
import trimesh

from nerfloss.evaluation.errors import UndefinedMetric
from nerfloss.evaluation.protocols.registration import moved, refined, similarity
from nerfloss.evaluation.protocols.tanks_and_temples import (
    THRESHOLDS,
    Crop,
    TanksReference,
    tanks_scores,
    tanks_scores_of_points,
    voxel_means,
)

SQUARE = np.array([[-10.0, -10], [10, -10], [10, 10], [-10, 10]])
CROP = Crop(axis=1, low=-10.0, high=10.0, polygon=SQUARE)


def scores(points, true, tau=0.1, **settings):
    ref = TanksReference(np.array(true, float), CROP, tau, register=False, **settings)
    return tanks_scores_of_points(np.array(points, float), ref)


def test_precision_recall_and_fscore_by_hand():
    true = [[0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0]]
    found = scores([[0.05, 0, 0], [1.0, 0.09, 0], [5, 0, 0]], true)
    assert found.precision == pytest.approx(2 / 3)
    assert found.recall == pytest.approx(2 / 4)
    assert found.fscore == pytest.approx(2 * (2 / 3) * 0.5 / (2 / 3 + 0.5))
    assert scores([[5, 5, 5]], true).fscore == 0


def test_only_the_crop_volume_counts():
    true = [[0, 0, 0], [0, 11, 0], [11, 0, 0]]
    found = scores([[0, 0, 0], [0, -12, 0], [0, 0, 30]], true)
    assert (found.precision, found.recall) == (1, 1)
    assert (found.predicted, found.scanned) == (1, 1)
    with pytest.raises(UndefinedMetric, match="no point of the reconstruction lies in the crop"):
        scores([[50, 0, 0]], true)


def test_a_crop_is_read_from_its_corners():
    lower = np.array([[0.0, 2, 0], [4, 2, 0], [0, 2, 4]])
    crop = Crop.of_corners(np.concatenate([lower, lower + np.array([0, 3, 0])]))
    assert (crop.axis, crop.low, crop.high) == (1, 2, 5)
    points = np.array([[1.0, 3, 1], [3, 3, 3], [1, 1, 1], [1, 6, 1]])
    assert crop.contains(points).tolist() == [True, False, False, False]


def test_points_of_a_voxel_are_averaged():
    found = voxel_means(np.array([[0.0, 0, 0], [0.4, 0, 0], [1.2, 0, 0]]), 1.0)
    assert found.tolist() == pytest.approx(np.array([[0.2, 0, 0], [1.2, 0, 0]]))


def test_a_similarity_is_recovered_from_pairs():
    points = np.random.default_rng(0).random((20, 3))
    rotation = trimesh.transformations.rotation_matrix(0.7, [1, 2, 3])
    expected = trimesh.transformations.scale_matrix(2.5) @ rotation
    expected[:3, 3] = [1, -2, 3]
    assert similarity(points, moved(points, expected)) == pytest.approx(expected)
    with pytest.raises(ValueError, match="needs 4 pairs of points, got 3"):
        similarity(points[:3], points[:3])


def test_a_reconstruction_in_its_own_frame_is_registered():
    mesh = trimesh.creation.box([4, 2, 1])
    true = np.asarray(trimesh.sample.sample_surface(mesh, 20_000, seed=0)[0])
    off = trimesh.transformations.rotation_matrix(0.03, [0, 0, 1])
    off[:3, 3] = [0.1, 0.05, 0]
    moved_mesh = mesh.copy().apply_transform(off)
    reference = TanksReference(true, CROP, 0.1)
    found = tanks_scores(moved_mesh, reference)
    assert found.fscore > 0.99
    assert found.transform == pytest.approx(np.linalg.inv(off), abs=0.02)
    unregistered = TanksReference(true, CROP, 0.05, register=False)
    assert tanks_scores(moved_mesh, unregistered).fscore < 0.8


def test_a_known_alignment_of_another_scale_is_applied():
    mesh = trimesh.creation.box([4, 2, 1])
    true = np.asarray(trimesh.sample.sample_surface(mesh, 20_000, seed=0)[0])
    start = trimesh.transformations.scale_matrix(100.0)
    small = mesh.copy().apply_scale(0.01)
    found = tanks_scores(small, TanksReference(true, CROP, 0.1, start=start))
    assert found.fscore > 0.99


def test_registration_without_partners_stays_where_it_is():
    far = np.array([[100.0, 0, 0]])
    start = np.eye(4)
    assert np.array_equal(refined(far, np.zeros((5, 3)), start=start, farthest=1.0), start)


def test_the_benchmarks_thresholds_are_in_metres():
    assert THRESHOLDS["Barn"] == 0.01
    assert THRESHOLDS["Ignatius"] == 0.003
    assert len(THRESHOLDS) == 7
