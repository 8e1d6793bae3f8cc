"""GradNorm: gradient norms reach their targets."""

import pytest
import torch
from shared_problem import descend, problem, pulls

from nerfloss.recipe.balancers.gradnorm import GradNorm

SCALES = {"loud": 100.0, "middle": 1.0, "quiet": 0.01}
TARGETS = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]


def test_gradient_norms_become_equal_at_rest():
    recipe, vector = problem(GradNorm(every=1), SCALES, TARGETS)
    assert pulls(recipe, vector)["loud"] > 9000 * pulls(recipe, vector)["quiet"]
    descend(recipe, vector, 400)
    found = pulls(recipe, vector)
    mean = sum(found.values()) / 3
    assert list(found.values()) == pytest.approx([mean] * 3, rel=1e-3)


def test_norms_reach_the_targets_of_the_paper_where_terms_train_unequally():
    asymmetry = 1.5
    recipe, vector = problem(GradNorm(every=1, asymmetry=asymmetry), SCALES, TARGETS)
    descend(recipe, vector, 1)
    with torch.no_grad():  # loud has come closer, middle has not, quiet has gone away
        vector.copy_(torch.tensor([0.5, 0.0, -0.2]))
    descend(recipe, vector, 600, begin=1)
    recipe.eval()
    values = {name: float(v.detach()) for name, v in recipe({}, 0).values.items()}
    start = {name: scale / 3 for name, scale in SCALES.items()}
    # What each lost of what it began with; all three see the whole vector.
    left = {name: values[name] / start[name] for name in SCALES}
    mean_left = sum(left.values()) / 3
    shares = {name: (left[name] / mean_left) ** asymmetry for name in SCALES}
    found = pulls(recipe, vector)
    for name in SCALES:
        expected = sum(found.values()) * shares[name] / sum(shares.values())
        assert found[name] == pytest.approx(expected, rel=1e-2)


def test_base_weights_multiply_the_balanced_gradients():
    recipe, vector = problem(
        GradNorm(every=1), SCALES, TARGETS, weights={"loud": 3.0, "quiet": 0.5}
    )
    descend(recipe, vector, 400)
    found = pulls(recipe, vector)
    assert found["loud"] / found["middle"] == pytest.approx(3, rel=1e-2)
    assert found["quiet"] / found["middle"] == pytest.approx(0.5, rel=1e-2)


def test_the_factors_keep_their_mean():
    recipe, vector = problem(GradNorm(every=1), SCALES, TARGETS)
    scalars = descend(recipe, vector, 37, rate=1e-4).scalars()
    factors = [scalars[f"balance/{name}"] for name in SCALES]
    assert sum(factors) / 3 == pytest.approx(1, rel=1e-5)


def test_one_update_is_the_gradient_of_the_papers_loss_by_the_logarithm_of_the_factor():
    asymmetry, rate = 0.5, 1e-3
    balancer = GradNorm(every=1, asymmetry=asymmetry, rate=rate)
    lengths, left = torch.tensor([3.0, 1.0, 0.2]), torch.tensor([0.9, 0.2, 0.6])
    logs = torch.zeros(3, requires_grad=True)
    sizes = logs.exp() * lengths
    # The targets, and the mean that makes the loss free of units, are constants.
    mean = sizes.mean().detach()
    shares = (left / left.mean()) ** asymmetry
    loss = (sizes - mean * shares / shares.mean()).abs().sum() / mean
    (gradient,) = torch.autograd.grad(loss, logs)
    torch.testing.assert_close(balancer._steps(lengths, left), -rate * gradient)


def test_gradients_are_combined_every_n_steps():
    recipe, vector = problem(GradNorm(every=5), SCALES, TARGETS)
    report = recipe({}, 3)
    assert recipe.objective(report, 3, [vector]) is report.total
    assert recipe.objective(report, 5, [vector]) is not report.total


def test_a_term_with_gradient_0_keeps_its_factor():
    recipe, vector = problem(GradNorm(every=1), {"a": 1.0, "dead": 0.0}, TARGETS[:2])
    scalars = descend(recipe, vector, 50).scalars()
    assert scalars["balance/dead"] > 0
    assert pulls(recipe, vector)["dead"] == 0


@pytest.mark.parametrize("setting", [{"asymmetry": -1.0}, {"rate": 0.0}, {"every": 0}])
def test_invalid_settings_are_refused(setting):
    (name,) = setting
    with pytest.raises(ValueError, match=rf"loss\.balancer\.{name} has to be"):
        GradNorm(**setting)
