"""A term's mean: over everything, or over what ``where`` keeps."""

import math

import pytest
import torch
from torch import Tensor

from nerfloss.losses.eikonal import eikonal
from nerfloss.recipe import LossRecipe, Term, schedules
from nerfloss.recipe.selection import weighted_mean
from nerfloss.testing.quantities import fake


def photo(rgb: Tensor, target_rgb: Tensor) -> Tensor:
    return (rgb - target_rgb).abs()


def test_where_divides_by_the_sum_of_its_weights():
    term = Term(fn=photo, where="target_mask")
    rgb = torch.tensor([[1.0, 1, 1], [9, 9, 9]])
    mask = torch.tensor([1.0, 0])
    assert term({"rgb": rgb, "target_rgb": torch.zeros(2, 3), "target_mask": mask}) == 1


def test_where_weighs_by_fractions_even_when_they_sum_to_less_than_one():
    errors = torch.tensor([1.0, 3.0])
    assert weighted_mean(errors, torch.tensor([0.1, 0.3])).item() == pytest.approx(2.5)


def test_where_holds_for_all_trailing_axes():
    errors = torch.arange(24.0).reshape(2, 3, 4)
    keep = torch.tensor([[True, False, True], [False, False, True]])
    torch.testing.assert_close(weighted_mean(errors, keep), errors[keep].mean())


def test_where_may_also_be_an_input_of_the_term():
    term = Term(fn=lambda opacity, target_mask: (opacity - target_mask).abs(), where="target_mask")
    assert term({"opacity": torch.tensor([0.5, 0.1]), "target_mask": torch.tensor([1.0, 0])}) == 0.5


def test_where_nothing_is_kept_the_value_and_its_gradient_are_0():
    errors = torch.ones(3, requires_grad=True)
    value = weighted_mean(errors, torch.zeros(3))
    value.backward()
    assert value.item() == 0
    assert errors.grad.tolist() == [0, 0, 0]


def test_a_mean_over_no_values_is_0():
    term = Term(fn=torch.nn.Softplus())
    assert term({"input": torch.zeros(0, requires_grad=True)}).item() == 0


def test_unselected_values_may_be_nan():
    errors = torch.tensor([2.0, math.nan], requires_grad=True)
    value = weighted_mean(errors, torch.tensor([1.0, 0.0]))
    value.backward()
    assert value.item() == 2
    assert errors.grad.tolist() == [1, 0]


def test_no_gradient_flows_into_where():
    keep = torch.tensor([0.2, 0.5], requires_grad=True)
    errors = torch.ones(2, requires_grad=True)
    weighted_mean(errors, keep).backward()
    assert keep.grad is None


def test_a_where_that_does_not_match_is_named_with_its_term():
    recipe = LossRecipe({"e": {"fn": eikonal, "where": "rgb"}})
    with pytest.raises(ValueError, match=r"shape \(6, 3\).*leading axes.*\(6, 5\)") as caught:
        recipe({name: fake(name) for name in ("gradients", "rgb")}, 0)
    assert caught.value.__notes__ == ["in the loss term 'e'"]


def test_a_schedule_that_leaves_its_range_is_refused():
    term = Term(fn=photo, schedule=lambda _: math.nan)
    with pytest.raises(ValueError, match=r"a factor in \[0, 1\], got nan at step 7"):
        term.weight_at(7)


def test_a_term_that_returns_no_tensor_is_refused():
    with pytest.raises(TypeError, match="a loss term returns a tensor, got float"):
        Term(fn=lambda step: 0.5 * step)({"step": 1})


IN_TURNS = schedules.one_in(4, schedules.after(300))


@pytest.mark.parametrize(
    ("schedule", "step", "expected"),
    [
        (None, 0, 2.0),
        (schedules.ramp(0, 1000), 500, 1.0),
        (IN_TURNS, 200, 0.0),  # has not begun
        (schedules.window(300, 500), 250, 0.0),
        (schedules.window(300, 500), 550, 0.0),  # has ended
        (schedules.cosine(0, 400), 450, 0.0),
        (schedules.one_in(4, schedules.ramp(0, 1000)), 0, 0.0),  # step 0 acts, with factor 0
    ],
)
def test_the_weight_around_a_step_is_that_of_the_step_for_a_term_without_turns(
    schedule, step, expected
):
    assert Term(fn=photo, weight=2.0, schedule=schedule).weight_around(step) == expected


@pytest.mark.parametrize("interval", [2, 4, 30])
def test_the_weight_around_a_step_is_that_of_the_last_turn(interval):
    turns = schedules.one_in(interval, schedules.by_progress(schedules.ramp(0.25, 1.0), 1000))
    term = Term(fn=photo, weight=0.5, schedule=turns)
    weights = [term.weight_at(step) for step in range(1001)]
    assert sum(weight > 0 for weight in weights) < 800 / interval
    for step in range(400, 1001):
        last = next(weight for weight in reversed(weights[: step + 1]) if weight > 0)
        assert term.weight_around(step) == last


@pytest.mark.parametrize("returned", [torch.bool, torch.int64])
def test_values_along_which_no_gradient_flows_are_refused(returned):
    def counts(rgb):
        return (rgb > 0.5).to(returned)

    with pytest.raises(TypeError, match=f"floating-point numbers, got {returned}"):
        Term(fn=counts)({"rgb": torch.rand(4, 3)})
