"""Copies of device numbers on the host that avoid synchronisation where they can.

Reading a number from a GPU waits until all work queued before it is done, and no new work is queued
meanwhile. On a CPU these classes only read the number.
"""

import torch
from torch import Tensor


class HostCopy:
    """The host copy of a small tensor that rarely changes, renewed when the tensor has changed."""

    def __init__(self) -> None:
        self._source: Tensor | None = None
        self._version = -1
        self._copy = torch.empty(0)

    def __call__(self, tensor: Tensor) -> Tensor:
        """Return the tensor on the host; read only."""
        if tensor is not self._source or tensor._version != self._version:
            self._source, self._version = tensor, tensor._version
            self._copy = tensor.detach().cpu()
        return self._copy


class AsyncScalar:
    """A scalar whose copy to the host is queued now and waited for when it is read."""

    def __init__(self, value: Tensor) -> None:
        self._value, self._copied = value.detach(), None
        if value.device.type == "cuda":
            pinned = torch.empty(value.shape, dtype=value.dtype, pin_memory=True)
            self._value = pinned.copy_(value.detach(), non_blocking=True)
            self._copied = torch.cuda.Event()
            self._copied.record(torch.cuda.current_stream(value.device))

    def __int__(self) -> int:
        return int(self._wait())

    def __float__(self) -> float:
        return float(self._wait())

    def _wait(self) -> Tensor:
        if self._copied is not None:
            self._copied.synchronize()
        return self._value


class StaleScalar:
    """A slowly changing scalar, read without waiting: on a GPU the value of the previous call."""

    def __init__(self) -> None:
        self._previous: AsyncScalar | None = None

    def __call__(self, value: Tensor) -> float:
        """Return the previous call's value; at the first call, and on a CPU, this one."""
        if value.device.type != "cuda":
            return float(value)
        current = AsyncScalar(value)
        previous, self._previous = self._previous or current, current
        return float(previous)
