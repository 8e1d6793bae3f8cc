"""How processes talk, through torch.distributed; an error where one of them is gone."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


class LostProcess(RuntimeError):
    """Another process of this run has ended, or has not answered for too long."""


class Collectives:
    """What `CollectiveProtocol` says, over process groups.

    Tensors go between devices; numbers and objects go through ``host``, a group of gloo, so that
    nobody waits for a GPU to say a number. Raises LostProcess where another process is gone.
    """

    def __init__(self, rank: int, size: int, device: torch.device, host: Any = None) -> None:
        self.rank, self.size, self.device, self._host = rank, size, device, host

    def rows(self, own: Tensor, counts: Sequence[int]) -> Tensor:
        # Bytes: not every way of sending knows what is true.
        sent = own.view(torch.uint8) if own.dtype == torch.bool else own
        padded = sent.new_zeros(max(counts), *sent.shape[1:])
        padded[: len(sent)] = sent
        found = [torch.empty_like(padded) for _ in counts]
        with _talking():
            dist.all_gather(found, padded)
        rows = torch.cat([each[:count] for each, count in zip(found, counts, strict=True)])
        return rows.view(own.dtype)

    def mean(self, values: Tensor) -> Tensor:
        with _talking():
            dist.all_reduce(values)
        return values.div_(self.size)

    def first_ones(self, values: Tensor) -> Tensor:
        with _talking():
            dist.broadcast(values, 0)
        return values

    def numbers(self, *own: float) -> list[list[float]]:
        sent = torch.tensor(own, dtype=torch.float64)
        found = [torch.empty_like(sent) for _ in range(self.size)]
        with _talking():
            dist.all_gather(found, sent, group=self._host)
        return torch.stack(found).tolist()

    def objects(self, own: Any) -> list[Any]:
        found: list[Any] = [None] * self.size
        with _talking():
            dist.all_gather_object(found, own, group=self._host)
        return found

    def same(self, value: Any) -> Any:
        sent = [None]
        if self.rank == 0:
            buffer = io.BytesIO()
            torch.save(value, buffer)
            sent = [buffer.getvalue()]
        with _talking():
            dist.broadcast_object_list(sent, 0, group=self._host)
        if self.rank == 0:
            return value
        assert sent[0] is not None
        # From a process of this very run: it may hold more than plain values.
        return torch.load(io.BytesIO(sent[0]), map_location=self.device, weights_only=False)


@contextmanager
def _talking() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        said = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise LostProcess(
            f"another process of this run has ended or does not answer ({said}); what was learned "
            f"since the last checkpoint is lost: go on with trainer.resume=<the run's folder>"
        ) from error
