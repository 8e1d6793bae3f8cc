"""Distributed data parallel training: every process has the whole model and a share of the rays."""

import signal
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from nerfloss.maths.per_ray_random import PartGenerator
from nerfloss.training.budget import Budget
from nerfloss.training.clock import Clock
from nerfloss.training.distributed.all_reduce import mean_rows
from nerfloss.training.distributed.collective_protocol import CollectiveProtocol
from nerfloss.training.distributed.distributed_recipe import DistributedRecipe
from nerfloss.training.distributed.gather import all_gather_per_ray
from nerfloss.training.distributed.process_group import Stateful
from nerfloss.training.distributed.shard import is_per_ray, shard_of
from nerfloss.training.distributed.sharded_query import sharded_query
from nerfloss.training.prefetch import Prefetcher, PreparedStep
from nerfloss.training.protocols import BatchSource, Model, ShareableRecipe
from nerfloss.training.timer import Timer

Value = TypeVar("Value")


class DistributedProcesses:
    """Implement `ProcessGroup` over collective operations."""

    def __init__(self, collectives: CollectiveProtocol) -> None:
        self.rank, self.size = collectives.rank, collectives.size
        self._collectives = collectives

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def device_for(self, requested: str) -> str:  # noqa: ARG002
        return str(self._collectives.device)

    def inputs(
        self, model: Model, batches: BatchSource, *, device: torch.device, seed: int
    ) -> "ShardedPrefetcher":
        return ShardedPrefetcher(
            model, batches, device=device, seed=seed, collectives=self._collectives
        )

    def recipe(self, recipe: ShareableRecipe) -> DistributedRecipe:
        return DistributedRecipe(recipe, self._collectives)

    def clock(self, budget: Budget, timer: Timer) -> "SynchronizedClock":
        return SynchronizedClock(budget, timer, self._collectives)

    def gather_per_ray(self, values: Mapping[str, Any], batch: Any) -> dict[str, Any]:
        own = {
            name: value
            for name, value in sorted(values.items())
            if is_per_ray(name, value, len(batch.rays))
        }
        sizes = batch.targets["shard_sizes"]
        return {**values, **all_gather_per_ray(own, sizes, self._collectives)}

    def mean_gradient_rows(self, rows: Tensor, reached: list[bool]) -> tuple[Tensor, list[bool]]:
        return mean_rows(rows, reached, self._collectives)

    def broadcast(self, value: Value) -> Value:
        return self._collectives.broadcast_object(value)

    def broadcast_state(self, stateful: Stateful) -> None:
        state = self.broadcast(stateful.state_dict() if self.is_main else None)
        if not self.is_main:
            assert state is not None
            stateful.load_state_dict(state)

    def gather_interleaved(self, values: Sequence[Value]) -> list[Value]:
        gathered = self._collectives.all_gather_objects(list(values))
        longest = max(map(len, gathered))
        return [own[index] for index in range(longest) for own in gathered if index < len(own)]

    def sharded_query(
        self, functions: Mapping[str, Callable]
    ) -> AbstractContextManager[Mapping[str, Callable]]:
        return sharded_query(functions, self._collectives)


class SynchronizedClock(Clock):
    """A clock that shows the time of rank 0, as of the last synchronisation."""

    def __init__(self, budget: Budget, timer: Timer, collectives: CollectiveProtocol) -> None:
        super().__init__(budget, timer)
        self._collectives = collectives
        self._seconds: float | None = None

    @property
    def seconds(self) -> float:
        return super().seconds if self._seconds is None else self._seconds

    def synchronize(self, stop: str | None) -> str | None:
        number = 0 if stop is None else int(signal.Signals[stop])
        own = self.timer.read(self.budget.clock)
        gathered = self._collectives.all_gather_numbers(own, number)
        self._seconds = gathered[0][0]
        signals = [int(row[1]) for row in gathered if row[1]]
        return signal.Signals(signals[0]).name if signals else None


@dataclass(frozen=True)
class ShardedStep(PreparedStep):
    """Inputs of this process's share of a step; ``total_*`` count those of all processes."""

    total_rays: int
    total_samples: int

    @property
    def rays(self) -> int:
        return self.total_rays

    @property
    def samples_evaluated(self) -> int:
        return self.total_samples


class ShardedPrefetcher(Prefetcher):
    """Prepare this process's share of the inputs of a step, which all processes draw alike."""

    def __init__(
        self,
        model: Model,
        batches: BatchSource,
        *,
        device: torch.device,
        seed: int,
        collectives: CollectiveProtocol,
    ) -> None:
        super().__init__(model, batches, device=device, seed=seed)
        self._collectives = collectives

    @property
    def min_rays(self) -> int:
        return self._collectives.size * self.batches.least_rays

    def take(self, step: int, rays: int) -> ShardedStep:
        own = super().take(step, rays)
        totals = sum_counts(len(own.batch.rays), int(own.count), own.generator, self._collectives)
        return ShardedStep(own.batch, own.samples, own.generator, own.count, *totals)

    def _sample(self, batch: Any, generator: torch.Generator) -> PreparedStep:
        shard, rays = shard_of(batch, self._collectives.rank, self._collectives.size), batch.rays
        begin = sum(shard.sizes[: self._collectives.rank])
        end = begin + len(shard.rays)
        return super()._sample(shard, PartGenerator.of(generator, begin, end, len(rays)))


def sum_counts(
    rays: int, samples: int, generator: torch.Generator, collectives: CollectiveProtocol
) -> tuple[int, int]:
    """Return the numbers of rays and samples of all processes.

    Raises ValueError where their generators have diverged.
    """
    state = zlib.crc32(generator.get_state().cpu().numpy().tobytes())
    gathered = collectives.all_gather_numbers(rays, samples, state)
    if len({row[2] for row in gathered}) > 1:
        raise ValueError(
            "the processes have drawn different random numbers for their samples, so their shards "
            "do not belong to one step: a custom sampler must draw its numbers per ray by "
            "nerfloss.maths.per_ray_random.per_ray"
        )
    return int(sum(row[0] for row in gathered)), int(sum(row[1] for row in gathered))
