"""Learnable Chamfer distance: weighted matches, and training of the attention network."""

import pytest
import torch

from nerfloss.losses import points as terms
from nerfloss.losses.learnable_chamfer import LearnableChamfer
from nerfloss.maths import nearest_neighbours as neighbours
from nerfloss.recipe import LossRecipe
from nerfloss.testing.terms import check_term
from nerfloss.training import checkpoint


def clouds(seed=0, surface=30, observed=20):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(surface, 3, generator=generator), torch.rand(observed, 3, generator=generator)


def made(**settings):
    torch.manual_seed(0)
    return LearnableChamfer(**settings)


def defect(seed=0):
    """Two spheres' worth of points that agree but for a tenth of the surface, which is off."""
    generator = torch.Generator().manual_seed(seed)
    target = torch.nn.functional.normalize(torch.randn(200, 3, generator=generator), dim=-1)
    surface = target + 0.01 * torch.randn(200, 3, generator=generator)
    off = target[:, 2] > 0.8
    return torch.where(off[:, None], 1.3 * surface, surface), target, off


def train(term, steps, begin=0):
    values = []
    for step in range(begin, begin + steps):
        surface, target, _ = defect(step)
        values.append(term(surface, target).detach())
        term.after_step(step)
    return torch.stack(values)


def test_it_is_the_loop_over_points_with_the_networks_weights():
    term = made()
    surface, target = clouds()
    w, v = (x.tolist() for x in term.attention(target, surface))
    expected = 0.0
    for some, others, weights in ((target, surface, w), (surface, target, v)):
        for point, weight in zip(some, weights, strict=True):
            expected += 0.5 * weight * min(float((point - other).norm()) for other in others)
    assert float(term(surface, target)) == pytest.approx(expected, rel=1e-5)


def test_weights_of_a_cloud_sum_to_one_and_follow_its_points():
    term, (surface, target) = made(), clouds()
    w, v = term.attention(target, surface)
    for weights in (w, v):
        torch.testing.assert_close(weights.sum(), torch.tensor(1.0))
        assert (weights > 0).all()
    order = torch.randperm(len(surface))
    torch.testing.assert_close(term.attention(target, surface[order])[1], v[order])


def test_a_large_sigma_makes_it_the_plain_average():
    surface, target = clouds()
    d = torch.cdist(target, surface, compute_mode="donot_use_mm_for_euclid_dist")
    expected = 0.5 * (d.amin(0).mean() + d.amin(1).mean())
    torch.testing.assert_close(made(sigma=1e6)(surface, target), expected, rtol=1e-4, atol=0)


def test_clouds_that_agree_cost_nothing_in_any_order():
    surface, _ = clouds()
    assert made()(surface, surface.flip(0)) < 1e-5


def test_a_step_down_the_gradient_brings_the_surface_nearer():
    surface, target = clouds()
    term, leaf = made(), surface.requires_grad_()
    value = term(leaf, target)
    (slope,) = torch.autograd.grad(value, leaf)
    assert term(leaf - 0.1 * slope, target) < value


def test_the_network_learns_to_weigh_defects():
    term = made()
    surface, target, off = defect()
    share = term.attention(target, surface)[1][off].sum()
    train(term, 60)
    after = term.attention(target, surface)[1][off].sum()
    assert share < 0.15
    assert after > 1.5 * share


def test_no_gradient_of_the_term_reaches_the_network():
    term, (surface, target) = made(), clouds()
    leaf = surface.requires_grad_()
    term(leaf, target).backward()
    assert leaf.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in term.parameters())
    assert LossRecipe({"term": {"fn": term}}).trainable_parameters() == []


def test_an_empty_set_costs_nothing_and_teaches_nothing():
    term, (surface, target) = made(), clouds()
    leaf = surface.requires_grad_()
    value = term(leaf, target[:0])
    value.backward()
    assert value == 0
    assert (leaf.grad == 0).all()
    assert term(surface[:0], target) == 0
    assert term.after_step(0) is None


def test_blocks_give_the_value_of_the_whole(monkeypatch):
    term, (surface, target) = made(), clouds()
    whole = term(surface, target)
    monkeypatch.setattr(neighbours, "PAIRS", 50)
    torch.testing.assert_close(term(surface, target), whole)


def test_a_resumed_term_goes_on_bit_by_bit(tmp_path):
    whole, half, resumed = made(), made(), LearnableChamfer()
    expected = train(whole, 6)[3:]
    train(half, 3)
    checkpoint.save(tmp_path / "last.pt", {"recipe": half.state_dict()})
    resumed.load_state_dict(checkpoint.load(tmp_path / "last.pt")["recipe"])
    assert torch.equal(train(resumed, 3, begin=3), expected)


def test_its_gradient_is_right_also_once_it_has_learned():
    term = made()
    train(term, 5)
    check_term(term)


@pytest.mark.parametrize("settings", [{"sigma": -1.0}, {"learning_rate": 0.0}])
def test_wrong_settings_are_refused_as_the_term_is_made(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        LearnableChamfer(**settings)


def test_learnable_chamfer_is_exported_by_the_points_module():
    assert terms.learnable_chamfer is LearnableChamfer
