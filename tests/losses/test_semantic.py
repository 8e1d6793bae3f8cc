"""Semantic terms against torch's own losses, naive loops and the papers' special cases."""

import math
from functools import partial

import pytest
import torch
from torch.nn import functional

from nerfloss.losses.semantic import binary_cross_entropy, cross_entropy, focal
from nerfloss.recipe import RecipeError
from nerfloss.recipe.term import Term
from nerfloss.testing.quantities import fake
from nerfloss.testing.terms import check_term

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.1, 0.2, 0.3], [-3.0, 4.0, 0.0], [0.0, 0.0, 0.0]])
LABELS = torch.tensor([0, 2, 2, 1])


def test_cross_entropy_is_torchs_one_value_per_ray():
    expected = functional.cross_entropy(LOGITS, LABELS, reduction="none")
    torch.testing.assert_close(cross_entropy(LOGITS, LABELS), expected)


def test_cross_entropy_is_the_loop_over_classes():
    for logits, label, found in zip(LOGITS, LABELS, cross_entropy(LOGITS, LABELS), strict=True):
        total = sum(math.exp(z) for z in logits.tolist())
        assert float(found) == pytest.approx(math.log(total) - float(logits[label]), rel=1e-5)


def test_it_raises_the_logit_of_the_class_and_lowers_the_others():
    logits = LOGITS.clone().requires_grad_()
    cross_entropy(logits, LABELS).sum().backward()
    is_class = functional.one_hot(LABELS, 3) > 0
    assert (logits.grad[is_class] < 0).all()
    assert (logits.grad[~is_class] > 0).all()


@pytest.mark.parametrize("term", [cross_entropy, focal])
def test_a_constant_added_to_all_logits_changes_nothing(term):
    torch.testing.assert_close(term(LOGITS + 7, LABELS), term(LOGITS, LABELS))


@pytest.mark.parametrize("term", [cross_entropy, focal])
def test_unknown_labels_cost_nothing_and_are_left_out_of_the_mean(term):
    labels = torch.tensor([0, -1, 2, -1])
    logits = LOGITS.clone().requires_grad_()
    values = term(logits, labels)
    assert (values[labels < 0] == 0).all()
    values.sum().backward()
    assert (logits.grad[labels < 0] == 0).all()
    known = labels >= 0
    quantities = {"logits": LOGITS, "target_label": labels, "target_label_known": known}
    mean = Term(fn=term, where="target_label_known")(quantities)
    torch.testing.assert_close(mean, term(LOGITS[known], labels[known]).mean())


def test_focal_is_the_loop_over_rays():
    found = focal(LOGITS, LABELS, gamma=1.5)
    for logits, label, value in zip(LOGITS, LABELS, found, strict=True):
        p = float(logits.softmax(-1)[label])
        assert float(value) == pytest.approx(-((1 - p) ** 1.5) * math.log(p), rel=1e-4)


def test_focal_without_gamma_is_cross_entropy():
    torch.testing.assert_close(focal(LOGITS, LABELS, gamma=0.0), cross_entropy(LOGITS, LABELS))


def test_focal_weighs_down_what_is_learned():
    easy, hard = torch.tensor([[5.0, 0.0]]), torch.tensor([[-1.0, 0.0]])
    label = torch.tensor([0])
    spared = [focal(z, label) / cross_entropy(z, label) for z in (easy, hard)]
    assert spared[0] < 1e-3 < 0.4 < spared[1]


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_is_smooth_and_finite_for_every_gamma(gamma):
    check_term(partial(focal, gamma=gamma))


def test_binary_cross_entropy_is_torchs_away_from_the_ends():
    prediction, target = fake("rgb"), fake("target_rgb")
    expected = functional.binary_cross_entropy(prediction, target, reduction="none")
    torch.testing.assert_close(binary_cross_entropy(prediction, target), expected)


def test_binary_cross_entropy_is_least_at_the_target_and_bounded_at_the_ends():
    target = torch.tensor([0.3, 0.8])
    prediction = target.clone().requires_grad_()
    binary_cross_entropy(prediction, target).sum().backward()
    torch.testing.assert_close(prediction.grad, torch.zeros(2), atol=1e-5, rtol=0)
    worst = binary_cross_entropy(torch.tensor([0.0]), torch.tensor([1.0]), eps=1e-3)
    torch.testing.assert_close(worst, torch.tensor([-math.log(1e-3)]))


@pytest.mark.parametrize(
    ("fn", "settings", "reason"),
    [(focal, {"gamma": -1.0}, "gamma"), (binary_cross_entropy, {"eps": 0.7}, "eps")],
)
def test_wrong_settings_are_refused_as_the_recipe_is_built(fn, settings, reason):
    with pytest.raises(RecipeError, match=reason):
        check_term(partial(fn, **settings))
