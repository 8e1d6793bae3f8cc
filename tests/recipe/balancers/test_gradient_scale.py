"""Gradient scaling: lengths become equal, or those of a reference."""

import pytest
import torch
from shared_problem import descend, problem, pulls

from nerfloss.recipe import schedules
from nerfloss.recipe.balancers.gradient_scale import GradientScale

SCALES = {"loud": 30.0, "middle": 1.0, "quiet": 0.1}
TARGETS = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]


def test_gradient_norms_converge_to_their_mean():
    recipe, vector = problem(GradientScale(every=1), SCALES, TARGETS)
    mean = sum(pulls(recipe, vector).values()) / 3
    descend(recipe, vector, 200)
    assert list(pulls(recipe, vector).values()) == pytest.approx([mean] * 3, rel=1e-4)


def test_gradient_norms_converge_to_that_of_the_reference():
    recipe, vector = problem(GradientScale(every=1, reference="quiet"), SCALES, TARGETS)
    before = pulls(recipe, vector)["quiet"]
    report = descend(recipe, vector, 200)
    assert list(pulls(recipe, vector).values()) == pytest.approx([before] * 3, rel=1e-4)
    assert report.scalars()["balance/quiet"] == pytest.approx(1)


def test_the_worked_moving_average():
    recipe, vector = problem(GradientScale(every=1, decay=0.75), {"a": 1.0, "b": 3.0}, TARGETS[:2])
    # The lengths are 2/3 and 6/3, their mean 4/3: wanted are 2 and 2/3.
    scalars = descend(recipe, vector, 3).scalars()
    a, b = 1.0, 1.0
    for _ in range(2):
        a, b = 0.75 * a + 0.25 * 2, 0.75 * b + 0.25 * 2 / 3
    assert scalars["balance/a"] == pytest.approx(a, rel=1e-5)
    assert scalars["balance/b"] == pytest.approx(b, rel=1e-5)


def test_base_weights_multiply_the_balanced_gradients():
    recipe, vector = problem(GradientScale(every=1), SCALES, TARGETS, weights={"quiet": 5.0})
    descend(recipe, vector, 200)
    found = pulls(recipe, vector)
    assert found["quiet"] / found["loud"] == pytest.approx(5, rel=1e-4)


def test_factors_are_limited_and_those_of_dead_terms_constant():
    recipe, vector = problem(
        GradientScale(every=1, limit=10.0), {"a": 1.0, "weak": 1e-6, "dead": 0.0}, TARGETS
    )
    scalars = descend(recipe, vector, 200).scalars()
    assert scalars["balance/weak"] == pytest.approx(10, rel=1e-4)
    assert scalars["balance/dead"] == 1


def test_without_its_reference_a_step_changes_nothing():
    recipe, vector = problem(GradientScale(every=1, reference="quiet"), SCALES, TARGETS)
    late = recipe.terms["quiet"]
    object.__setattr__(late, "schedule", schedules.after(10))
    scalars = descend(recipe, vector, 5).scalars()
    assert scalars["balance/loud"] == scalars["balance/middle"] == 1
    assert torch.isfinite(vector).all()


def test_a_reference_that_is_no_term_is_refused_with_the_terms():
    with pytest.raises(ValueError, match=r"reference is 'rgb', .*one of loud, middle, quiet"):
        problem(GradientScale(reference="rgb"), SCALES, TARGETS)


@pytest.mark.parametrize("setting", [{"decay": 1.0}, {"every": 0}, {"limit": 1.0}])
def test_invalid_settings_are_refused(setting):
    (name,) = setting
    with pytest.raises(ValueError, match=rf"loss\.balancer\.{name} has to be"):
        GradientScale(**setting)
