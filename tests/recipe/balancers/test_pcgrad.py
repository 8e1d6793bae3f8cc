"""PCGrad: projected gradients, against a naive loop."""

import pytest
import torch
from shared_problem import descend, problem

from nerfloss.recipe.balancers.pcgrad import ProjectedGradients, projections


def naive(gradients, order, seed):
    """The algorithm of the paper, vector by vector."""
    generator = torch.Generator().manual_seed(seed)
    projected = {}
    for one in order:
        mine = gradients[one].clone()
        for drawn in torch.randperm(len(order), generator=generator).tolist():
            other = gradients[order[drawn]]
            along = mine @ other
            if order[drawn] != one and along < 0:
                mine = mine - along / (other @ other) * other
        projected[one] = mine
    return torch.stack([projected[one] for one in range(len(gradients))])


@pytest.mark.parametrize("terms", [1, 2, 3, 7])
@pytest.mark.parametrize("seed", range(5))
def test_it_equals_the_naive_loop(terms, seed):
    gradients = torch.randn(terms, 5, generator=torch.Generator().manual_seed(seed)).double()
    order = list(range(terms))
    shares = projections(gradients @ gradients.t(), order, seed)
    torch.testing.assert_close(shares @ gradients, naive(gradients, order, seed))


@pytest.mark.parametrize("seed", range(10))
def test_two_projected_gradients_never_conflict(seed):
    gradients = torch.randn(2, 4, generator=torch.Generator().manual_seed(seed)).double()
    projected = projections(gradients @ gradients.t(), [0, 1], seed) @ gradients
    assert projected[0] @ gradients[1] >= -1e-12
    assert projected[1] @ gradients[0] >= -1e-12
    assert projected[0] @ projected[1] >= min(0.0, float(gradients[0] @ gradients[1])) - 1e-12


@pytest.mark.parametrize("seed", range(10))
def test_the_last_projection_leaves_no_conflict(seed):
    gradients = torch.randn(6, 4, generator=torch.Generator().manual_seed(seed)).double()
    order = list(range(6))
    projected = projections(gradients @ gradients.t(), order, seed) @ gradients
    generator = torch.Generator().manual_seed(seed)
    for one in order:
        last = [o for o in torch.randperm(6, generator=generator).tolist() if o != one][-1]
        assert projected[one] @ gradients[last] >= -1e-12


def test_gradients_that_agree_are_simply_added():
    gradients = torch.tensor([[1.0, 2.0], [3.0, 0.5]])
    balancer = ProjectedGradients()
    losses = {"a": torch.tensor(1.0), "b": torch.tensor(1.0)}
    combined = balancer.combine(gradients, losses, {"a": 1.0, "b": 1.0}, 0)
    torch.testing.assert_close(combined, gradients.sum(0))


def test_a_gradient_of_0_is_no_conflict():
    gradients = torch.tensor([[1.0, 2.0], [0.0, 0.0], [-1.0, 0.0]])
    losses = dict.fromkeys("abc", torch.tensor(1.0))
    combined = ProjectedGradients().combine(gradients, losses, dict.fromkeys("abc", 1.0), 0)
    assert combined.isfinite().all()


def test_the_order_of_the_recipe_does_not_matter():
    gradients = torch.randn(5, 4, generator=torch.Generator().manual_seed(1))
    names, shuffled = list("abcde"), [3, 1, 4, 0, 2]
    one = torch.tensor(1.0)
    plain = ProjectedGradients(seed=2).combine(
        gradients, dict.fromkeys(names, one), dict.fromkeys(names, 1.0), 7
    )
    other = [names[i] for i in shuffled]
    again = ProjectedGradients(seed=2).combine(
        gradients[shuffled], dict.fromkeys(other, one), dict.fromkeys(other, 1.0), 7
    )
    torch.testing.assert_close(plain, again)


def test_it_descends_both_of_two_terms_that_conflict_where_their_sum_does_not():
    def values(balancer):
        recipe, vector = problem(balancer, {"a": 1.0, "loud": 30.0}, [[1.0, 0.3], [-0.2, 0.3]])
        before = {name: float(v.detach()) for name, v in recipe({}, 0).values.items()}
        descend(recipe, vector, 1, rate=0.001)
        after = {name: float(v.detach()) for name, v in recipe({}, 0).values.items()}
        return {name: after[name] - before[name] for name in before}

    plain, projected = values(None), values(ProjectedGradients())
    assert plain["loud"] < 0
    assert projected["loud"] < 0
    assert projected["a"] < plain["a"]


def test_a_seed_that_is_no_integer_is_refused():
    with pytest.raises(ValueError, match=r"loss\.balancer\.seed has to be a whole number"):
        ProjectedGradients(seed=-1)
