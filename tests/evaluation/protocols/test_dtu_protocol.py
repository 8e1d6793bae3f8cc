"""DTU's protocol on clouds whose scores are computed by hand."""

import numpy as np
import pytest
import trimesh

from nerfloss.evaluation.errors import UndefinedMetric
from nerfloss.evaluation.protocols.dtu import DtuReference, dtu_scores, dtu_scores_of_points
from nerfloss.evaluation.protocols.sampling import sample_in_rounds
from nerfloss.evaluation.protocols.thinning import thin


def reference(points, observed=None, plane=(0, 0, 1, 10)):
    """Scanned points in a box of 100 mm, observed everywhere unless told, above z = -10."""
    cells = np.ones((11, 11, 11), dtype=bool) if observed is None else observed
    box = np.array([[0.0, 0, 0], [100, 100, 100]])
    return DtuReference(np.array(points, float), cells, box, 10.0, np.array(plane, float))


def scores(points, ref):
    return dtu_scores_of_points([np.array(points, float)], ref)


def test_distances_both_ways_by_hand():
    # Predicted: 1 mm and 3 mm off the scan; the third scanned point is 5 mm from any prediction.
    scan = [[10, 10, 10], [50, 50, 50], [50, 50, 58]]
    found = scores([[11, 10, 10], [50, 50, 53]], reference(scan))
    assert found.accuracy == pytest.approx((1 + 3) / 2)
    assert found.completeness == pytest.approx((1 + 3 + 5) / 3)
    assert found.overall == pytest.approx((2 + 3) / 2)
    assert (found.predicted, found.scanned) == (2, 3)


def test_distances_of_twenty_millimetres_are_dropped_not_clipped():
    scan = [[10, 10, 10], [90, 90, 90]]
    found = scores([[10, 10, 12], [50, 50, 50]], reference(scan))
    assert found.accuracy == pytest.approx(2)
    assert found.completeness == pytest.approx(2)
    just = scores([[10, 10, 29.9]], reference([[10, 10, 10]]))
    assert just.accuracy == pytest.approx(19.9)
    with pytest.raises(UndefinedMetric, match="20 mm or more away everywhere"):
        scores([[10, 10, 30]], reference([[10, 10, 10]]))


def test_only_observed_predictions_are_accurate_or_not_but_all_complete_the_scan():
    observed = np.zeros((11, 11, 11), dtype=bool)
    observed[1, 1, 1] = True  # the cell around (10, 10, 10)
    ref = reference([[10, 10, 10], [50, 50, 50]], observed)
    found = scores([[11, 10, 10], [50, 50, 54]], ref)
    assert found.accuracy == pytest.approx(1)
    assert found.completeness == pytest.approx((1 + 4) / 2)


def test_the_scan_counts_above_the_table_only():
    ref = reference([[10, 10, 10], [10, 10, 30]], plane=(0, 0, 2, -40))  # z > 20
    found = scores([[10, 10, 11], [10, 10, 33]], ref)
    assert found.completeness == pytest.approx(3)
    assert found.accuracy == pytest.approx((1 + 3) / 2), "the table's points still are the scan"


def test_predictions_far_outside_of_the_box_do_not_count():
    ref = reference([[0, 0, 0]])
    # The box is widened by 60 mm below and 120 mm above; nothing there is observed.
    inside = np.array([[-60.0, 0, 0], [219.9, 0, 0]])
    assert ref.in_box(inside).all()
    assert not ref.in_box(np.array([[-60.1, 0, 0], [220.0, 0, 0]])).any()
    assert not ref.is_observed(inside).any()
    with pytest.raises(UndefinedMetric, match="reconstruction, where it is observed, has no point"):
        scores([[-50, 0, 0]], ref)


def test_thinning_equals_the_greedy_loop():
    points = np.random.default_rng(0).random((400, 3))
    kept: list[np.ndarray] = []
    for point in points:
        if all(np.linalg.norm(point - other) >= 0.15 for other in kept):
            kept.append(point)
    found = thin([points[:150], points[150:]], 0.15)
    assert {tuple(p) for p in found} == {tuple(p) for p in kept}
    assert len(thin([np.zeros((5, 3))], 0.15)) == 1


def test_samples_are_uniform_by_area_and_follow_from_the_seed():
    # Two squares, one with four times the area of the other.
    vertices = [
        [0, 0, 0],
        [2, 0, 0],
        [2, 2, 0],
        [0, 2, 0],
        [5, 0, 0],
        [6, 0, 0],
        [6, 1, 0],
        [5, 1, 0],
    ]
    mesh = trimesh.Trimesh(vertices, [[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
    points = np.concatenate(list(sample_in_rounds(mesh, 0.02, seed=3)))
    assert len(points) == 4 * 5 / 0.02**2
    assert (points[:, 0] < 2.5).mean() == pytest.approx(0.8, abs=0.01)
    assert points[points[:, 0] < 2.5].mean(0) == pytest.approx([1, 1, 0], abs=0.02)
    again = np.concatenate(list(sample_in_rounds(mesh, 0.02, seed=3)))
    assert np.array_equal(points, again)


def test_a_plane_above_the_scan_scores_its_distance():
    side = np.arange(0, 20, 0.5)
    scan = np.stack([*np.meshgrid(side, side), np.full((40, 40), 10.0)], -1).reshape(-1, 3)
    mesh = trimesh.Trimesh(
        [[0, 0, 12], [20, 0, 12], [20, 20, 12], [0, 20, 12]], [[0, 1, 2], [0, 2, 3]]
    )
    found = dtu_scores(mesh, reference(scan))
    # The nearest scanned point is at most half a diagonal of 0.5 mm off the foot of the normal.
    assert 2.0 <= found.accuracy < np.hypot(2, 0.36) + 0.01
    assert 2.0 <= found.completeness < 2.01
    assert found == dtu_scores(mesh, reference(scan))
    assert found.accuracy != dtu_scores(mesh, reference(scan), seed=1).accuracy
