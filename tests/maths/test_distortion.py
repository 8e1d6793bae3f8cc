"""The spread of a ray's weight, against the double sum."""

import torch

from nerfloss.maths.distortion import pairwise_spread


def double_sum(weights, positions):
    pairs = (positions[..., :, None] - positions[..., None, :]).abs()
    return (weights[..., :, None] * weights[..., None, :] * pairs).sum((-1, -2))


def test_spread_equals_the_double_sum_over_pairs():
    generator = torch.Generator().manual_seed(0)
    weights = torch.rand(50, 17, generator=generator, dtype=torch.float64)
    positions = torch.rand(50, 17, generator=generator, dtype=torch.float64).sort(-1).values
    found = pairwise_spread(weights, positions)
    torch.testing.assert_close(found, double_sum(weights, positions))


def test_padding_behind_the_last_weight_changes_nothing():
    weights = torch.tensor([0.3, 0.2, 0.4])
    positions = torch.tensor([1.0, 1.5, 3.0])
    padded = pairwise_spread(
        torch.cat([weights, torch.zeros(2)]), torch.cat([positions, torch.tensor([0.0, 9e9])])
    )
    assert torch.equal(padded, pairwise_spread(weights, positions))


def test_one_sample_has_no_spread():
    assert pairwise_spread(torch.ones(4, 1), torch.ones(4, 1)).tolist() == [0.0] * 4


def test_spread_keeps_its_digits_far_from_the_origin():
    weights = torch.full((64,), 1 / 64)
    positions = torch.linspace(0, 1, 64)
    near = pairwise_spread(weights, positions)
    far = pairwise_spread(weights, positions + 1024)
    torch.testing.assert_close(near, far, rtol=1e-3, atol=0.0)
