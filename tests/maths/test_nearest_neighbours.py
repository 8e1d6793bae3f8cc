"""Nearest neighbours equal those of scipy, for blocks of any size."""

import pytest
import torch
from scipy.spatial import KDTree

from nerfloss.maths.nearest_neighbours import nearest


@pytest.mark.parametrize("pairs", [2**22, 1, 90])
@pytest.mark.parametrize("count", [1, 4])
def test_neighbours_are_those_of_scipys_tree(monkeypatch, pairs, count):
    monkeypatch.setattr("nerfloss.maths.nearest_neighbours.PAIRS", pairs)
    points, others = torch.rand(25, 3), torch.rand(30, 3)
    expected = KDTree(others).query(points, k=[*range(1, count + 1)])[1]
    assert nearest(points, others, count).tolist() == expected.tolist()


def test_small_distances_far_from_the_origin_are_told_apart():
    points = torch.tensor([[100.0, 100.0, 100.0]])
    others = points + torch.tensor([[2e-4, 0, 0], [1e-4, 0, 0]])
    assert nearest(points, others).item() == 1
