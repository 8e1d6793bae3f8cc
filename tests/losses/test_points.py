"""Distances between sets of points: against scipy, by loops, and which way they pull."""

import itertools

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment, linprog
from scipy.spatial import KDTree
from scipy.spatial.distance import cdist

from nerfloss.losses.points import chamfer, directional_distance, sinkhorn_emd
from nerfloss.testing.quantities import fake


def sets(*counts, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(count, 3, generator=generator, dtype=torch.float64) for count in counts]


TERMS = {
    "chamfer": chamfer,
    "directional_distance": lambda x, y: directional_distance(x, y, fake("generator"), trust=0),
    "sinkhorn_emd": lambda x, y: sinkhorn_emd(x, y, blur=0.05, steps=50),
}


@pytest.mark.parametrize("name", TERMS)
def test_equal_sets_cost_nothing_in_whatever_order(name):
    (x,) = sets(30)
    value = TERMS[name](x, x[torch.randperm(30)]).mean()
    assert abs(float(value)) < 1e-6


@pytest.mark.parametrize("name", TERMS)
def test_points_are_pulled_to_where_they_were_observed(name):
    (y,) = sets(30)
    shift = torch.tensor([0.05, -0.02, 0.03], dtype=torch.float64)
    x = (y + shift).requires_grad_()
    TERMS[name](x, y).mean().backward()
    assert float(x.grad.mean(0) @ shift) > 0


@pytest.mark.parametrize("name", TERMS)
@pytest.mark.parametrize("counts", [(0, 4), (4, 0), (0, 0)])
def test_an_empty_set_costs_nothing_and_can_be_descended(name, counts):
    x, y = (each.requires_grad_() for each in sets(*counts))
    value = TERMS[name](x, y)
    value.sum().backward()
    assert float(value.detach().sum()) == 0


def test_chamfer_is_that_of_scipys_trees():
    x, y = sets(70, 40)
    there, back = KDTree(y).query(x)[0], KDTree(x).query(y)[0]
    expected = (there**2).mean() + (back**2).mean()
    assert float(chamfer(x, y)) == pytest.approx(expected)
    assert float(chamfer(y, x)) == pytest.approx(expected)


def test_chamfer_is_the_same_in_blocks(monkeypatch):
    x, y = sets(70, 40)
    whole = chamfer(x, y)
    monkeypatch.setattr("nerfloss.maths.nearest_neighbours.PAIRS", 100)
    torch.testing.assert_close(chamfer(x, y), whole)


def naive_field(places, points, neighbours):
    distance, index = KDTree(points).query(places, k=neighbours)
    shares = 1 / (distance**2 + 1e-8)
    vectors = places[:, None] - points[index]
    v = (vectors * shares[..., None]).sum(1) / shares.sum(1)[:, None]
    return v, np.linalg.norm(v, axis=-1)


@pytest.mark.parametrize("trust", [0, 3.0])
def test_directional_distance_equals_its_definition(trust):
    x, y = sets(25, 20)
    settings = {"references": 2, "spread": 0.1, "neighbours": 5, "trust": trust}
    found = directional_distance(x, y, torch.Generator().manual_seed(5), **settings)
    noise = torch.randn(40, 3, generator=torch.Generator().manual_seed(5))
    places = torch.cat([y.repeat_interleave(2, 0) + 0.1 * noise.double(), x]).numpy()
    (v, a), (w, b) = (naive_field(places, each.numpy(), 5) for each in (x, y))
    error = np.abs(a - b) + np.abs(v - w).sum(-1)
    expected = error * np.exp(-trust * error)
    # Lengths are floored at 1e-6, which references on a point of a set feel.
    torch.testing.assert_close(found, torch.from_numpy(expected), atol=2e-6, rtol=1e-6)


def test_directional_distance_tells_sides_of_a_surface_apart_where_distance_alone_does_not():
    (plane,) = sets(200)
    plane[:, 2] = 0
    above, below = (plane + torch.tensor([0.0, 0.0, h]).double() for h in (0.1, -0.1))
    place = directional_distance(above, below, fake("generator"), spread=1e-3, trust=0)
    assert float(place.mean()) > 0.2 - 0.05  # |v| - |v'| alone vanishes half way


def test_fewer_points_than_neighbours_are_all_taken():
    x, y = sets(2, 3)
    value = directional_distance(x, y, fake("generator"), neighbours=5)
    assert value.shape == (3 * 3 + 2,)
    assert value.isfinite().all()


