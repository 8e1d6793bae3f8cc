"""Spatial-BCE: the piecewise polynomial of the paper, and training of the threshold."""

import pytest
import torch

from nerfloss.losses import mask
from nerfloss.losses.spatial_bce import SpatialBce
from nerfloss.recipe import LossRecipe
from nerfloss.training import checkpoint


def two_groups(seed=0, low=0.1, high=0.8, few=20, many=200):
    """Opacities in two clusters of unequal size, with nothing between them."""
    generator = torch.Generator().manual_seed(seed)
    noise = 0.05 * torch.rand(few + many, generator=generator)
    return noise + torch.cat([torch.full((many,), low), torch.full((few,), high)])


def train(term, steps, begin=0, **groups):
    for step in range(begin, begin + steps):
        term(two_groups(step, **groups))
        reported = term.after_step(step)
    return reported["threshold"]


def test_the_loss_is_the_papers_piecewise_polynomial():
    opacity = torch.linspace(0, 1, 21)
    t = 0.3
    for o, found in zip(opacity.tolist(), SpatialBce(threshold=t)(opacity), strict=True):
        below = -(o**2) / t**2 + 2 * o / t
        above = (1 - o) * (1 - 2 * t + o) / (1 - t) ** 2
        assert float(found) == pytest.approx(below if o <= t else above, abs=1e-6)


def test_ends_cost_nothing_the_threshold_most_and_each_side_goes_its_way():
    term = SpatialBce(threshold=0.3)
    torch.testing.assert_close(term(torch.tensor([0.0, 0.3, 1.0])), torch.tensor([0.0, 1.0, 0.0]))
    opacity = torch.tensor([0.1, 0.29, 0.31, 0.9, 0.3], requires_grad=True)
    term(opacity).sum().backward()
    assert (opacity.grad[:2] > 0).all(), "descending lowers what lies below"
    assert (opacity.grad[2:4] < 0).all()
    assert opacity.grad[4] == 0, "flat at the threshold"


def test_opacity_is_clamped():
    opacity = torch.tensor([-0.1, 1.2], requires_grad=True)
    values = SpatialBce()(opacity)
    values.sum().backward()
    assert values.tolist() == [0.0, 0.0]
    assert opacity.grad.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("begin", [0.2, 0.5, 0.8])
def test_the_threshold_moves_into_the_gap_between_two_groups(begin):
    found = train(SpatialBce(threshold=begin, learning_rate=0.02), 300)
    assert 0.15 < found < 0.8


def test_the_threshold_does_not_depend_on_group_sizes():
    more = train(SpatialBce(learning_rate=0.02), 300, many=2000)
    assert more == pytest.approx(train(SpatialBce(learning_rate=0.02), 300), abs=0.02)


def test_the_threshold_learns_by_the_terms_own_optimizer_alone():
    term = SpatialBce()
    opacity = two_groups().requires_grad_()
    term(opacity).mean().backward()
    assert opacity.grad is not None
    assert term.threshold.grad is None
    assert LossRecipe({"term": {"fn": term}}).trainable_parameters() == []


def test_a_threshold_stays_where_all_lie_on_one_side_of_it():
    term = SpatialBce(threshold=0.3)
    for step, opacity in enumerate((torch.full((6,), 0.9), torch.full((6,), 0.1))):
        assert term(opacity).isfinite().all()
        assert term.after_step(step)["threshold"] == pytest.approx(0.3)


def test_a_threshold_stays_inside():
    term = SpatialBce(threshold=0.9, learning_rate=0.5)
    for step in range(5):
        term(torch.tensor([0.5, 0.5, 0.991]))
        assert term.after_step(step)["threshold"] <= 0.99 + 1e-6


def test_a_resumed_threshold_goes_on_bit_by_bit(tmp_path):
    whole, half, resumed = SpatialBce(), SpatialBce(), SpatialBce(threshold=0.9)
    expected = train(whole, 6)
    train(half, 3)
    checkpoint.save(tmp_path / "last.pt", {"recipe": half.state_dict()})
    resumed.load_state_dict(checkpoint.load(tmp_path / "last.pt")["recipe"])
    assert train(resumed, 3, begin=3) == expected


def test_after_step_does_nothing_without_a_forward_pass():
    term = SpatialBce()
    assert term.after_step(0) is None
    assert term.threshold == 0.5


@pytest.mark.parametrize("settings", [{"threshold": 0.0}, {"learning_rate": 0.0}])
def test_wrong_settings_are_refused_as_the_term_is_made(settings):
    with pytest.raises(ValueError, match=rf"needs {next(iter(settings))}.*=0\.0"):
        SpatialBce(**settings)


def test_spatial_bce_is_exported_by_the_mask_module():
    assert mask.spatial_bce is SpatialBce
