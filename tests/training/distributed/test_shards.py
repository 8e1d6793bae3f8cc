"""What processes share: shards of a batch, random numbers, quantities, gradients."""

import copy

import pytest
import torch
from small_runs import assembled, composed
from threaded_group import in_processes

from nerfloss.assembly.build import assemble
from nerfloss.maths.per_ray_random import PartGenerator, per_ray
from nerfloss.quantities.resolve import Quantities, Rule
from nerfloss.recipe import NonFiniteLoss
from nerfloss.recipe.term_gradients import CombinedGradient
from nerfloss.training.budget import Budget
from nerfloss.training.distributed.ddp import DistributedProcesses, sum_counts
from nerfloss.training.distributed.distributed_recipe import AllReducedGradient
from nerfloss.training.distributed.gather import GatheredQuantities
from nerfloss.training.distributed.process_group import SINGLE_PROCESS, ProcessGroup, SingleProcess
from nerfloss.training.distributed.shard import shard_of, shard_sizes
from nerfloss.training.failure_snapshot import Failure
from nerfloss.training.timer import Timer


def generator(seed=3):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("count", "processes", "unit"), [(10, 3, 1), (144, 4, 36), (5, 5, 1)])
def test_shards_are_whole_units_and_as_even_as_possible(count, processes, unit):
    counts = shard_sizes(count, processes, unit)
    assert sum(counts) == count
    assert all(each % unit == 0 for each in counts)
    assert max(counts) - min(counts) <= unit


def test_shards_concatenate_to_the_batch(tmp_path):
    batches = assembled(tmp_path).batches
    batch = batches.draw(0, 31)
    batch = batch.with_targets({"view_images": torch.zeros(31, 2, 2, 3), "step": 4})
    parts = [shard_of(batch, rank, 2) for rank in range(2)]
    assert torch.equal(torch.cat([part.rays.origins for part in parts]), batch.rays.origins)
    colors = [part.targets["target_rgb"] for part in parts]
    assert torch.equal(torch.cat(colors), batch.targets["target_rgb"])
    # As many views as rays: still no ray's.
    assert all(part.targets["view_images"].shape[0] == 31 for part in parts)
    assert {part.targets["step"] for part in parts} == {4}


def test_fewer_rays_than_processes_are_refused(tmp_path):
    batch = assembled(tmp_path).batches.draw(0, 3)
    with pytest.raises(ValueError, match=r"4 processes have no more than 3 rays .* raise trainer"):
        shard_of(batch, 0, 4)


@pytest.mark.parametrize("axis", [0, 1])
def test_processes_draw_the_numbers_that_one_process_draws_for_their_rays(axis):
    shape = (10, 4) if axis == 0 else (4, 10)
    drawer, device = generator(), torch.device("cpu")
    whole, after = per_ray(shape, drawer, device, axis=axis), torch.rand(3, generator=drawer)
    parts = []
    for begin, end in ((0, 4), (4, 10)):
        drawer = PartGenerator.of(generator(), begin, end, 10)
        part = list(shape)
        part[axis] = end - begin
        parts.append(per_ray(tuple(part), drawer, device, axis=axis))
        assert torch.equal(torch.rand(3, generator=drawer), after)
    assert torch.equal(torch.cat(parts, axis), whole)


def test_a_generator_for_another_number_of_rays_is_refused():
    drawer = PartGenerator.of(generator(), 0, 4, 10)
    with pytest.raises(ValueError, match="for 5 rays were asked for, and 4 are here"):
        per_ray((5, 2), drawer, torch.device("cpu"))


def test_a_sampler_that_does_not_draw_per_ray_is_refused():
    def draws(group):
        rays = 4 + group.rank
        drawer = generator()
        torch.rand(rays, generator=drawer)
        return sum_counts(rays, 10, drawer, group._collectives)

    for error in in_processes(2, draws):
        assert isinstance(error, ValueError)
        assert "nerfloss.maths.per_ray_random.per_ray" in str(error)


DEPTHS = torch.tensor([1.0, 4.0, 9.0, 16.0, 25.0])
COUNTS = (2, 3)


def made(rank, x):
    """The quantities of a shard: some per ray, and one that a rule computes from all rays."""
    some = slice(0, 2) if rank == 0 else slice(2, 5)
    rules = {
        "opacity": Rule((), lambda: DEPTHS[some] * x, of_samples=True),
        "spread": Rule(("opacity",), lambda opacity: opacity - opacity.mean()),
    }
    given = {"occupied": (DEPTHS > 4)[some], "sharpness": x**2, "view": torch.arange(5)[some]}
    given["shard_sizes"] = COUNTS
    return Quantities(given, rules)


def total(quantities):
    """A loss that is not a sum over rays."""
    kept = quantities["opacity"][quantities["occupied"]]
    return quantities["spread"].square().sum().sqrt() + kept.mean() + quantities["sharpness"]


