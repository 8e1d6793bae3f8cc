"""Collective operations through torch.distributed."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


class LostProcess(RuntimeError):
    """Another process of this run has ended, or has not answered in time."""


class Collectives:
    """Implement `CollectiveProtocol`. Raises LostProcess where another process is gone.

    Tensors are sent between devices. Numbers and objects are sent through ``host``, a gloo group,
    so that sending one does not wait for a GPU.
    """

    def __init__(self, rank: int, size: int, device: torch.device, host: Any = None) -> None:
        self.rank, self.size, self.device, self._host = rank, size, device, host

    def all_gather_rows(self, own: Tensor, counts: Sequence[int]) -> Tensor:
        # As bytes: not every backend sends booleans.
        sent = own.view(torch.uint8) if own.dtype == torch.bool else own
        padded = sent.new_zeros(max(counts), *sent.shape[1:])
        padded[: len(sent)] = sent
        received = [torch.empty_like(padded) for _ in counts]
        with _lost_process():
            dist.all_gather(received, padded)
        rows = torch.cat([each[:count] for each, count in zip(received, counts, strict=True)])
        return rows.view(own.dtype)

    def all_reduce_mean(self, values: Tensor) -> Tensor:
        with _lost_process():
            dist.all_reduce(values)
        return values.div_(self.size)

    def broadcast_tensor(self, values: Tensor) -> Tensor:
        with _lost_process():
            dist.broadcast(values, 0)
        return values

    def all_gather_numbers(self, *own: float) -> list[list[float]]:
        sent = torch.tensor(own, dtype=torch.float64)
        received = [torch.empty_like(sent) for _ in range(self.size)]
        with _lost_process():
            dist.all_gather(received, sent, group=self._host)
        return torch.stack(received).tolist()

    def all_gather_objects(self, own: Any) -> list[Any]:
        received: list[Any] = [None] * self.size
        with _lost_process():
            dist.all_gather_object(received, own, group=self._host)
        return received

    def broadcast_object(self, value: Any) -> Any:
        sent = [None]
        if self.rank == 0:
            buffer = io.BytesIO()
            torch.save(value, buffer)
            sent = [buffer.getvalue()]
        with _lost_process():
            dist.broadcast_object_list(sent, 0, group=self._host)
        if self.rank == 0:
            return value
        assert sent[0] is not None
        # Sent by a process of this run: it may hold more than plain values.
        return torch.load(io.BytesIO(sent[0]), map_location=self.device, weights_only=False)


@contextmanager
def _lost_process() -> Iterator[None]:
    """Raise LostProcess where the operation of the ``with`` block fails."""
    try:
        yield
    except RuntimeError as error:
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise LostProcess(
            f"another process of this run has ended or does not answer ({reason}); steps since the "
            f"last checkpoint are lost: resume with trainer.resume=<the run's folder>"
        ) from error
