"""The optimizer: rates by group, warm-up, decay, and no update from a broken gradient."""

import pytest
import torch

from nerfloss.training.optimizer import NonFiniteGradient, Optimizer


def parameter(*values):
    return torch.nn.Parameter(torch.tensor(values))


def test_the_rate_warms_up_and_decays_to_its_final_share():
    optimizer = Optimizer({"all": [parameter(1.0)]}, warmup=10, final=0.01)
    assert optimizer.factor(0, 0.0) == pytest.approx(0.1)
    assert optimizer.factor(50, 0.0) == pytest.approx(1.0)
    assert optimizer.factor(50, 0.5) == pytest.approx(0.1)
    assert optimizer.factor(50, 1.0) == pytest.approx(0.01)


def test_the_first_step_moves_each_group_by_its_own_rate():
    fast, slow = parameter(1.0), parameter(1.0)
    optimizer = Optimizer(
        {"fast": [fast], "slow": [slow]}, learning_rate=0.1, rates={"slow": 0.001}, warmup=0
    )
    optimizer.step((fast + slow).sum(), 0, 0.0)
    # Adam's first step has the size of the rate.
    assert fast.item() == pytest.approx(0.9, abs=1e-6)
    assert slow.item() == pytest.approx(0.999, abs=1e-6)


def test_a_waiting_group_stands_still_until_its_step():
    p = parameter(1.0)
    optimizer = Optimizer({"all": [p]}, waits={"all": 2}, warmup=0)
    for step in range(2):
        optimizer.step(p.sum(), step, 0.0)
        assert p.item() == 1.0
    optimizer.step(p.sum(), 2, 0.0)
    assert p.item() < 1.0


def test_a_broken_gradient_raises_before_any_update():
    p = parameter(0.0, 1.0)
    optimizer = Optimizer({"all": [p]}, warmup=0)
    with pytest.raises(NonFiniteGradient, match="step 3"):
        optimizer.step(p.sqrt().sum(), 3, 0.0)
    assert p.tolist() == [0.0, 1.0]
    assert p.grad is None


def test_clipping_bounds_the_norm_over_all_groups():
    p, q = parameter(3.0), parameter(4.0)
    optimizer = Optimizer({"p": [p], "q": [q]}, clip=1.0, warmup=0, betas=(0.0, 0.99))
    optimizer.step(0.5 * (p.square() + q.square()).sum(), 0, 0.0)
    moments = [state["exp_avg"].item() for state in optimizer._adam.state.values()]
    assert moments == pytest.approx([0.6, 0.8], abs=1e-5)


def test_settings_for_a_group_that_the_model_lacks_are_named():
    with pytest.raises(ValueError, match=r"\['sharpness'\].*\['grid'\]"):
        Optimizer({"grid": [parameter(1.0)]}, rates={"sharpness": 1e-3})


def test_saved_state_continues_to_the_same_bits():
    def run(steps, optimizer, p, start=0):
        for step in range(start, start + steps):
            optimizer.step((p.square() * torch.arange(1.0, 4.0)).sum(), step, step / 10)

    p, q = parameter(1.0, 2.0, 3.0), parameter(1.0, 2.0, 3.0)
    straight, first = Optimizer({"all": [p]}), Optimizer({"all": [q]})
    run(6, straight, p)
    run(3, first, q)
    second = Optimizer({"all": [q]})
    second.load_state_dict(first.state_dict())
    run(3, second, q, start=3)
    assert torch.equal(p, q)