def test_gathered_quantities_give_the_loss_and_the_gradient_of_one_process():
    needs = {"opacity", "spread", "occupied", "sharpness", "view"}

    def shared(group):
        x = torch.nn.Parameter(torch.tensor(0.5))
        whole = GatheredQuantities(made(group.rank, x), needs, group._collectives)
        assert whole["view"].tolist() == [0, 1, 2, 3, 4]
        assert whole["occupied"].dtype == torch.bool
        loss = total(whole)
        AllReducedGradient(loss, [x], group._collectives).backward()
        return loss.detach(), x.grad

    x = torch.tensor(0.5, requires_grad=True)
    opacity = DEPTHS * x
    whole = {"opacity": opacity, "occupied": DEPTHS > 4, "sharpness": x**2}
    expected = total({**whole, "spread": opacity - opacity.mean()})
    expected.backward()
    for loss, gradient in in_processes(2, shared):
        assert torch.allclose(loss, expected.detach(), rtol=1e-6)
        assert torch.allclose(gradient, x.grad, rtol=1e-6)


def test_a_parameter_reached_by_one_process_has_a_gradient_in_all():
    def shared(group):
        seen, unseen = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(3))
        loss = (seen * 3).sum() if group.is_main else torch.zeros(())
        AllReducedGradient(loss, [seen, unseen], group._collectives).backward()
        return seen.grad, unseen.grad

    for seen, unseen in in_processes(2, shared):
        assert seen.tolist() == [1.5, 1.5]
        assert unseen is None


def test_gradients_of_terms_are_averaged_before_they_are_combined():
    def shared(group):
        x = torch.nn.Parameter(torch.ones(2))
        losses = {"a": (x * (1.0 + 2 * group.rank)).sum(), "b": (x * -2).sum()}
        # Not linear, so the mean of combinations would be another.
        exchange = group.mean_gradient_rows
        combined = CombinedGradient(losses, [x], [], lambda rows: rows.prod(0), exchange)
        AllReducedGradient(combined, [], group._collectives).backward()
        return x.grad

    for gradient in in_processes(2, shared):
        assert gradient.tolist() == [-4.0, -4.0]


def test_a_signal_to_one_process_stops_all_and_the_clock_of_rank_0_counts():
    def shared(group):
        timer = Timer({"wall": lambda: 0.0})
        timer.load_state_dict({"wall": 10.0 + group.rank})
        clock = group.clock(Budget(100), timer)
        reason = clock.synchronize("SIGTERM" if group.rank == 2 else None)
        views = group.gather_interleaved([f"{group.rank}a", f"{group.rank}b"])
        return reason, clock.seconds, views

    views = ["0a", "1a", "2a", "0b", "1b", "2b"]
    assert in_processes(3, shared) == [("SIGTERM", 10.0, views)] * 3


def test_all_processes_evaluate_a_query_and_an_error_in_any_reaches_rank_0():
    seen = []

    def square(points):
        seen.append(len(points))
        if len(points) > 3:
            raise MemoryError("no room")
        return points.square().sum(-1)

    def shared(group):
        with group.sharded_query({"field": square}) as functions:
            if not group.is_main:
                return None
            with pytest.raises(MemoryError, match="no room"):
                functions["field"](torch.ones(8, 3))
            assert functions["field"](torch.ones(0, 3)).shape == (0,)
            return functions["field"](torch.arange(15.0).reshape(5, 3))

    answer, helper = in_processes(2, shared)
    assert helper is None
    assert torch.equal(answer, torch.arange(15.0).reshape(5, 3).square().sum(-1))
    assert sorted(seen) == [0, 0, 2, 3, 4, 4]


def test_one_process_and_several_have_the_same_interface():
    assert isinstance(SINGLE_PROCESS, ProcessGroup)
    assert all(isinstance(group, ProcessGroup) for group in in_processes(2, lambda group: group))
    assert set(dir(DistributedProcesses)) >= {
        name for name in dir(SingleProcess) if not name.startswith("_")
    } - {
        "rank",
        "size",
    }


def test_a_step_that_fails_in_one_shard_stops_all_processes_and_is_saved_with_all_rays(tmp_path):
    bad = "+loss.terms.bad={fn: {_target_: broken_terms.spoils_a_view, _partial_: true}}"
    # Hydra composes one configuration at a time: not in the threads.
    cfg = composed(bad, "trainer.max_steps=4", "trainer.batch_size.max_rays=64")

    def broken(group):
        assemble(copy.deepcopy(cfg), tmp_path, group).train()

    errors = in_processes(2, broken)
    assert all(isinstance(error, NonFiniteLoss) for error in errors)
    assert str(errors[0]) == str(errors[1])
    assert "of 128 (" in str(errors[0])
    failure = Failure.read(tmp_path / "failure.pt")
    assert len(failure.rays) == len(failure.samples["t_starts"]) == 128
    assert all(int(failure.rays.view[ray]) == 1 for ray in failure.fault["rays"])
