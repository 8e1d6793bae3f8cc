"""Process group: the processes that train one run together, usually a single one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from nerfloss.training.budget import Budget
from nerfloss.training.clock import Clock
from nerfloss.training.prefetch import Prefetcher
from nerfloss.training.protocols import BatchSource, Model, Recipe, ShareableRecipe
from nerfloss.training.timer import Timer

Value = TypeVar("Value")
Rows = tuple[Tensor, list[bool]]


@runtime_checkable
class Stateful(Protocol):
    """An object with a state that can be saved and restored."""

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


@runtime_checkable
class ProcessGroup(Protocol):
    """The processes of a run. All of them call its collective methods in the same order.

    ``inputs``, ``recipe`` and ``clock`` return the parts that the training loop works with: of the
    same interface whether there is one process or there are several.
    """

    rank: int
    size: int

    @property
    def is_main(self) -> bool:
        """Return True for rank 0, the process that writes files and logs."""
        ...

    def device_for(self, requested: str) -> str:
        """Return this process's device, where ``requested`` is the configured one."""
        ...

    def inputs(
        self, model: Model, batches: BatchSource, *, device: torch.device, seed: int
    ) -> Prefetcher:
        """Return the source of this process's share of the inputs of every step."""
        ...

    def recipe(self, recipe: ShareableRecipe) -> Recipe:
        """Return a recipe over the rays of all processes, whose gradient is the mean of theirs."""
        ...

    def clock(self, budget: Budget, timer: Timer) -> Clock:
        """Return a clock that is the same in all processes."""
        ...

    def gather_per_ray(self, values: Mapping[str, Any], batch: Any) -> dict[str, Any]:
        """Return the values, with those that are one per ray gathered from all processes."""
        ...

    def mean_gradient_rows(self, rows: Tensor, reached: list[bool]) -> Rows:
        """Return the mean of the gradient rows, and which parameters any process reaches."""
        ...

    def broadcast(self, value: Value) -> Value:
        """Return the value of rank 0."""
        ...

    def broadcast_state(self, stateful: Stateful) -> None:
        """Load the state that the object has in rank 0."""
        ...

    def gather_interleaved(self, values: Sequence[Value]) -> list[Value]:
        """Merge values of which rank r has every size-th, from the r-th on, in original order."""
        ...

    def sharded_query(
        self, functions: Mapping[str, Callable]
    ) -> AbstractContextManager[Mapping[str, Callable]]:
        """Return a ``with`` block in which all processes evaluate what rank 0 calls.

        ``functions`` take and return a row per point. Other ranks serve until rank 0 leaves.
        """
        ...


class SingleProcess:
    """The process group of one process."""

    rank, size, is_main = 0, 1, True

    def device_for(self, requested: str) -> str:
        return requested

    def inputs(
        self, model: Model, batches: BatchSource, *, device: torch.device, seed: int
    ) -> Prefetcher:
        return Prefetcher(model, batches, device=device, seed=seed)

    def recipe(self, recipe: ShareableRecipe) -> Recipe:
        return recipe

    def clock(self, budget: Budget, timer: Timer) -> Clock:
        return Clock(budget, timer)

    def gather_per_ray(self, values: Mapping[str, Any], batch: Any) -> dict[str, Any]:  # noqa: ARG002
        return dict(values)

    def mean_gradient_rows(self, rows: Tensor, reached: list[bool]) -> Rows:
        return rows, reached

    def broadcast(self, value: Value) -> Value:
        return value

    def broadcast_state(self, stateful: Stateful) -> None:
        pass

    def gather_interleaved(self, values: Sequence[Value]) -> list[Value]:
        return list(values)

    @contextmanager
    def sharded_query(self, functions: Mapping[str, Callable]) -> Iterator[Mapping[str, Callable]]:
        yield functions


SINGLE_PROCESS = SingleProcess()
