"""Directions are unit and uniform on the sphere; offsets are uniform in the ball."""

import torch

from nerfloss.maths.directions import random_directions, random_offsets, unit


def drawn(function, *settings):
    return function(torch.empty(20_000, 3), *settings, torch.Generator().manual_seed(0))


def test_unit_keeps_directions_and_floors_lengths():
    vectors = torch.tensor([[3.0, 0, 4.0], [0, 1e-3, 0], [0, 0, 0]])
    expected = torch.tensor([[0.6, 0, 0.8], [0, 1, 0], [0, 0, 0]])
    torch.testing.assert_close(unit(vectors), expected)


def test_directions_are_unit_and_even():
    found = drawn(random_directions)
    torch.testing.assert_close(found.norm(dim=-1), torch.ones(20_000))
    assert float(found.mean(0).norm()) < 0.02
    # On a sphere every coordinate is uniform in [-1, 1] (Archimedes).
    torch.testing.assert_close(found.square().mean(0), torch.full((3,), 1 / 3), atol=0.01, rtol=0)


def test_offsets_fill_the_ball_evenly():
    found = drawn(random_offsets, 0.5).norm(dim=-1)
    assert float(found.max()) <= 0.5
    assert abs(float((found < 0.25).float().mean()) - 1 / 8) < 0.01


def test_the_same_seed_draws_the_same():
    assert torch.equal(drawn(random_directions), drawn(random_directions))
