"""What a balancer remembers goes by the names of the terms."""

import torch

from nerfloss.recipe.balancers.running_stats import RunningStats, by_term, unweighted


def losses(**values):
    return {name: torch.tensor(value) for name, value in values.items()}


def test_a_new_term_has_the_initial_numbers_and_keeps_those_written():
    memory = RunningStats(mean=0.5, count=0.0)
    mean, count = memory.read(losses(a=1.0, b=2.0))
    assert mean.tolist() == [0.5, 0.5]
    assert count.tolist() == [0, 0]
    memory.write(losses(a=1.0, b=2.0), torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))
    mean, count = memory.read(losses(b=0.0, new=0.0, a=0.0))
    assert mean.tolist() == [2, 0.5, 1]
    assert count.tolist() == [4, 0, 3]


def test_an_inactive_term_keeps_its_numbers():
    memory = RunningStats(mean=0.0)
    memory.write(losses(a=0.0, b=0.0), torch.tensor([1.0, 2.0]))
    memory.write(losses(b=0.0), torch.tensor([5.0]))
    assert memory.read(losses(a=0.0, b=0.0))[0].tolist() == [1, 5]


def test_the_state_loads_into_an_instance_without_terms():
    memory = RunningStats(mean=0.0)
    memory.write(losses(rgb=0.0, training=0.0), torch.tensor([1.0, 2.0]))
    state = memory.state_dict()
    assert set(state) == {"of_rgb", "of_training"}
    fresh = RunningStats(mean=0.0)
    fresh.load_state_dict(state)
    assert fresh.read(losses(training=0.0, rgb=0.0))[0].tolist() == [2, 1]


def test_loading_drops_terms_that_were_not_saved():
    memory, earlier = RunningStats(mean=0.0), RunningStats(mean=0.0)
    earlier.write(losses(a=0.0), torch.tensor([1.0]))
    memory.write(losses(a=0.0, later=0.0), torch.tensor([3.0, 4.0]))
    memory.load_state_dict(earlier.state_dict())
    assert memory.read(losses(a=0.0, later=0.0))[0].tolist() == [1, 0]


def test_a_saved_state_is_a_copy():
    memory = RunningStats(mean=0.0)
    memory.write(losses(a=0.0), torch.tensor([1.0]))
    state = memory.state_dict()
    memory.write(losses(a=0.0), torch.tensor([2.0]))
    assert state["of_a"].tolist() == [1]


def test_unweighted_losses_are_detached():
    value = torch.tensor(2.0, requires_grad=True)
    found = unweighted({"a": 3 * value, "b": 0.5 * value}, {"a": 3.0, "b": 0.5})
    assert found.tolist() == [2, 2]
    assert not found.requires_grad


def test_numbers_are_named_in_the_order_of_the_losses():
    named = by_term(losses(b=0.0, a=0.0), torch.tensor([1.0, 2.0]))
    assert {name: float(value) for name, value in named.items()} == {"b": 1, "a": 2}
