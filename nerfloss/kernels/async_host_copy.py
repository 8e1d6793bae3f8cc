"""Numbers of a device on the host, without making the host wait where that can be helped.

Reading a number from a GPU waits until everything that was asked of it before is done; meanwhile
nothing new is asked of it. On a CPU all of these read the number, and no more.
"""

import torch
from torch import Tensor


class HostCopy:
    """A small tensor that seldom changes: copied to the host when it has, and known otherwise."""

    def __init__(self) -> None:
        self._of: Tensor | None = None
        self._version = -1
        self._copy = torch.empty(0)

    def __call__(self, tensor: Tensor) -> Tensor:
        """The tensor on the host; for reading only."""
        if tensor is not self._of or tensor._version != self._version:
            self._of, self._version = tensor, tensor._version
            self._copy = tensor.detach().cpu()
        return self._copy


class AsyncScalar:
    """A number that sets out to the host now, and is waited for where it is read."""

    def __init__(self, value: Tensor) -> None:
        self._value, self._there = value.detach(), None
        if value.device.type == "cuda":
            room = torch.empty(value.shape, dtype=value.dtype, pin_memory=True)
            self._value = room.copy_(value.detach(), non_blocking=True)
            self._there = torch.cuda.Event()
            self._there.record(torch.cuda.current_stream(value.device))

    def __int__(self) -> int:
        return int(self._arrived())

    def __float__(self) -> float:
        return float(self._arrived())

    def _arrived(self) -> Tensor:
        if self._there is not None:
            self._there.synchronize()
        return self._value


class StaleScalar:
    """A number that changes slowly: of a GPU as it was when it was asked for the time before."""

    def __init__(self) -> None:
        self._before: AsyncScalar | None = None

    def __call__(self, value: Tensor) -> float:
        """The number; the first time, and on a CPU, as it is now."""
        if value.device.type != "cuda":
            return float(value)
        now = AsyncScalar(value)
        before, self._before = self._before or now, now
        return float(before)