def test_the_gradient_of_directional_distance_is_that_with_shares_and_trust_held_fixed():
    x, y = sets(6, 7)
    x.requires_grad_()
    value = directional_distance(x, y, torch.Generator().manual_seed(1), neighbours=1, trust=0)
    value.sum().backward()
    before = x.grad.clone()
    moved = 1e-6 * torch.randn(6, 3, dtype=torch.float64)

    def total(points):
        # With one neighbour the shares are 1 whatever happens, so that nothing is held fixed
        # but the surface points' own places among the references.
        places = torch.cat([y.repeat_interleave(3, 0), x.detach()])
        noise = torch.randn(21, 3, generator=torch.Generator().manual_seed(1)).double()
        places[:21] += 0.05 * noise
        nearest = [places - each[torch.cdist(places, each).argmin(-1)] for each in (points, y)]
        lengths = [each.square().sum(-1).clamp_min(1e-12).sqrt() for each in nearest]
        return (lengths[0] - lengths[1]).abs().sum() + (nearest[0] - nearest[1]).abs().sum()

    # The references that are surface points lie at distance 0, where the slope may jump.
    change = total(x.detach() + moved) - total(x.detach())
    assert float(change) == pytest.approx(float((before * moved).sum()), abs=8e-6)


@pytest.mark.parametrize("count", [5, 30])
def test_without_blur_sinkhorn_is_the_best_assignment(count):
    x, y = sets(count, count)
    cost = cdist(x, y)
    expected = cost[linear_sum_assignment(cost)].mean()
    found = float(sinkhorn_emd(x, y, blur=1e-3, steps=1000))
    assert found == pytest.approx(expected, rel=2e-3)


def test_without_blur_sinkhorn_of_sets_of_different_sizes_is_the_linear_programme():
    x, y = sets(7, 4)
    rows = np.kron(np.eye(7), np.ones(4))
    columns = np.kron(np.ones(7), np.eye(4))
    marginals = np.concatenate([np.full(7, 1 / 7), np.full(4, 1 / 4)])
    best = linprog(cdist(x, y).ravel(), A_eq=np.vstack([rows, columns]), b_eq=marginals)
    found = float(sinkhorn_emd(x, y, blur=1e-3, steps=1000))
    assert found == pytest.approx(best.fun, rel=2e-3)


def test_a_shifted_set_costs_the_shift():
    (x,) = sets(40)
    found = float(sinkhorn_emd(x, x + torch.tensor([0.0, 2.0, 0.0]), blur=0.001, steps=200))
    assert found == pytest.approx(2.0, rel=0.01)


@pytest.mark.parametrize("blur", [0.05, 0.5])
def test_sinkhorn_equals_the_iteration_that_multiplies_plans(blur):
    x, y = sets(8, 6)

    def cost(a, b):
        c = cdist(a, b)
        kernel = np.exp(-c / blur)
        u, v = np.ones(len(a)), np.ones(len(b))
        for _ in range(3000):
            u = 1 / len(a) / (kernel @ v)
            v = 1 / len(b) / (kernel.T @ u)
        plan = u[:, None] * kernel * v
        entropy = (plan * np.log(plan * len(a) * len(b))).sum()
        return (plan * c).sum() + blur * entropy

    expected = cost(x, y) - 0.5 * cost(x, x) - 0.5 * cost(y, y)
    found = float(sinkhorn_emd(x, y, blur=blur, steps=3000))
    assert found == pytest.approx(expected, rel=1e-4)


def test_once_converged_sinkhorns_gradient_agrees_with_finite_differences():
    x, y = sets(3, 2)
    x.requires_grad_()
    y.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda a, b: sinkhorn_emd(a, b, blur=0.3, steps=100), (x, y), atol=1e-6
    )


def test_sinkhorn_is_the_same_in_blocks(monkeypatch):
    x, y = sets(30, 20)
    x.requires_grad_()
    found = []
    for pairs in (2**22, 64):
        monkeypatch.setattr("nerfloss.maths.transport.PAIRS", pairs)
        value = sinkhorn_emd(x, y)
        found.append((value.detach(), *torch.autograd.grad(value, x)))
    for whole, blocks in zip(*found, strict=True):
        torch.testing.assert_close(blocks, whole)


@pytest.mark.parametrize("name", TERMS)
def test_descending_moves_one_set_onto_the_other(name):
    x, y = sets(20, 20, seed=3)
    x = (0.5 * x).requires_grad_()
    before = float(chamfer(x.detach(), y))
    optimizer = torch.optim.Adam([x], 0.02)
    for _ in range(60):
        optimizer.zero_grad()
        TERMS[name](x, y).mean().backward()
        optimizer.step()
    assert float(chamfer(x.detach(), y)) < 0.4 * before


def test_coordinates_may_be_permuted_and_shifted():
    x, y = sets(12, 9)
    for axes in itertools.islice(itertools.permutations(range(3)), 1, 4):
        shifted = [each[:, list(axes)] + 5 for each in (x, y)]
        torch.testing.assert_close(chamfer(*shifted), chamfer(x, y))
        torch.testing.assert_close(sinkhorn_emd(*shifted), sinkhorn_emd(x, y))
