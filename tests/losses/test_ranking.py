"""Ranking terms: equal to loops over pairs and lists, and blind to what has no order."""

import math

import pytest
import torch

from nerfloss.losses import ranking
from nerfloss.losses.ranking import (
    depth_listmle,
    depth_listnet,
    depth_ranking,
)

TERMS = [depth_ranking, depth_listnet, depth_listmle]
VIEWS = [4, 0, 4, 4, 9, 0, 0, 4, 0, 9, 4, 7]


def rays(*, seed=0):
    """Depths of views with 5, 4, 2 and 1 rays; of one ray the depth is unknown."""
    generator = torch.Generator().manual_seed(seed)
    view = torch.tensor(VIEWS)
    depth = 1 + torch.rand(len(view), generator=generator, dtype=torch.float64)
    target = 0.5 + 3 * torch.rand(len(view), generator=generator, dtype=torch.float64)
    target[2] = 0.0
    return depth, target, view


def lists(depth, target, view):
    """Of every view: its rays, their depths, their targets; without unknown ones."""
    for label in view.unique():
        own = [i for i in range(len(view)) if view[i] == label and target[i] > 0]
        yield own, depth[own].tolist(), target[own].tolist()


@pytest.mark.parametrize("pairs", [2**19, 1])
@pytest.mark.parametrize("margin", [0.0, 0.3])
def test_depth_ranking_equals_the_loop_over_pairs(margin, pairs, monkeypatch):
    monkeypatch.setattr(ranking, "PAIRS_AT_ONCE", pairs)
    depth, target, view = rays()
    target[3] = target[0]
    found = depth_ranking(depth, target, view, margin=margin)
    expected = torch.zeros_like(depth)
    for own, depths, targets in lists(depth, target, view):
        for i, ray in enumerate(own):
            hinges = []
            for j in range(len(own)):
                if targets[i] < targets[j]:
                    hinges.append(max(0.0, depths[i] - depths[j] + margin))
                elif targets[i] > targets[j]:
                    hinges.append(max(0.0, depths[j] - depths[i] + margin))
            expected[ray] = sum(hinges) / max(len(hinges), 1)
    torch.testing.assert_close(found, expected)


def test_in_blocks_the_gradient_of_depth_ranking_is_the_same(monkeypatch):
    depth, target, view = rays()
    depth.requires_grad_()
    (whole,) = torch.autograd.grad(depth_ranking(depth, target, view).sum(), depth)
    monkeypatch.setattr(ranking, "PAIRS_AT_ONCE", 2000)
    (parts,) = torch.autograd.grad(depth_ranking(depth, target, view).sum(), depth)
    torch.testing.assert_close(parts, whole)
    assert whole.abs().sum() > 0


def test_depth_listnet_equals_the_loop_over_lists():
    depth, target, view = rays()
    found = depth_listnet(depth, target, view, temperature=0.5)
    for own, depths, targets in lists(depth, target, view):
        wanted, scores = ([math.exp(-x / 0.5) for x in values] for values in (targets, depths))
        for ray, p, q in zip(own, wanted, scores, strict=True):
            expected = -len(own) * p / sum(wanted) * math.log(q / sum(scores))
            assert float(found[ray]) == pytest.approx(expected)
    assert found[2] == 0


def test_depth_listmle_equals_the_loop_over_lists():
    depth, target, view = rays()
    found = depth_listmle(depth, target, view, temperature=0.5)
    for own, depths, targets in lists(depth, target, view):
        for ray, depth_of_ray, nearest in zip(own, depths, targets, strict=True):
            behind = [d for d, t in zip(depths, targets, strict=True) if t >= nearest]
            expected = depth_of_ray / 0.5 + math.log(sum(math.exp(-d / 0.5) for d in behind))
            assert float(found[ray]) == pytest.approx(expected)
    assert found[2] == 0


def test_depth_listmle_has_the_value_that_tensorflow_ranking_documents():
    # Labels [1, 0] and scores [0.6, 0.8]; the nearer ray is the one with the higher label.
    depth, target = torch.tensor([-0.6, -0.8]), torch.tensor([1.0, 2.0])
    value = depth_listmle(depth, target, torch.zeros(2, dtype=torch.long)).sum()
    torch.testing.assert_close(value, torch.tensor(0.7981389))


@pytest.mark.parametrize("term", TERMS)
def test_rays_of_different_views_are_never_compared(term):
    depth, target, view = rays()
    value = term(depth, target, view)
    order = torch.randperm(len(view))
    torch.testing.assert_close(
        term(depth[order], target[order], 1000 * view[order] - 7), value[order]
    )
    nearer = torch.where(view == 4, 0.1 * depth, depth)
    torch.testing.assert_close(term(nearer, target, view)[view != 4], value[view != 4])


@pytest.mark.parametrize("term", [depth_ranking, depth_listmle])
def test_only_the_order_of_the_observed_depths_counts(term):
    depth, target, view = rays()
    value = term(depth, target, view)
    torch.testing.assert_close(term(depth, target**3, view), value)


@pytest.mark.parametrize("term", TERMS)
def test_one_offset_for_all_depths_costs_nothing(term):
    depth, target, view = rays()
    torch.testing.assert_close(term(depth + 5, target, view), term(depth, target, view))


@pytest.mark.parametrize("term", TERMS)
def test_the_right_order_is_better_than_its_reverse(term):
    _, target, view = rays()
    assert term(target, target, view).mean() < term(4 - target, target, view).mean()


def test_depth_ranking_is_0_in_the_right_order_and_listnet_least_at_the_target():
    depth, target, view = rays()
    assert (depth_ranking(torch.sqrt(target), target, view, margin=0.0) == 0).all()
    at_target = target.clone().requires_grad_()
    (slope,) = torch.autograd.grad(depth_listnet(at_target, target, view).sum(), at_target)
    assert slope.abs().max() < 1e-12
    assert depth_listnet(target, target, view).sum() < depth_listnet(depth, target, view).sum()


@pytest.mark.parametrize("term", TERMS)
def test_a_gradient_pulls_a_pair_into_its_order(term):
    depth = torch.tensor([2.0, 1.0], requires_grad=True)
    term(depth, torch.tensor([1.0, 2.0]), torch.zeros(2, dtype=torch.long)).sum().backward()
    assert depth.grad[0] > 0 > depth.grad[1]


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("known", [0, 1])
def test_with_nothing_to_compare_the_value_is_0(term, known):
    depth = torch.rand(3, requires_grad=True)
    target = torch.tensor([float(known), 0.0, 0.0])
    value = term(depth, target, torch.zeros(3, dtype=torch.long))
    value.sum().backward()
    assert value.tolist() == [0, 0, 0]
    assert depth.grad.tolist() == [0, 0, 0]
