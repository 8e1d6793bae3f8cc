"""The trainer: steps of even cost, guards that name the culprit, schedules within the budget."""

import pytest
import torch
from small_runs import assembled

from nerfloss.recipe import NonFiniteLoss
from nerfloss.training.optimizer import NonFiniteGradient


def term(name):
    return f"+loss.terms.bad={{fn: {{_target_: broken_terms.{name}, _partial_: true}}}}"


def parameters(run):
    return [p.detach().clone() for p in run.model.field.parameters()]


def test_the_number_of_rays_adapts_to_the_budget_of_samples(tmp_path):
    run = assembled(tmp_path, "trainer.max_steps=80", "trainer.pace.rays=16")
    assert run.train()
    _, quantities = run.trainer._train_step()
    assert int(quantities["occupied"].sum()) == pytest.approx(512, rel=0.25)
    assert run.trainer.rays > 32


def test_a_term_that_is_not_finite_stops_the_step_and_is_named(tmp_path):
    run = assembled(tmp_path, term("not_a_number"))
    before = parameters(run)
    with pytest.raises(NonFiniteLoss, match="bad"):
        run.train()
    assert all(torch.equal(a, b) for a, b in zip(before, parameters(run), strict=True))


def test_a_gradient_that_is_not_finite_stops_the_step_and_names_the_term(tmp_path):
    run = assembled(tmp_path, term("vertical"))
    before = parameters(run)
    with pytest.raises(NonFiniteGradient, match=r"bad.*opacity"):
        run.train()
    assert all(torch.equal(a, b) for a, b in zip(before, parameters(run), strict=True))


def test_a_budget_of_seconds_ends_the_run_at_the_end_of_its_schedules(tmp_path):
    run = assembled(tmp_path, "trainer.max_seconds=1.0", "trainer.max_steps=1000000")
    assert run.train()
    assert run.trainer.step < 1000000
    assert run.trainer.at == {"step": 1000000, "progress": 1.0}


def test_the_same_seed_gives_the_same_run_and_another_seed_another(tmp_path):
    def after_two_steps(name, seed):
        run = assembled(tmp_path / name, f"seed={seed}")
        assert run.train()
        return torch.cat([p.flatten() for p in parameters(run)])

    first = after_two_steps("a", 1)
    assert torch.equal(first, after_two_steps("b", 1))
    assert not torch.equal(first, after_two_steps("c", 2))
