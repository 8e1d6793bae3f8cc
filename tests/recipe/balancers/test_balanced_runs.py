"""Runs with every balancer: they train, and go on to the same bits."""

import pytest
import torch
from slow_params import slow_but
from small_runs import assembled, composed
from torch import nn

from nerfloss.assembly.build import assemble
from nerfloss.assembly.config_files import conf_dir
from nerfloss.recipe.term_gradients import loss_jacobian

BALANCERS = sorted(file.stem for file in (conf_dir() / "loss" / "balancer").glob("*.yaml"))
# So that the little that a test trains goes through all that a balancer does.
BUSY = {
    "dwa": ["loss.balancer.window=1"],
    "gradnorm": ["loss.balancer.every=2"],
    "gradient_scale": ["loss.balancer.every=2"],
    "relobralo": ["loss.balancer.remember=0.5", "loss.balancer.decay=0.5"],
}
LATE = "{_target_: nerfloss.recipe.schedules.after, begin: 2}"


def overrides(name, steps):
    return [
        "loss=neus_full",
        f"loss/balancer={name}",
        f"+loss.terms.sparsity.schedule={LATE}",
        "loss.terms.sparsity.weight=0.01",
        f"trainer.max_steps={steps}",
        "dataset.size=16",
        "dataset.views=3",
        "dataset.test_views=1",
        *BUSY.get(name, []),
    ]


def state(run):
    found = run.trainer.state_dict()
    flat = {f"model.{k}": v for k, v in found["model"]["field"].items()}
    flat |= {f"recipe.{k}": v for k, v in found["recipe"].items()}
    for kind, values in found["optimizer"].items():
        flat |= {f"{kind}.{i}": value for i, value in enumerate(values)}
    return {key: value.clone() for key, value in flat.items() if isinstance(value, torch.Tensor)}


class Cut:
    """A budget that ends early, as Ctrl-C ends it."""

    def __init__(self, budget, steps):
        self.budget, self.steps = budget, steps

    def __getattr__(self, name):
        return getattr(self.budget, name)

    def spent(self, step, seconds):
        return step >= self.steps or self.budget.spent(step, seconds)


@pytest.mark.parametrize("name", slow_but(("normalized", "gradnorm"), BALANCERS))
def test_five_steps_equal_three_and_two_resumed(tmp_path, name):
    cfg = composed(*overrides(name, 5))
    whole = assemble(cfg, tmp_path / "whole")
    assert whole.train()
    first = assemble(cfg, tmp_path / "parts")
    first.trainer.clock.budget = Cut(first.trainer.clock.budget, 3)
    assert first.train()
    second = assemble(cfg, tmp_path / "parts")
    second.load(tmp_path / "parts" / "checkpoints" / "last.pt")
    assert second.train()
    resumed, expected = state(second), state(whole)
    assert resumed.keys() == expected.keys()
    assert [key for key in expected if not torch.equal(resumed[key], expected[key])] == []


def test_gradients_of_the_terms_of_a_run_sum_to_that_of_the_total(tmp_path):
    """The compiled kernels give the same when one forward pass is gone back through again."""
    run = assembled(tmp_path, *overrides("none", 5))
    trainer, batch = run.trainer, run.batches.draw(0, 64)
    generator = torch.Generator().manual_seed(0)
    trainer.model.field.advance(3)
    trainer.model.sampler.refresh(trainer.model.field, 0, generator)
    quantities = trainer.model(
        batch.rays,
        trainer.recipe.needs(3),
        given={**batch.targets, "step": 3, "progress": 0.5},
        generator=generator,
    )
    report = trainer.recipe(quantities, 3)
    parameters: list[nn.Parameter] = trainer.optimizer.parameters
    losses = {name: report.weights[name] * value for name, value in report.values.items()}
    assert len(losses) == 4
    rows, reached = loss_jacobian(losses, parameters, retain_graph=True)
    report.total.backward()
    pieces = rows.sum(0).split([each.numel() for each in parameters])
    for each, piece, touched in zip(parameters, pieces, reached, strict=True):
        assert touched == (each.grad is not None)
        if each.grad is not None:
            size = float(each.grad.abs().max())
            torch.testing.assert_close(
                piece.view_as(each), each.grad, rtol=1e-4, atol=1e-5 * size + 1e-12
            )
