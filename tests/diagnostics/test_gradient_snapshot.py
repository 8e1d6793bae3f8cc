"""Gradient snapshots: norms and cosines against a naive computation."""

import math

import pytest
import torch
from torch import nn

from nerfloss.diagnostics.gradient_snapshot import norms_and_cosines, take_snapshot
from nerfloss.recipe import LossReport


def report_of(values, weights):
    parts = [weights[name] * value for name, value in values.items()]
    return LossReport(torch.stack(parts).sum(), values, weights)


@pytest.fixture
def problem():
    """Three terms on two parameters: a and b at right angles, c against a."""
    x, y = nn.Parameter(torch.tensor(3.0)), nn.Parameter(torch.tensor(2.0))
    values = {"a": x.square(), "b": y.square(), "c": -0.5 * x}
    return [x, y], report_of(values, {"a": 1.0, "b": 0.5, "c": 4.0})


def test_a_snapshot_has_the_norms_of_the_weighted_gradients(problem):
    parameters, report = problem
    found = take_snapshot(report, parameters)
    assert found.norms == {"a": 6.0, "b": 2.0, "c": 2.0}
    assert found.gradient_shares == {"a": 0.6, "b": 0.2, "c": 0.2}
    assert found.values == {"a": 9.0, "b": 4.0, "c": -1.5}
    assert sum(found.shares.values()) == pytest.approx(1)


def test_cosines_are_negative_for_conflicts_and_0_for_orthogonal_gradients(problem):
    parameters, report = problem
    assert take_snapshot(report, parameters).cosines == {
        ("a", "b"): 0.0,
        ("a", "c"): -1.0,
        ("b", "c"): 0.0,
    }


def test_a_snapshot_keeps_the_graph_and_leaves_no_gradient(problem):
    parameters, report = problem
    take_snapshot(report, parameters)
    assert all(each.grad is None for each in parameters)
    report.total.backward()
    assert [each.grad.item() for each in parameters] == [4.0, 2.0]


def test_a_term_without_gradient_has_norm_0_and_no_cosine():
    x = nn.Parameter(torch.tensor(1.0))
    values = {"a": x.square(), "constant": torch.tensor(3.0), "flat": 0 * x}
    found = take_snapshot(report_of(values, dict.fromkeys(values, 1.0)), [x])
    assert found.norms == {"a": 2.0, "constant": 0.0, "flat": 0.0}
    assert found.cosines == {}


@pytest.mark.parametrize("size", [1e-25, 1.0, 1e25])
def test_norms_and_cosines_are_right_at_any_scale(size):
    rows = torch.randn(3, 50, generator=torch.Generator().manual_seed(0)) * size
    expected = rows.double()
    norms, cosines = norms_and_cosines(rows.clone())
    for i in range(3):
        length = math.sqrt(sum(float(x) ** 2 for x in expected[i]))
        assert float(norms[i]) == pytest.approx(length, rel=1e-5)
        for j in range(3):
            product = float(expected[i] @ expected[j])
            other = float(expected[j].norm())
            assert float(cosines[i, j]) == pytest.approx(product / length / other, abs=1e-5)
