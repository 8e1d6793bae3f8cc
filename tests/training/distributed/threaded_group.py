"""Processes played by threads: what an `CollectiveProtocol` says, without any that could be lost."""

import copy
import threading
from collections.abc import Callable
from typing import Any

import torch

from nerfloss.training.distributed.ddp import DistributedProcesses


class Talk:
    """What the threads have put on the table, each in its place; all see it at once."""

    def __init__(self, size: int) -> None:
        self.places: list[Any] = [None] * size
        self.barrier = threading.Barrier(size, timeout=120)

    def everybodys(self, rank: int, own: Any) -> list[Any]:
        self.places[rank] = own
        self.barrier.wait()
        found = list(self.places)
        self.barrier.wait()
        return found


class OfThreads:
    """An exchange between threads."""

    def __init__(self, rank: int, talk: Talk) -> None:
        self.rank, self.size, self.device = rank, len(talk.places), torch.device("cpu")
        self._talk = talk

    def rows(self, own, counts):
        found = self._talk.everybodys(self.rank, own.detach())
        assert tuple(len(each) for each in found) == tuple(counts)
        return torch.cat(found)

    def mean(self, values):
        found = self._talk.everybodys(self.rank, values.clone())
        return values.copy_(sum(found) / self.size)

    def first_ones(self, values):
        return values.copy_(self._talk.everybodys(self.rank, values.clone())[0])

    def numbers(self, *own):
        return self._talk.everybodys(self.rank, [float(each) for each in own])

    def objects(self, own):
        return self._talk.everybodys(self.rank, own)

    def same(self, value):
        return copy.deepcopy(self._talk.everybodys(self.rank, value)[0])


def all_of(size: int, work: Callable[[DistributedProcesses], Any]) -> list[Any]:
    """What each of the processes makes of its team; an error where all raise one, or any does."""
    talk, results = Talk(size), [None] * size

    def one(rank: int) -> None:
        try:
            results[rank] = work(DistributedProcesses(OfThreads(rank, talk)))
        except Exception as error:  # handed to the test, which is in another thread
            results[rank] = error

    threads = [threading.Thread(target=one, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
