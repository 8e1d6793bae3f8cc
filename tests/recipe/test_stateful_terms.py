"""Terms with state: trained once, driven once per step, saved and resumed to the same bits."""

import csv

import pytest
import torch
from small_runs import assembled
from stateful_terms import Remembering
from torch import nn

from nerfloss.recipe import LossRecipe, schedules
from nerfloss.testing.quantities import fake

TERM = "+loss.terms.memory={weight: 0.5, fn: {_target_: stateful_terms.Remembering}}"


def quantities():
    return {name: fake(name) for name in ("rgb", "target_rgb")}


def recipe_of(term, **more):
    return LossRecipe({"memory": {"fn": term, **more}})


def ended_at(run, steps):
    """The run, ended after so many steps of its budget."""
    budget = run.trainer.clock.budget
    object.__setattr__(budget, "spent", lambda step, _: step >= steps)
    return run


def test_a_parameter_is_trained_by_the_run_or_by_its_term_never_by_both():
    term = Remembering()
    descended = recipe_of(term).trainable_parameters()
    assert [id(p) for p in descended] == [id(term.gain)]


def test_frozen_parameters_are_not_trained():
    term = Remembering()
    term.gain.requires_grad_(False)
    assert recipe_of(term).trainable_parameters() == []


def test_after_a_step_a_term_reports_under_its_name():
    recipe = recipe_of(Remembering())
    recipe(quantities(), 0)
    found = recipe.after_step(0)
    assert list(found) == ["memory/critic", "memory/calls"]
    assert found["memory/calls"] == 1.0


def test_gradients_of_the_total_on_self_trained_parameters_are_dropped():
    term = Remembering()
    recipe = recipe_of(term)
    recipe(quantities(), 0).total.backward()
    assert term.critic.weight.grad is not None
    recipe.after_step(0)  # the term itself asserts that its gradients are gone


def test_after_step_is_not_called_for_inactive_terms():
    term = Remembering()
    recipe = recipe_of(term, schedule=schedules.after(5))
    assert recipe.after_step(4) == {}
    assert term.calls == 0


def test_after_step_is_optional():
    class Plain(nn.Module):
        def forward(self, rgb):
            return rgb

    assert recipe_of(Plain()).after_step(0) == {}


@pytest.mark.parametrize(("reported", "found"), [(None, {}), ({"a": 1}, {"memory/a": 1.0})])
def test_a_report_is_numbers_by_name_or_nothing(reported, found):
    class Reports(nn.Module):
        def forward(self, rgb):
            return rgb

        def after_step(self, step):  # noqa: ARG002
            return reported

    assert recipe_of(Reports()).after_step(0) == found


def test_an_invalid_report_is_refused_with_the_name_of_the_term():
    class Reports(nn.Module):
        def forward(self, rgb):
            return rgb

        def after_step(self, step):
            return float(step)

    with pytest.raises(TypeError, match="numbers by name or None, got float") as caught:
        recipe_of(Reports()).after_step(0)
    assert caught.value.__notes__ == ["in after_step of the loss term 'memory'"]


def test_the_log_shows_what_terms_report_and_the_gain_learns_with_the_run(tmp_path):
    run = assembled(tmp_path, TERM, "trainer.max_steps=3")
    term = run.trainer.recipe.terms["memory"].fn
    gain = term.gain.item()
    assert run.train()
    assert term.calls == 3
    assert term.gain.item() != gain
    with open(tmp_path / "history.csv") as file:
        last = list(csv.DictReader(file))[-1]
    assert float(last["loss/memory/calls"]) == 3
    assert float(last["loss/memory/critic"]) > 0


def test_three_steps_and_three_resumed_equal_six_in_every_part_of_a_term(tmp_path):
    settings = [TERM, "trainer.max_steps=6"]
    whole = assembled(tmp_path / "whole", *settings)
    assert whole.train()

    first = ended_at(assembled(tmp_path / "parts", *settings), 3)
    assert first.train()
    second = assembled(tmp_path / "parts", *settings)
    second.load(tmp_path / "parts" / "checkpoints" / "last.pt")
    assert second.trainer.step == 3
    assert second.train()

    a, b = (run.trainer.recipe.terms["memory"].fn for run in (whole, second))
    assert a.calls == b.calls == 6
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
    assert torch.equal(a.memory, b.memory)
    moments = [run.optimizer.state_dict()["state"][0]["exp_avg_sq"] for run in (a, b)]
    assert torch.equal(*moments)
    fields = [run.model.field.state_dict() for run in (whole, second)]
    assert all(torch.equal(v, fields[1][k]) for k, v in fields[0].items() if torch.is_tensor(v))


@pytest.mark.parametrize("device", [torch.device("meta")])
def test_all_of_a_term_s_tensors_move_with_the_recipe(device):
    term = Remembering()
    recipe_of(term).to(device)
    assert {t.device for t in [*term.parameters(), *term.buffers()]} == {device}
