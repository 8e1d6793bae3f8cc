"""The cells that a surface crosses are counted, and fog is told before it is meshed."""

import logging

import numpy as np
import pytest
import torch

import nerfloss.evaluation.crossed_cells as counting
from nerfloss.evaluation.crossed_cells import CELLS_OF_BALL, crossed_cells
from nerfloss.evaluation.errors import UndefinedMetric
from nerfloss.evaluation.mesh_extraction import MeshExtraction

BOX = torch.tensor([[-1.0, -1, -1], [1, 1, 1]])


def fog(points: torch.Tensor) -> torch.Tensor:
    """Waves of a few cells in every direction, which every second node finds."""
    return (12 * points).sin().prod(-1) * 0.1


def ball(points: torch.Tensor) -> torch.Tensor:
    return points.norm(dim=-1) - 0.95


def test_cells_are_counted_as_by_a_loop_over_their_corners():
    generator = np.random.default_rng(0)
    inside, known = (generator.random((4, 5, 6)) > share for share in (0.8, 0.1))
    count = count_known = 0
    for x, y, z in np.ndindex(3, 4, 5):
        corners = (slice(x, x + 2), slice(y, y + 2), slice(z, z + 2))
        crossed = inside[corners].any() and not inside[corners].all()
        count += crossed
        count_known += crossed and known[corners].all()
    assert crossed_cells(inside) == count > count_known > 0
    assert crossed_cells(inside, known) == count_known


def test_a_ball_crosses_as_many_cells_as_is_taken_for_normal():
    side = 96
    nodes = np.stack(np.meshgrid(*[np.linspace(-1, 1, side + 1)] * 3, indexing="ij"), -1)
    cells = crossed_cells(np.linalg.norm(nodes, axis=-1) < 0.999)
    assert cells == pytest.approx(CELLS_OF_BALL * side**2, rel=0.02)


def test_fog_is_told_and_an_object_is_not(caplog: pytest.LogCaptureFixture, monkeypatch):
    monkeypatch.setattr(counting, "FOG", 2)
    caplog.set_level(logging.WARNING)
    extraction = MeshExtraction(resolution=32, components="all", lipschitz=None)
    extraction(ball, BOX)
    assert caplog.text == ""
    extraction(fog, BOX)
    assert "it is fog, or noise" in caplog.text
    assert "eval.mesh.resolution" in caplog.text


def test_fog_that_does_not_fit_into_memory_is_refused_with_a_resolution(monkeypatch):
    monkeypatch.setattr(counting, "free_memory", lambda _: 10_000_000)
    extraction = MeshExtraction(resolution=32, components="all", lipschitz=None)
    extraction(ball, BOX)
    with pytest.raises(UndefinedMetric, match=r"it is fog.*use eval\.mesh\.resolution=16"):
        extraction(fog, BOX)
