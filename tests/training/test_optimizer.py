"""The optimizer: rates by group, warm-up, decay, and no update from a broken gradient."""

import pytest
import torch
from small_runs import composed

from nerfloss.assembly.build import assemble
from nerfloss.training.optimizer import NonFiniteGradient, Optimizer


def parameter(*values):
    return torch.nn.Parameter(torch.tensor(values))


def test_the_rate_warms_up_and_decays_to_its_end_factor():
    optimizer = Optimizer({"all": [parameter(1.0)]}, warmup_steps=10, end_factor=0.01)
    assert optimizer.factor(0, 0.0) == pytest.approx(0.1)
    assert optimizer.factor(50, 0.0) == pytest.approx(1.0)
    assert optimizer.factor(50, 0.5) == pytest.approx(0.1)
    assert optimizer.factor(50, 1.0) == pytest.approx(0.01)


def test_the_rate_decays_to_zero_over_the_cooldown():
    plain = Optimizer({"all": [parameter(1.0)]}, warmup_steps=0, end_factor=0.1)
    cooled = Optimizer(
        {"all": [parameter(1.0)]}, warmup_steps=0, end_factor=0.1, cooldown_fraction=0.4
    )
    shares = [cooled.factor(9, at) / plain.factor(9, at) for at in (0.0, 0.6, 0.7, 0.8, 1.0)]
    assert shares == pytest.approx([1.0, 1.0, 0.75, 0.5, 0.0])


def test_the_first_step_moves_each_group_by_its_own_rate():
    fast, slow = parameter(1.0), parameter(1.0)
    optimizer = Optimizer(
        {"fast": [fast], "slow": [slow]},
        learning_rate=0.1,
        learning_rates={"slow": 0.001},
        warmup_steps=0,
    )
    optimizer.step((fast + slow).sum(), 0, 0.0)
    # Adam's first step has the size of the rate.
    assert fast.item() == pytest.approx(0.9, abs=1e-6)
    assert slow.item() == pytest.approx(0.999, abs=1e-6)


def test_a_frozen_group_is_not_updated_before_its_step():
    p = parameter(1.0)
    optimizer = Optimizer({"all": [p]}, freeze_steps={"all": 2}, warmup_steps=0)
    for step in range(2):
        optimizer.step(p.sum(), step, 0.0)
        assert p.item() == 1.0
    optimizer.step(p.sum(), 2, 0.0)
    assert p.item() < 1.0


def test_a_non_finite_gradient_raises_before_any_update():
    p = parameter(0.0, 1.0)
    optimizer = Optimizer({"all": [p]}, warmup_steps=0)
    with pytest.raises(NonFiniteGradient, match="step 3"):
        optimizer.step(p.sqrt().sum(), 3, 0.0)
    assert p.tolist() == [0.0, 1.0]
    assert p.grad is None


@pytest.mark.parametrize("clip", [None, 1.0])
@pytest.mark.parametrize("broken", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("place", [0, 1234, 4999])
def test_one_non_finite_number_in_any_group_is_detected(clip, broken, place):
    table, rest = torch.nn.Parameter(torch.rand(2500, 2)), parameter(1.0)
    optimizer = Optimizer({"rest": [rest], "table": [table]}, warmup_steps=0, max_grad_norm=clip)
    before = table.detach().clone()
    weights = torch.rand(5000)
    weights[place] = broken
    total = (table.flatten() * weights).sum() + rest.sum()
    with pytest.raises(NonFiniteGradient, match="the gradient at step 7 is not finite"):
        optimizer.step(total, 7, 0.0)
    assert torch.equal(table, before)
    assert rest.item() == 1.0


def test_infinities_of_opposite_sign_do_not_cancel():
    p = parameter(1.0, 2.0)
    infinite = torch.tensor([float("inf"), float("-inf")])
    with pytest.raises(NonFiniteGradient):
        Optimizer({"all": [p]}, warmup_steps=0).step((p * infinite).sum(), 0, 0.0)


def test_a_gradient_whose_square_overflows_counts_as_non_finite():
    p = parameter(1.0, 2.0)
    with pytest.raises(NonFiniteGradient):
        Optimizer({"all": [p]}, warmup_steps=0).step((p * 1e30).sum(), 0, 0.0)
    assert p.tolist() == [1.0, 2.0]


def test_a_parameter_without_a_gradient_is_not_updated():
    used, unused = parameter(1.0), parameter(2.0)
    optimizer = Optimizer({"used": [used], "unused": [unused]}, warmup_steps=0)
    optimizer.step(used.sum(), 0, 0.0)
    assert unused.item() == 2.0
    assert used.item() < 1.0


def test_clipping_bounds_the_norm_over_all_groups():
    p, q = parameter(3.0), parameter(4.0)
    optimizer = Optimizer(
        {"p": [p], "q": [q]}, max_grad_norm=1.0, warmup_steps=0, betas=(0.0, 0.99)
    )
    optimizer.step(0.5 * (p.square() + q.square()).sum(), 0, 0.0)
    means = [mean.item() for mean in optimizer.state_dict()["mean"]]
    assert means == pytest.approx([0.6, 0.8], abs=1e-5)


def test_settings_for_a_group_that_the_model_lacks_are_named():
    with pytest.raises(ValueError, match=r"\['sharpness'\].*\['grid'\]"):
        Optimizer({"grid": [parameter(1.0)]}, learning_rates={"sharpness": 1e-3})


def test_updates_equal_those_of_torch_adamw():
    torch.manual_seed(1)
    table, weights = torch.nn.Parameter(torch.rand(40, 2)), torch.nn.Parameter(torch.rand(7, 3))
    ours = [torch.nn.Parameter(p.detach().clone()) for p in (table, weights)]
    theirs = torch.optim.AdamW(
        [{"params": [table], "lr": 0.05}, {"params": [weights], "lr": 0.002}],
        betas=(0.8, 0.95), eps=1e-9, weight_decay=0.1, foreach=False,
    )  # fmt: skip
    optimizer = Optimizer(
        {"grid": ours[:1], "rest": ours[1:]}, learning_rates={"grid": 0.05}, learning_rate=0.002,
        warmup_steps=0, end_factor=1.0, betas=(0.8, 0.95), eps=1e-9, weight_decay=0.1,
    )  # fmt: skip

    def total(table, weights):
        return (table.square().sum() - 1).square() + (weights[:2] * table[:2, :1]).sin().sum()

    for step in range(20):
        theirs.zero_grad()
        total(table, weights).backward()
        theirs.step()
        optimizer.step(total(*ours), step, step / 20)
    torch.testing.assert_close(ours[0], table, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(ours[1], weights, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("setting", [{"betas": (0.9, 1.0)}, {"eps": -1.0}, {"weight_decay": -1.0}])
def test_impossible_optimizer_settings_are_refused(setting):
    with pytest.raises(ValueError, match="the optimizer needs betas in"):
        Optimizer({"all": [parameter(1.0)]}, **setting)


def test_a_saved_state_continues_to_the_same_bits():
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


@pytest.mark.parametrize(("typed", "used"), [([], 0.1), (["0.0"], 0.0)])
def test_trainer_settings_override_those_of_the_model(tmp_path, typed, used):
    """A density asks for a decay."""
    settings = [f"trainer.optimizer.weight_decay={each}" for each in typed]
    run = assemble(composed("model=nerf", "loss=nerf", *settings, model="nerf"), tmp_path)
    assert run.trainer.optimizer._weight_decay == used
