"""Interface of the collective operations between the processes of a run."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor


@runtime_checkable
class CollectiveProtocol(Protocol):
    """Operations that every process of a run calls in the same order."""

    rank: int
    size: int
    device: torch.device

    def all_gather_rows(self, own: Tensor, counts: Sequence[int]) -> Tensor:
        """Concatenate the rows of all processes by rank; ``counts`` are their numbers of rows."""
        ...

    def all_reduce_mean(self, values: Tensor) -> Tensor:
        """Replace the values by their mean over all processes, in place; identical bits for all."""
        ...

    def broadcast_tensor(self, values: Tensor) -> Tensor:
        """Replace the values by those of rank 0, in place."""
        ...

    def all_gather_numbers(self, *own: float) -> list[list[float]]:
        """Return the numbers of every process, by rank."""
        ...

    def all_gather_objects(self, own: Any) -> list[Any]:
        """Return the object of every process, by rank; tensors in it must be on the CPU."""
        ...

    def broadcast_object(self, value: Any) -> Any:
        """Return the object of rank 0, its tensors on this process's device."""
        ...
