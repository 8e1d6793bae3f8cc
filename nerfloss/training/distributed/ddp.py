"""A team of several processes, each with the whole model and a part of every step's rays."""

import signal
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import torch
from torch import Generator, Tensor, nn

from nerfloss.maths.per_ray_random import PartGenerator
from nerfloss.recipe.stateful_terms import self_trained_parameters
from nerfloss.training.distributed.all_reduce import AllReducedGradient, mean_rows
from nerfloss.training.distributed.collective_protocol import CollectiveProtocol
from nerfloss.training.distributed.gather import GatheredQuantities, gathered
from nerfloss.training.distributed.shard import Part, part_of, per_ray
from nerfloss.training.distributed.sharded_query import asking

Value = TypeVar("Value")


class DistributedProcesses:
    """What `ProcessGroup` says, over an `CollectiveProtocol`."""

    def __init__(self, exchange: CollectiveProtocol) -> None:
        self.rank, self.size = exchange.rank, exchange.size
        self._exchange = exchange
        # What the first one's clock said when all last agreed to go on.
        self._agreed: float | None = None

    @property
    def first(self) -> bool:
        return self.rank == 0

    def device_for(self, asked: str) -> str:  # noqa: ARG002
        return str(self._exchange.device)

    def share(self, batch: Any, generator: Generator) -> tuple[Part, Generator]:
        part, whole = part_of(batch, self.rank, self.size), len(batch.rays)
        begin = sum(part.counts[: self.rank])
        return part, PartGenerator.of(generator, begin, begin + len(part.rays), whole)

    def total(self, rays: int, samples: int, generator: Generator) -> tuple[int, int]:
        state = zlib.crc32(generator.get_state().cpu().numpy().tobytes())
        every = self._exchange.numbers(rays, samples, state)
        if len({row[2] for row in every}) > 1:
            raise ValueError(
                "the processes have drawn unlike numbers for their samples, so their terms would "
                "not be those of one step: a sampler of your own has to draw its numbers for each "
                "ray by nerfloss.maths.per_ray_random.per_ray"
            )
        return int(sum(row[0] for row in every)), int(sum(row[1] for row in every))

    def whole(self, quantities: Any, needs: Collection[str], batch: Any) -> GatheredQuantities:
        return GatheredQuantities(quantities, needs, batch.counts, self._exchange)

    def rows(self, values: Mapping[str, Any], batch: Any) -> dict[str, Any]:
        own = {
            name: value
            for name, value in sorted(values.items())
            if per_ray(name, value, len(batch.rays))
        }
        return {**values, **gathered(own, batch.counts, self._exchange)}

    def averaged(self, descent: Any, parameters: Sequence[nn.Parameter]) -> AllReducedGradient:
        return AllReducedGradient(descent, parameters, self._exchange)

    def mean_rows(self, rows: Tensor, reached: list[bool]) -> tuple[Tensor, list[bool]]:
        return mean_rows(rows, reached, self._exchange)

    def settle(self, modules: Iterable[nn.Module]) -> None:
        # All have trained on the same, but not every device adds in the same order twice.
        parameters = [each for module in modules for each in self_trained_parameters(module)]
        if not parameters:
            return
        with torch.no_grad():
            flat = self._exchange.first_ones(torch.cat([each.flatten() for each in parameters]))
            pieces = flat.split([each.numel() for each in parameters])
            for parameter, piece in zip(parameters, pieces, strict=True):
                parameter.copy_(piece.view_as(parameter))

    def agree(self, seconds: float, stop: str | None) -> str | None:
        asked = 0 if stop is None else int(signal.Signals[stop])
        every = self._exchange.numbers(seconds, asked)
        self._agreed = every[0][0]
        reasons = [int(row[1]) for row in every if row[1]]
        return signal.Signals(reasons[0]).name if reasons else None

    def seconds(self, own: float) -> float:
        return own if self._agreed is None else self._agreed

    def same(self, value: Value) -> Value:
        return self._exchange.same(value)

    def level(self, trainer: Any) -> None:
        state = self.same(trainer.state_dict() if self.first else None)
        if not self.first:
            trainer.load_state_dict(state)

    def gathered(self, values: Sequence[Value]) -> list[Value]:
        every = self._exchange.objects(list(values))
        most = max(map(len, every))
        return [own[place] for place in range(most) for own in every if place < len(own)]

    def helped(
        self, functions: Mapping[str, Callable]
    ) -> AbstractContextManager[Mapping[str, Callable]]:
        return asking(functions, self._exchange)
