"""What the processes of a run can say to each other."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor


@runtime_checkable
class CollectiveProtocol(Protocol):
    """Operations that every process of a run calls together, in the same order."""

    rank: int
    size: int
    device: torch.device

    def rows(self, own: Tensor, counts: Sequence[int]) -> Tensor:
        """Everybody's rows, in the order of the processes; ``counts`` says how many each has."""
        ...

    def mean(self, values: Tensor) -> Tensor:
        """The mean of everybody's values, in place; the same bits for all."""
        ...

    def first_ones(self, values: Tensor) -> Tensor:
        """The values of the first process, in place."""
        ...

    def numbers(self, *own: float) -> list[list[float]]:
        """Everybody's numbers, in the order of the processes."""
        ...

    def objects(self, own: Any) -> list[Any]:
        """Everybody's objects; what they hold in tensors has to be on the CPU."""
        ...

    def same(self, value: Any) -> Any:
        """The first process's object, its tensors on this device."""
        ...
