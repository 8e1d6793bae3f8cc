"""What a balancer remembers goes by the names of the terms."""

import torch

from nerfloss.recipe.balancers.running_stats import RunningStats, by_term, unweighted


def losses(**values):
    return {name: torch.tensor(value) for name, value in values.items()}


def test_a_term_begins_with_the_first_numbers_and_keeps_what_was_written():
    memory = RunningStats(mean=0.5, count=0.0)
    mean, count = memory.read(losses(a=1.0, b=2.0))
    assert mean.tolist() == [0.5, 0.5]
    assert count.tolist() == [0, 0]
    memory.write(losses(a=1.0, b=2.0), torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))
    mean, count = memory.read(losses(b=0.0, new=0.0, a=0.0))
    assert mean.tolist() == [2, 0.5, 1]
    assert count.tolist() == [4, 0, 3]


def test_a_term_that_is_away_keeps_its_numbers():
    memory = RunningStats(mean=0.0)
    memory.write(losses(a=0.0, b=0.0), torch.tensor([1.0, 2.0]))
    memory.write(losses(b=0.0), torch.tensor([5.0]))
    assert memory.read(losses(a=0.0, b=0.0))[0].tolist() == [1, 5]


def test_it_is_saved_by_name_and_loaded_into_one_that_met_nobody():
    memory = RunningStats(mean=0.0)
    memory.write(losses(rgb=0.0, training=0.0), torch.tensor([1.0, 2.0]))
    state = memory.state_dict()
    assert set(state) == {"of_rgb", "of_training"}
    fresh = RunningStats(mean=0.0)
    fresh.load_state_dict(state)
    assert fresh.read(losses(training=0.0, rgb=0.0))[0].tolist() == [2, 1]


def test_loading_forgets_terms_that_the_saved_one_did_not_know():
    memory, earlier = RunningStats(mean=0.0), RunningStats(mean=0.0)
    earlier.write(losses(a=0.0), torch.tensor([1.0]))
    memory.write(losses(a=0.0, later=0.0), torch.tensor([3.0, 4.0]))
    memory.load_state_dict(earlier.state_dict())
    assert memory.read(losses(a=0.0, later=0.0))[0].tolist() == [1, 0]


def test_a_saved_state_does_not_change_when_the_memory_does():
    memory = RunningStats(mean=0.0)
    memory.write(losses(a=0.0), torch.tensor([1.0]))
    state = memory.state_dict()
    memory.write(losses(a=0.0), torch.tensor([2.0]))
    assert state["of_a"].tolist() == [1]


def test_losses_without_their_weights_carry_no_gradient():
    value = torch.tensor(2.0, requires_grad=True)
    found = unweighted({"a": 3 * value, "b": 0.5 * value}, {"a": 3.0, "b": 0.5})
    assert found.tolist() == [2, 2]
    assert not found.requires_grad


def test_numbers_are_named_in_the_order_of_the_losses():
    named = by_term(losses(b=0.0, a=0.0), torch.tensor([1.0, 2.0]))
    assert {name: float(value) for name, value in named.items()} == {"b": 1, "a": 2}
